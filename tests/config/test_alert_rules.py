"""alerts.toml: every rule triggers where it should, at its line, and does not next to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jitctl.config.alert_models import AlertsConfig, given_levels
from jitctl.config.load import examine
from jitctl.config.problems import Problem
from jitctl.config.rule_book import RULES
from jitctl.config.source import Text
from tests.config.alert_rule_cases import CASES, WHOLE
from tests.config.model_fields import fields_below

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "alerts.toml"


def problems(text: str) -> list[Problem]:
    return examine({"alerts": Text(Path("alerts.toml"), text.encode())}).problems


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        pytest.param(rule, *pair, id=f"{rule}-{number}")
        for rule, pairs in CASES.items()
        for number, pair in enumerate(pairs)
    ],
)
def test_a_rule_triggers_at_its_line_and_not_next_to_it(rule, bad, good):
    lines = [number for number, line in enumerate(bad.splitlines(), 1) if "# !" in line]
    found = problems(bad)
    assert {(problem.rule, problem.line) for problem in found} == {(rule, line) for line in lines}, found
    assert rule not in {problem.rule for problem in problems(good)}
    assert {problem.rule for problem in problems(good)} <= {"JC409"}


def test_every_rule_about_alerts_has_its_case():
    assert {rule.id for rule in RULES if rule.id.startswith("JC4")} <= set(CASES)


def test_names_that_are_nearly_right_are_suggested():
    hints = {
        problem.rule: problem.hint
        for problem in problems(
            WHOLE.replace('"page"]', '"pagee"]')
            .replace('"manager"]\n[levels.P1]', '"manger"]\n[levels.P1]')
            .replace("success_rate", "sucess_rate")
        )
    }
    assert hints["JC406"] == "did you mean 'page'?"
    assert hints["JC407"] == "did you mean 'manager'?"
    assert hints["JC411"] == "did you mean 'success_rate'?"


def test_a_route_is_of_one_kind_and_has_the_keys_of_that_kind():
    text = """
[routes.a]
kind = "slak"
[routes.b]
url = "https://x.example.org"
[routes.c]
kind = "slack"
url_fil = "x"
[routes.d]
kind = "pagerduty"
routing_key = "x"
routing_key_file = "y"
"""
    found = {(problem.rule, problem.line, problem.key, problem.hint) for problem in problems(text)}
    assert found == {
        ("JC103", 3, "routes.a.kind", "did you mean 'slack'?"),
        ("JC102", 4, "routes.b.kind", ""),
        ("JC102", 6, "routes.c.url_file", ""),
        ("JC101", 8, "routes.c.url_fil", "did you mean 'url_file'?"),
        ("JC101", 11, "routes.d.routing_key", "did you mean 'routing_key_file'?"),
    }


def test_what_is_right_is_still_judged_where_another_part_is_wrong():
    text = WHOLE.replace('kind = "webhook"', 'kind = "hook"').replace("+1-555-0001", "1-555")
    text = text.replace("below = { P1 = 0.2, P2 = 0.4 }", "below = { P1 = 0.4, P2 = 0.2 }")
    assert [problem.rule for problem in problems(text)] == ["JC402", "JC103", "JC413"]


def test_a_contact_may_be_a_text_and_nothing_else_but_a_table():
    found = problems('[contacts]\na = "+1-555-0001"\nb = "b@example.org"\nc = { slack = "U1" }\nd = 5\n')
    assert [(problem.rule, problem.line, problem.key) for problem in found] == [("JC103", 5, "contacts.d")]


def shipped_filled_in() -> str:
    """Return the shipped file with its commented settings in force."""
    return re.sub(r"(?m)^# (?=\[|(?!runbook_url)\w+ = )", "", SHIPPED.read_text())


def test_the_shipped_file_is_the_runbooks_table():
    assert [problem.rule for problem in problems(SHIPPED.read_text())] == ["JC418"]
    found = examine({"alerts": Text(SHIPPED, shipped_filled_in().encode())})
    assert found.problems == []
    alerts = found.models["alerts"]
    levels = {name: level.respond_within_s for name, level in given_levels(alerts.levels).items()}
    assert levels == {"P0": 300, "P1": 1_800, "P2": 7_200, "P3": 86_400}
    raised = {
        (level, rule.metric, (rule.above or rule.below).given()[level] if rule.above or rule.below else None)
        for rule in alerts.rules.values()
        for level in rule.levels()
    }
    assert raised == {
        ("P0", "system_down", None),
        ("P0", "key_compromise_suspected", None),
        ("P0", "loss_usd", 10_000),
        ("P1", "success_rate", 0.20),
        ("P1", "node_disconnected", None),
        ("P1", "memory_growth_mb", 500),
        ("P1", "crashes", 0),
        ("P2", "success_rate", 0.40),
        ("P2", "latency_p95_ms", 200),
        ("P2", "pool_failing", None),
        ("P3", "success_rate", 0.60),
        ("P3", "configuration_issue", None),
        ("P3", "warnings", 0),
    }
    assert alerts.levels.P0.escalate == ("primary", "secondary", "manager", "hotline")
    assert [alerts.contacts[name].phone for name in alerts.levels.P0.escalate] == [
        "+1-555-0001",
        "+1-555-0002",
        "+1-555-0003",
        "+1-555-0911",
    ]


def test_the_shipped_file_shows_every_key():
    shown = set(re.findall(r"(\w+) = ", SHIPPED.read_text())) | set(
        re.findall(r"\[(\w+)", SHIPPED.read_text())
    )
    keys = {name for _, name in fields_below(AlertsConfig)}
    assert keys <= shown


def test_the_shipped_rules_lead_to_headings_of_the_runbook():
    headings = re.findall(r"(?m)^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text())
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    alerts = examine({"alerts": Text(SHIPPED, SHIPPED.read_bytes())}).models["alerts"]
    assert {rule.runbook for rule in alerts.rules.values()} <= anchors
