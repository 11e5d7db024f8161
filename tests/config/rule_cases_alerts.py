"""The first case of each rule of alerts.toml, with column and key of its place."""

from __future__ import annotations

from rule_case import Case

from tests.config.alert_rule_cases import CASES as PAIRS

PLACES = {
    "JC401": (1, "contacts.manager"),
    "JC402": (1, "contacts.primary.phone"),
    "JC403": (1, "rules.down.level"),
    "JC404": (1, "levels.P1"),
    "JC405": (1, "levels.P0"),
    "JC406": (19, "levels.P0.routes[1]"),
    "JC407": (24, "levels.P0.escalate[1]"),
    "JC408": (12, "levels.P0.escalate[2]"),
    "JC409": (1, "routes.hook"),
    "JC410": (1, "levels.P1.respond_within_s"),
    "JC411": (1, "rules.down.metric"),
    "JC412": (1, "rules.down.above"),
    "JC413": (21, "rules.success.below.P2"),
    "JC414": (11, "rules.success.below.P1"),
    "JC415": (1, "routes.page.routing_key_file"),
    "JC416": (1, "routes.hook.url"),
    "JC417": (1, "routes.mail.user"),
    "JC418": (1, "levels.P0"),
    "JC419": (1, "rules.success.min_attempts"),
    "JC420": (1, "rules.down.runbook"),
}


def _case(rule: str) -> Case:
    bad, good = PAIRS[rule][0]
    line = next(number for number, text in enumerate(bad.splitlines(), 1) if "# !" in text)
    return Case(rule, {"alerts.toml": bad}, {"alerts.toml": good}, ("alerts.toml", line, *PLACES[rule]))


CASES = [_case(rule) for rule in PLACES]
