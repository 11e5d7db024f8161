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
    # JC5xx: what the chain says, under --online.
    Rule(
        "JC501", ERROR, "A pool and its tokens are what the chain says.",
        "A wrong address, fee or number of decimals makes every size and price wrong.",
        "take the pool's address, tokens, fee, spacing and decimals from the chain",
    ),
    Rule(
        "JC502", ERROR, "Every token of a watched pool has a fresh price on the chain.",
        "A swap whose tokens cannot be valued is left alone.",
        "correct the feed in [prices], or choose another",
    ),
    Rule(
        "JC503", ERROR, "The nodes are on the configured chain.",
        "A node of another chain answers every question with something else.",
        "correct [chain] chain_id, or the node's URL",
    ),
    Rule(
        "JC504", ERROR, "The executor's code is this version's, for our WETH.",
        "Capital and keys are trusted to whatever has its code at that address.",
        "correct [executor] address, or deploy the executor",
    ),
)  # fmt: skip
BY_ID = {rule.id: rule for rule in RULES}
