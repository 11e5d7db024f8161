"""Every rule of the configuration: its stable id, what it asks, why, and what to do about it.

docs/config-rules.md is made of this (`python -m jitctl.config.rules_page > docs/config-rules.md` renews it),
and a problem can only carry an id that stands here.
"""

from __future__ import annotations

from typing import NamedTuple

ERROR, WARNING = "error", "warning"


class Rule(NamedTuple):
    """`title` is the rule in one sentence, `why` what it keeps from happening, `remedy` what to do.

    `wrong` and `right` are lines as they stand in a file, empty where none would help.
    """

    id: str
    severity: str
    title: str
    why: str
    remedy: str
    wrong: str = ""
    right: str = ""


FILE = (
    Rule("JC001", ERROR, "A file that the bot needs is there.",
         "jitctl, pools and strategy have no defaults for what only the operator knows.",
         "Write it; `config/` holds commented defaults. Either `.toml` or `.json` will do."),
    Rule("JC002", ERROR, "The file is TOML, or JSON.",
         "A file that its parser does not take says nothing that could be relied on.",
         "Mend what the parser names; NaN and Infinity are no JSON.",
         'name = "a', 'name = "a"'),
    Rule("JC003", ERROR, "The file can be read, as UTF-8.",
         "Bytes that are no text, a byte order mark or half a character would be guessed at.",
         "Mind its permissions; save it as UTF-8 without a byte order mark."),
    Rule("JC004", ERROR, "A key of a JSON object is given once.",
         "JSON parsers keep the last of two and say nothing, so an edit of the first would do nothing.",
         "Remove one of the two.",
         '"fee_pips": 500, "fee_pips": 3000', '"fee_pips": 3000'),
    Rule("JC005", ERROR, "It can be told which file this is.",
         "The same text would mean something else in another file.",
         "Name it after one of jitctl, pools, strategy, alerts."),
    Rule("JC006", ERROR, "A file that announces its last line ends with it.",
         "A copy that was interrupted, or a full disk, leaves a file that parses and lacks its end.",
         "Write the whole file again; new keys go above the last line. A first line that is a comment with "
         'the words `ends with "# end of file"` announces it.'),
    Rule("JC007", ERROR, "The last line of a TOML file is ended.",
         "`decimals = 18` that is cut off after the 1 is valid and wrong.",
         "Write the whole file again, or end its last line."),
    Rule("JC008", ERROR, "A file that is there says something.",
         "An empty file is what a failed write leaves; its defaults were not asked for.",
         "Write it again, or remove it where it is optional."),
)  # fmt: skip

ONE_KEY = (
    Rule("JC101", ERROR, "Only known keys.",
         "A misspelt limit would silently not limit.",
         "Mend its spelling, or remove it.",
         "fee_pipps = 500", "fee_pips = 500"),
    Rule("JC102", ERROR, "A required key is given.",
         "It has no safe default.", "Give it; `config/` shows each with its unit."),
    Rule("JC103", ERROR, "A value is of its key's type.",
         "A value that must be converted may be another than was meant.",
         "Write a number without quotes, a text in quotes, true or false in small letters, a choice as one "
         "of the words in the message.",
         'enabled = "yes"', "enabled = true"),
    Rule("JC104", ERROR, "A value lies within its key's bounds.",
         "Beyond them it is a typo, or a wrong unit.", "Mind the unit at the end of the key's name.",
         "port = 99999", "port = 9090"),
    Rule("JC111", ERROR, "An amount is an integer of base units, or text with a unit.",
         "A float cannot hold an amount of money exactly.",
         'Write an integer, its digits in quotes, or (for wei) "0.002 ether" or "30 gwei".',
         "min_profit_wei = 0.001", 'min_profit_wei = "0.001 ether"'),
    Rule("JC112", ERROR, "An amount is not finer than one wei.",
         "There is nothing finer; the rest would be dropped.", "Round it."),
    Rule("JC113", ERROR, "An address is 0x and 40 hex digits.",
         "Anything else is no address.", "Copy it again, all of it."),
    Rule("JC114", ERROR, "An address is not the zero address.",
         "It stands in the defaults so that nothing starts by accident.", "Put the real address there."),
    Rule("JC115", ERROR, "A URL is one, of the right scheme.",
         "Nothing could be reached.",
         "http:// or https:// for calls, ws:// or wss:// for streams, and a host."),
    Rule("JC116", ERROR, "A path is not empty and has nothing invisible.",
         "A path with a zero-width character looks right and names another file.",
         "Type it again."),
    Rule("JC117", ERROR, "The checksum of an address holds (EIP-55).",
         "Large and small letters of an address are its checksum: one mistyped digit sends money elsewhere.",
         "Compare every digit with the address's source; the hint shows the form for the digits as given.",
         'address = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756CC2"',
         'address = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"'),
    Rule("JC118", WARNING, "An address is written with its checksum.",
         "In one case only, a typo in it cannot be found.",
         "Compare it once, then write it as the hint shows.",
         'address = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"',
         'address = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"'),
    Rule("JC119", ERROR, "Names and symbols are printable ASCII.",
         "They are typed, searched for and used as labels; WETH with a Cyrillic letter only looks like WETH.",
         "Type it again; no blank at the beginning or the end."),
    Rule("JC121", ERROR, "Exactly one of a URL and its file is given.",
         "With two it would not be clear which is used.", "Remove one, or give one."),
    Rule("JC122", ERROR, "The least share of the bid is not above the largest.",
         "No bid could be made.", "Exchange or mend bid.min_share_bps and bid.max_share_bps."),
    Rule("JC123", ERROR, "A silent engine is given a second at least.",
         "Its queue is asked once a second; less would end one that works.",
         "0 (never), or at least 1 (seconds)."),
    Rule("JC124", ERROR, "The systemd unit has the name of a service.",
         "It is given to systemctl.", 'Write a name such as "jitctl.service", or leave it empty.'),
    Rule("JC125", ERROR, "A hash is 0x and 64 hex digits.",
         "Anything else is no hash.", "Copy it again, all of it."),
    Rule("JC126", ERROR, "A relay has an identity key.",
         "Relays take signed requests only; without a key every bundle is refused.",
         "Give identity_keystore and identity_passphrase_file; the key holds no funds."),
)  # fmt: skip

TOGETHER = (
    Rule("JC201", ERROR, "Exactly one side of a pool is WETH.",
         "Profit, gas and bids are counted in ETH.", 'Give one side the symbol "WETH", or remove the pool.'),
    Rule("JC202", ERROR, "All pools mean the same WETH.",
         "Capital in another token of that name could not be used.", "Compare the addresses."),
    Rule("JC203", ERROR, "On Ethereum WETH is the known contract.",
         "Anyone can name a token WETH.", "Write 0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2."),
    Rule("JC204", ERROR, "token0 sorts below token1.",
         "The pool contract has them in this order; amounts and prices would be exchanged.",
         "Exchange the two tables."),
    Rule("JC205", ERROR, "The tick spacing is the fee's own.",
         "Positions at other ticks cannot be minted.",
         "100 pips: 1; 500: 10; 3000: 60; 10000: 200.", "fee_pips = 500, tick_spacing = 60",
         "fee_pips = 500, tick_spacing = 10"),
    Rule("JC206", ERROR, "Pool names and addresses are used once.",
         "A command that names a pool must mean one; names that only case or blanks tell apart are confused.",
         "Rename or remove one."),
    Rule("JC207", ERROR, "A symbol means one token, with one count of decimals.",
         "Limits and prices go by symbol; wrong decimals move an amount by powers of ten.",
         "Compare addresses and decimals with the token contract."),
    Rule("JC208", ERROR, "Limits name tokens of configured pools.",
         "A misspelt symbol would not limit anything.", "Mend the symbol, or remove the limit."),
    Rule("JC209", ERROR, "Every token can be priced.",
         "A position in a token without a mark cannot be valued.", "Add its USD feed to prices.feeds."),
    Rule("JC210", ERROR, "Keystores and the names of nodes and relays are used once.",
         "Two lanes with one key would take each other's nonces; logs must say which node it was.",
         "Rename or remove one."),
    Rule("JC211", ERROR, "A pool's address follows from factory, tokens and fee (CREATE2).",
         "Another address is another pool, or no pool of Uniswap's at all.",
         "Compare tokens and fee; then write the address of the message. On other chains than Ethereum the "
         "rule holds once `[uniswap] factory` is given."),
    Rule("JC212", ERROR, "Tokens and fee are those of one pool only.",
         "A factory makes one pool of them, so one of the two is wrong.", "Remove one, or mend its fee."),
    Rule("JC214", ERROR, "A token address has one symbol.",
         "Limits and prices go by symbol: the same token would be limited twice.", "Use one symbol."),
    Rule("JC215", ERROR, "On Ethereum a fee is one of 100, 500, 3000 and 10000 pips.",
         "The factory has no other, so there is no such pool.", "Look the pool's fee up.",
         "fee_pips = 300", "fee_pips = 3000"),
    Rule("JC220", ERROR, "The least profit is below the largest mint.",
         "Nothing could ever be traded.", "Lower limits.min_profit_wei: mind the unit."),
    Rule("JC221", WARNING, "A pool's own limit is not above the limit for all.",
         "It never binds, so it does not do what it seems to.",
         "Lower it to limits.max_notional_wei, or remove it."),
    Rule("JC222", WARNING, "What is enabled may be traded.",
         "A limit of 0 keeps every mint from being made.", "Raise it, or disable the pools."),
    Rule("JC223", ERROR, "Something is bid.",
         "A builder who gets nothing includes nothing.",
         "Raise bid.max_share_bps or bid.max_tip_share_bps above 0."),
    Rule("JC224", ERROR, "The deadline's margin is less than a slot.",
         "The plan would be for another block than the next.", "Lower margins.deadline_margin_s."),
    Rule("JC225", ERROR, "A mark may be as old as a slot.",
         "No mark would ever be fresh enough, so nothing would be traded.", "Raise prices.max_age_s."),
    Rule("JC226", WARNING, "Simulating and submitting fit into a slot.",
         "A bundle that waits for both would come too late.",
         "Lower engine.simulate_timeout_ms or engine.submit_timeout_ms."),
    Rule("JC227", WARNING, "A relay's timeout is not above the engine's.",
         "The engine stops waiting earlier, so the relay's own timeout never counts.",
         "Lower relays.timeout_ms to engine.submit_timeout_ms."),
    Rule("JC229", WARNING, "A pool is enabled.",
         "With every pool disabled nothing is traded.", "Enable one."),
    Rule("JC230", WARNING, "The least profit pays for the gas of both legs.",
         "A leg that lands alone would cost more than an attempt earns.",
         "Raise limits.min_profit_wei; gas.floor_gas_price_wei is the price that is counted with."),
    Rule("JC231", WARNING, "A price feed is for a token of a pool.",
         "A misspelt symbol is never read.", "Mend the symbol, or remove the feed."),
    Rule("JC233", WARNING, "A role for the token of the TCP door needs its token file.",
         "Without http.token_file nobody has the role.", "Give http.token_file, or remove http.token_role."),
    Rule("JC234", ERROR, "A router is listed once.",
         "Its kind says how its calls are read: one of two is wrong.", "Remove one."),
)  # fmt: skip

SECRETS = (
    Rule("JC301", ERROR, "No private key in a file.",
         "Configurations are copied, shown and kept; whoever reads the key has the funds.",
         "Name the keystore that holds it, and move the funds: the key is no secret any more."),
    Rule("JC302", ERROR, "No password in a URL.",
         "Configurations are copied, shown and kept.", "Put the URL into a file of its own (`*_url_file`).",
         'http_url = "https://me:secret@node.example"', 'http_url_file = "keys/node.url"'),
    Rule("JC303", WARNING, "No API key in a URL.",
         "Configurations are copied, shown and kept; others could use up what the key allows.",
         "Put the URL into a file of its own (`*_url_file`).",
         'http_url = "https://eth.example/v2/0123456789abcdef0123"', 'http_url_file = "keys/node.url"'),
    Rule("JC304", ERROR, "Bundles leave for other networks encrypted.",
         "Whoever reads a bundle on the way can take its profit.", "Use https://.",
         'url = "http://relay.example"', 'url = "https://relay.example"'),
    Rule("JC305", WARNING, "A node on another network is asked encrypted.",
         "What it answers could be changed on the way.", "Use https:// and wss://, or a tunnel."),
)  # fmt: skip

ALERTS: tuple[Rule, ...] = ()
ONLINE: tuple[Rule, ...] = ()

GROUPS = (
    ("The file as a whole", FILE),
    ("One key by itself", ONE_KEY),
    ("Keys and files together", TOGETHER),
    ("Secrets", SECRETS),
    ("Alerts", ALERTS),
    ("Against the chain", ONLINE),
)
RULES = tuple(rule for _, group in GROUPS for rule in group)
BY_ID = {rule.id: rule for rule in RULES}
