"""Every rule of the configuration: its stable id, what it asks, why, and what to do about it.

docs/config-rules.md is made of this, and a problem can only carry an id that stands here.
"""

from __future__ import annotations

from typing import NamedTuple

ERROR, WARNING = "error", "warning"


class Rule(NamedTuple):
    """`title` is the rule in one sentence, `why` what it keeps from happening, `remedy` what to do."""

    id: str
    severity: str
    title: str
    why: str
    remedy: str


RULES = (
    # JC0xx: the file as a whole.
    Rule("JC001", ERROR, "A file that the bot needs is there.", "", "write it: `config/` holds defaults"),
    Rule("JC002", ERROR, "The file is TOML, or JSON.", "", "mend what the parser names"),
    Rule("JC003", ERROR, "The file can be read, as UTF-8.", "", "mind its permissions and encoding"),
    Rule("JC004", ERROR, "A key of a JSON object is given once.", "", "remove one of the two"),
    Rule("JC005", ERROR, "It can be told which file this is.", "", "name it after one of ours"),
    Rule("JC006", ERROR, "A file that announces its last line ends with it.", "", ""),
    Rule("JC007", ERROR, "The last line of a TOML file is ended.", "", ""),
    # JC1xx: one key by itself.
    Rule("JC101", ERROR, "Only known keys.", "", "remove it, or mend its spelling"),
    Rule("JC102", ERROR, "A required key is given.", "", ""),
    Rule("JC103", ERROR, "A value is of its key's type.", "", ""),
    Rule("JC104", ERROR, "A value lies within its key's bounds.", "", ""),
    Rule("JC111", ERROR, "An amount is an integer of base units, or text with a unit.", "", ""),
    Rule("JC112", ERROR, "An amount is not finer than one wei.", "", ""),
    Rule("JC113", ERROR, "An address is 0x and 40 hex digits.", "", ""),
    Rule("JC114", ERROR, "An address is not the zero address.", "", ""),
    Rule("JC115", ERROR, "A URL is one, of the right scheme.", "", ""),
    Rule("JC116", ERROR, "A path is not empty.", "", ""),
    Rule("JC121", ERROR, "Exactly one of a URL and its file is given.", "", ""),
    Rule("JC122", ERROR, "The least share of the bid is not above the largest.", "", ""),
    Rule("JC123", ERROR, "A silent engine is given a second at least.", "", ""),
    Rule("JC124", ERROR, "The systemd unit has the name of a service.", "", ""),
    # JC2xx: keys, and files, together.
    Rule("JC201", ERROR, "Exactly one side of a pool is WETH.", "", ""),
    Rule("JC202", ERROR, "All pools mean the same WETH.", "", ""),
    Rule("JC203", ERROR, "On Ethereum WETH is the known contract.", "", ""),
    Rule("JC204", ERROR, "token0 sorts below token1.", "", ""),
    Rule("JC205", ERROR, "The tick spacing is the fee's own.", "", ""),
    Rule("JC206", ERROR, "Pool names and addresses are used once.", "", ""),
    Rule("JC207", ERROR, "A symbol means one token.", "", ""),
    Rule("JC208", ERROR, "Limits name tokens of configured pools.", "", ""),
    Rule("JC209", ERROR, "Every token can be priced.", "", ""),
    Rule("JC210", ERROR, "Keystores and the names of nodes and relays are used once.", "", ""),
    # JC3xx: secrets.
    Rule("JC301", ERROR, "No private key in a file.", "", "name the keystore that holds it"),
    Rule("JC302", ERROR, "No password in a URL.", "", "put the URL into a file of its own (`*_file`)"),
    # JC4xx: alerts.
    Rule(
        "JC401", ERROR, "A contact can be reached in at least one way.",
        "a contact without a phone, an address or a handle ends an escalation in silence",
        "give at least one of `phone`, `email`, `slack` and `pagerduty`",
    ),
    Rule(
        "JC402", ERROR, "A phone number and an e-mail address have the form of one.",
        "a slip is found out on the night when nobody is reached",
        "write a number with its country code (`+1-555-0001`), an address as `name@host`",
    ),
    Rule(
        "JC403", ERROR, "Every level that a rule uses is described.",
        "an alert of it would have no response time and nowhere to go",
        "add its table under `[levels]`, or give the rule another level",
    ),
    Rule(
        "JC404", ERROR, "Every level that a rule uses tells somebody, once a contact or a route is named.",
        "its alerts would be raised and seen by nobody",
        "add `routes`, or `escalate`, to the level",
    ),
    Rule(
        "JC405", ERROR, "For P0 there are a route and somebody to call.",
        "a system that is down at night wakes nobody by ticket or mail",
        "give `[levels.P0]` a route, and in `escalate` a contact with `phone` or `pagerduty`",
    ),
    Rule(
        "JC406", ERROR, "Every route that a level uses exists.",
        "the level's alerts would not leave the machine",
        "add the route under `[routes]`, or mend its name",
    ),
    Rule(
        "JC407", ERROR, "Every contact that a level escalates to exists.",
        "the escalation would end there",
        "add the contact under `[contacts]`, or mend the name",
    ),
    Rule(
        "JC408", ERROR, "A level names a route, or a contact, once.",
        "the same person would be told twice in place of the next one",
        "remove the second",
    ),
    Rule(
        "JC409", WARNING, "Every route is used by a level.",
        "a route that nothing uses is most often a level that was forgotten",
        "name it in the `routes` of a level, or remove it",
    ),
    Rule(
        "JC410", ERROR, "A less severe level has a longer response time.",
        "else the order of the levels says nothing about what comes first",
        "let `respond_within_s` grow from P0 to P3",
    ),
    Rule(
        "JC411", ERROR, "A rule's metric is one that the bot knows.",
        "a rule of an unknown metric never fires",
        "take one of the metrics that docs/runbook.md lists",
    ),
    Rule(
        "JC412", ERROR, "A rule says in its metric's own way when it fires.",
        "a rule without a level never fires, and one the wrong way round always does",
        "give `level` for what is or is not so; `above` or `below`, whichever is worse, for a figure",
    ),
    Rule(
        "JC413", ERROR, "A more severe level has the more severe threshold.",
        "thresholds out of order page for little and file a ticket for much",
        "let `below` grow from P0 to P3, and `above` fall",
    ),
    Rule(
        "JC414", ERROR, "A threshold can be passed within its metric's range.",
        "20 where 0.20 is meant fires always, or never",
        "mind the metric's unit: a rate is a share from 0 to 1",
    ),
    Rule(
        "JC415", ERROR, "A route's secrets stay in files of their own.",
        "the configuration is shown, compared and backed up; a key in it is a key in all of these",
        "put the value into a file of mode 0600 and name that file",
    ),
    Rule(
        "JC416", ERROR, "Alerts leave this machine encrypted.",
        "what is wrong with the bot, and the key of the route, could be read or changed on the way",
        "use https, and `tls` other than \"none\"; only a loopback address may do without",
    ),
    Rule(
        "JC417", ERROR, "A mail server's user and password are given together.",
        "the server would refuse the login, and the mail",
        "give both `user` and `password_file`, or neither",
    ),
    Rule(
        "JC418", WARNING, "What the rules find is told to somebody.",
        "without a contact and a route every alert stays on this machine",
        "fill in `[contacts]`, `[routes]`, and both in `[levels]`",
    ),
    Rule(
        "JC419", WARNING, "A rule about attempts wants a number of them.",
        "a single attempt in a quiet hour would be all or nothing, and page somebody",
        "set `min_attempts`",
    ),
)  # fmt: skip
BY_ID = {rule.id: rule for rule in RULES}
