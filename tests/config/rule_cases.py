"""Every rule broken once and nearly. A module `rule_cases_*.py` with CASES of its own adds to these."""

from __future__ import annotations

import json
import tomllib

from installation import POOLS_TOML, WETH
from rule_case import ETHEREUM, PLAIN, alone, changed

MAIN, POOLS, STRATEGY = "jitctl.toml", "pools.toml", "strategy.toml"
MARKED = '# ends with "# end of file"'
KEY = "ab" * 32
RELAY = """[[relays]]
name = "r"
url = "https://relay.example"
identity_keystore = "k"
identity_passphrase_file = "p"
"""
NODE = 'http_url = "http://127.0.0.1:1"'
JSON_POOLS = json.dumps(tomllib.loads(POOLS_TOML))
ROUTER = "0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af"
OPERATOR = '[[wallet.operators]]\nkeystore = "keys/op0.json"\npassphrase_file = "x"\n[executor]'
ROUTERS = f'[routers]\nv3 = ["0x{"11" * 20}"]\n'
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
NAME = 'name = "WETH/USDC-0.05%"'
PAIR = '{ symbol = "USDC", address = "0x' + "22" * 20 + '", decimals = 6 }'
SECOND = POOLS_TOML.replace("-0.05%", "-0.3%").replace("66" * 20, "67" * 20).replace("= 500", "= 3000")
SECOND = SECOND.replace("tick_spacing = 10", "tick_spacing = 60")
TWO = {**PLAIN, POOLS: POOLS_TOML + SECOND}


def before(table: str, text: str) -> tuple[str, str]:
    return table, f"{text}\n{table}"


FILE = (
    alone("JC002", POOLS, "pools = [[\n", POOLS_TOML, 2, 1),
    alone("JC002", "pools.json", '{"pools": NaN}', JSON_POOLS, 1, 11),
    alone("JC003", POOLS, b"x = '\xff'\n", POOLS_TOML, 1, 6),
    alone("JC003", POOLS, b"\xef\xbb\xbf" + POOLS_TOML.encode(), POOLS_TOML, 1, 1),
    alone("JC003", "pools.json", '{"a": "\\ud800"}', '{"a": "\\ud83d\\ude00"}', 1, 2, "a"),
    alone(
        "JC004", "pools.json", '{"a": {"b": 1,\n  "b": 2}}', '{"a": {"b": 1,\n  "c": {"b": 2}}}', 2, 3, "a.b"
    ),
    alone("JC006", STRATEGY, f"{MARKED}\n[limits]\n", f"{MARKED}\n[limits]\n# end of file\n", 2, 1),
    alone(
        "JC006", STRATEGY, f"#:schema x\n{MARKED}\n[limits]\n", f"{MARKED}\n[limits]\n# end of file\n\n", 3, 1
    ),
    alone(
        "JC009",
        STRATEGY,
        f"{MARKED}\n# end of file\n[limits]\n",
        f"{MARKED}\n[limits]\n# end of file\n",
        2,
        1,
    ),
    alone("JC007", STRATEGY, "[limits]\nmin_profit_wei = 1", "[limits]\nmin_profit_wei = 1\n", 2, 19),
    alone("JC008", STRATEGY, " \n\n", "[limits]\n", 1, 1),
    alone("JC008", STRATEGY, "", "# nothing\n", 1, 1),
)

ONE_KEY = (
    changed("JC101", POOLS, "fee_pips", "fee_pipps", "pools[0].fee_pipps"),
    changed("JC101", POOLS, '"USDC", address', '"USDC", adress', "pools[0].token1.adress", at="adress"),
    changed("JC102", POOLS, "fee_pips = 500\n", "", "pools[0].fee_pips", at="[[pools]]"),
    changed("JC103", MAIN, "chain_id = 31337", 'chain_id = "31337"', "chain.chain_id"),
    changed(
        "JC103",
        MAIN,
        *before("[prices.feeds]", '[prices]\nsource = "feed"\n'),
        "prices.source",
        at="source",
        right='[prices]\nsource = "feeds"\n[prices.feeds]',
    ),
    changed("JC104", MAIN, "port = 0", "port = 65536", "http.port", right="port = 65535"),
    changed("JC111", STRATEGY, '"0.001 ether"', "0.5", "limits.min_profit_wei", at="min_profit_wei"),
    changed(
        "JC112",
        STRATEGY,
        '"0.001 ether"',
        '"0.5 wei"',
        "limits.min_profit_wei",
        at="min_profit_wei",
        right='"0.5 gwei"',
    ),
    changed("JC113", MAIN, 'address = "0x33', 'address = "0x3', "executor.address"),
    changed("JC114", MAIN, f'address = "0x{"33" * 20}', f'address = "0x{"00" * 20}', "executor.address"),
    changed("JC115", MAIN, NODE, 'http_url = "ftp://x"', "nodes[0].http_url", right='http_url = "http://x"'),
    changed("JC116", MAIN, 'keystore = "keys/op0.json"', 'keystore = " "', "wallet.operators[0].keystore"),
    changed(
        "JC116",
        MAIN,
        'keystore = "keys/op0.json"',
        'keystore = "keys/\u200bop0.json"',
        "wallet.operators[0].keystore",
        right='keystore = "clés/op0.json"',
    ),
    changed(
        "JC116",
        MAIN,
        'keystore = "keys/op0.json"',
        'keystore = "~/keys/op0.json"',
        "wallet.operators[0].keystore",
        right='keystore = "/home/bot/keys~/op0.json"',
    ),
    changed(
        "JC117",
        POOLS,
        USDC,
        USDC[:-1] + "9",
        "pools[0].token0.address",
        at=f'address = "{USDC[:-1]}9',
        base=ETHEREUM,
    ),
    changed(
        "JC118",
        POOLS,
        USDC,
        USDC.lower(),
        "pools[0].token0.address",
        at=f'address = "{USDC.lower()}',
        base=ETHEREUM,
    ),
    changed("JC118", MAIN, ROUTER, ROUTER.lower(), "routers.universal[0]", at='"0x66a9893cc', base=ETHEREUM),
    changed("JC119", POOLS, 'symbol = "WETH"', 'symbol = "W\u0415TH"', "pools[0].token0.symbol"),
    changed("JC119", POOLS, NAME, 'name = "WETH/USDC "', "pools[0].name", right='name = "WETH USDC"'),
    changed(
        "JC121",
        MAIN,
        NODE,
        NODE + '\nhttp_url_file = "a"',
        "nodes[0]",
        at="[[nodes]]",
        right='http_url_file = "a"',
    ),
    changed(
        "JC122",
        STRATEGY,
        *before("[limits]", "[bid]\nmin_share_bps = 9\nmax_share_bps = 8"),
        "bid.min_share_bps",
        at="min_share_bps",
        right="[bid]\nmin_share_bps = 8\nmax_share_bps = 8\n[limits]",
    ),
    changed(
        "JC123",
        MAIN,
        *before("[chain]", "[engine]\nhung_after_s = 0.5"),
        "engine.hung_after_s",
        at="hung",
        right="[engine]\nhung_after_s = 1\n[chain]",
    ),
    changed(
        "JC124",
        MAIN,
        *before("[chain]", '[service]\nsystemd_unit = "x"'),
        "service.systemd_unit",
        at="systemd",
        right='[service]\nsystemd_unit = "x.service"\n[chain]',
    ),
    changed(
        "JC125",
        MAIN,
        *before("[chain]", '[uniswap]\npool_init_code_hash = "0xab"'),
        "uniswap.pool_init_code_hash",
        at="pool_init",
        right=f'[uniswap]\npool_init_code_hash = "0x{KEY}"\n[chain]',
    ),
    changed(
        "JC126",
        MAIN,
        "[chain]",
        RELAY.replace('identity_keystore = "k"\n', "") + "[chain]",
        "relays[0].identity_keystore",
        right=RELAY + "[chain]",
    ),
)

TOGETHER = (
    changed("JC201", POOLS, 'symbol = "WETH"', 'symbol = "W3TH"', "pools[0]", at="[[pools]]"),
    changed(
        "JC202",
        POOLS,
        SECOND,
        SECOND.replace(WETH, "0x" + "13" * 20),
        "pools[1].token0.address",
        at=f'address = "0x{"13" * 20}',
        base=TWO,
    ),
    changed("JC203", MAIN, "chain_id = 31337", "chain_id = 1", "pools[0].token0.address"),
    changed("JC204", POOLS, WETH, "0x" + "23" * 20, "pools[0].token0", at="token0", right="0x" + "21" * 20),
    changed("JC204", POOLS, "0x" + "22" * 20, WETH, "pools[0].token0", at="token0", right="0x" + "12" * 20),
    changed("JC205", POOLS, "tick_spacing = 10", "tick_spacing = 60", "pools[0].tick_spacing"),
    changed("JC206", POOLS, SECOND, SECOND.replace("-0.3%", "-0.05%"), "pools[0].name", at="name", base=TWO),
    changed(
        "JC206",
        POOLS,
        SECOND,
        SECOND.replace("WETH/USDC-0.3%", "weth / usdc-0.05%"),
        "pools[0].name",
        at="name",
        base=TWO,
    ),
    changed(
        "JC206",
        POOLS,
        SECOND,
        SECOND.replace("67" * 20, "66" * 20),
        "pools[0].address",
        at="address",
        base=TWO,
    ),
    changed(
        "JC207",
        POOLS,
        SECOND,
        SECOND.replace("= 6 }", "= 18 }"),
        "pools[1].token1.decimals",
        at="decimals = 18 }\nfee_pips = 3000",
        base=TWO,
    ),
    changed(
        "JC207",
        POOLS,
        SECOND,
        SECOND.replace("22" * 20, "24" * 20),
        "pools[1].token1.address",
        at=f'address = "0x{"24" * 20}',
        base=TWO,
    ),
    changed(
        "JC208",
        STRATEGY,
        "[limits]",
        "[limits.max_per_token]\nUSDX = 1\n[limits]",
        "limits.max_per_token.USDX",
        at="USDX",
        right="[limits.max_per_token]\nUSDC = 1\n[limits]",
    ),
    changed("JC209", MAIN, 'USDC = "0x', 'USDT = "0x', "prices.feeds", at="[prices.feeds]"),
    changed(
        "JC210",
        MAIN,
        "[executor]",
        OPERATOR,
        "wallet.operators[0].keystore",
        at="keystore",
        right=OPERATOR.replace("op0", "op1"),
    ),
    changed(
        "JC211",
        POOLS,
        "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640",
        "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8",
        "pools[0].address",
        at="address = ",
        base=ETHEREUM,
    ),
    changed(
        "JC211",
        MAIN,
        "[chain]",
        f'[uniswap]\nfactory = "0x{"77" * 20}"\n[chain]',
        "pools[0].address",
        right="[uniswap]\n[chain]",
    ),
    changed(
        "JC212",
        POOLS,
        SECOND,
        SECOND.replace("3000", "500").replace("= 60", "= 10"),
        "pools[0].fee_pips",
        at="fee_pips",
        base=TWO,
    ),
    changed(
        "JC214",
        POOLS,
        SECOND,
        SECOND.replace('USDC"', 'USDX"'),
        "pools[1].token1.symbol",
        at='symbol = "USDX"',
        base=TWO,
    ),
    changed("JC215", POOLS, "fee_pips = 3000", "fee_pips = 2500", "pools[1].fee_pips", base=ETHEREUM),
    changed(
        "JC220",
        STRATEGY,
        '"0.001 ether"',
        '"20 ether"',
        "limits.min_profit_wei",
        at="min_profit_wei",
        right='"19.9 ether"',
    ),
    changed(
        "JC221",
        POOLS,
        "tick_spacing = 10\n",
        'tick_spacing = 10\nmax_notional_wei = "20.1 ether"\n',
        "pools[0].max_notional_wei",
        at="max_notional_wei",
        right='tick_spacing = 10\nmax_notional_wei = "20 ether"\n',
    ),
    changed(
        "JC222",
        STRATEGY,
        "[limits]",
        "[limits.max_per_token]\nUSDC = 0\n[limits]",
        "limits.max_per_token.USDC",
        at="USDC",
        right="[limits.max_per_token]\nUSDC = 1\n[limits]",
    ),
    changed(
        "JC222",
        POOLS,
        "tick_spacing = 10\n",
        "tick_spacing = 10\nmax_notional_wei = 0\n",
        "pools[0].max_notional_wei",
        at="max_notional_wei",
        right="tick_spacing = 10\nmax_notional_wei = 0\nenabled = false\n",
    ),
    changed(
        "JC222",
        POOLS,
        "tick_spacing = 10\n",
        'tick_spacing = 10\nmax_notional_wei = "0.001 ether"\n',
        "pools[0].max_notional_wei",
        at="max_notional_wei",
        right='tick_spacing = 10\nmax_notional_wei = "0.0011 ether"\n',
    ),
    changed(
        "JC223",
        STRATEGY,
        "[limits]",
        "[bid]\nmax_tip_share_bps = 0\n[limits]",
        "bid.max_tip_share_bps",
        at="max_tip",
        right="[bid]\nmax_tip_share_bps = 1\n[limits]",
    ),
    changed(
        "JC223",
        STRATEGY,
        "[limits]",
        "[bid]\nmin_share_bps = 0\nmax_share_bps = 0\n[limits]",
        "bid.max_share_bps",
        at="max_share",
        right="[bid]\nmin_share_bps = 0\nmax_share_bps = 1\n[limits]",
    ),
    changed(
        "JC224",
        STRATEGY,
        "[limits]",
        "[margins]\ndeadline_margin_s = 12\n[limits]",
        "margins.deadline_margin_s",
        at="deadline",
        right="[margins]\ndeadline_margin_s = 11.9\n[limits]",
    ),
    changed(
        "JC225",
        MAIN,
        "[prices.feeds]",
        "[prices]\nmax_age_s = 11.9\n[prices.feeds]",
        "prices.max_age_s",
        at="max_age_s",
        right="[prices]\nmax_age_s = 12\n[prices.feeds]",
    ),
    changed(
        "JC226",
        MAIN,
        "[chain]",
        "[engine]\nsimulate_timeout_ms = 11500\n[chain]",
        "engine.simulate_timeout_ms",
        at="simulate",
        right="[engine]\nsimulate_timeout_ms = 11499\n[chain]",
    ),
    changed(
        "JC227",
        MAIN,
        "[chain]",
        RELAY + "timeout_ms = 501\n[chain]",
        "relays[0].timeout_ms",
        at="timeout_ms",
        right=RELAY + "timeout_ms = 500\n[chain]",
    ),
    changed(
        "JC229", POOLS, "tick_spacing = 10", "tick_spacing = 10\nenabled = false", "pools", at="[[pools]]"
    ),
    changed(
        "JC232",
        POOLS,
        "tick_spacing = 10",
        'tick_spacing = 10\ndisabled_because = "thin"',
        "pools[0].disabled_because",
        at="disabled_because",
        right='tick_spacing = 10\nenabled = false\ndisabled_because = "thin"',
    ),
    changed(
        "JC230",
        STRATEGY,
        '"0.001 ether"',
        '"0.0000415 ether"',
        "limits.min_profit_wei",
        at="min_profit",
        right='"0.0000416 ether"',
    ),
    changed(
        "JC231",
        MAIN,
        "[prices.feeds]",
        f'[prices.feeds]\nUSDX = "0x{"11" * 20}"',
        "prices.feeds.USDX",
        at="USDX",
    ),
    changed(
        "JC233",
        MAIN,
        "port = 0",
        'port = 0\ntoken_role = "admin"',
        "http.token_role",
        at="token_role",
        right='port = 0\ntoken_role = "admin"\ntoken_file = "t"',
    ),
    changed(
        "JC234",
        MAIN,
        "[chain]",
        ROUTERS + f'universal = [\n "0x{"12" * 20}",\n "0x{"11" * 20}"]\n[chain]',
        "routers.universal[1]",
        at=f'"0x{"11" * 20}"]\n[chain]',
        right=ROUTERS + "[chain]",
    ),
)

SECRETS = (
    changed(
        "JC301",
        MAIN,
        "[chain]",
        f'[socket]\nviewer_group = "0x{KEY}"\n[chain]',
        "socket.viewer_group",
        at="viewer_group",
        right=f'[uniswap]\npool_init_code_hash = "0x{KEY}"\n[chain]',
    ),
    changed(
        "JC301",
        MAIN,
        'keystore = "keys/op0.json"',
        f'keystore = "{KEY}"',
        "wallet.operators[0].keystore",
        right=f'keystore = "{KEY[:-1]}"',
    ),
    changed(
        "JC302",
        MAIN,
        NODE,
        'http_url = "https://me:secret@node"',
        "nodes[0].http_url",
        right='http_url = "https://node"',
    ),
    changed(
        "JC303",
        MAIN,
        NODE,
        'http_url = "https://eth.example/v2/0123456789abcdef0123"',
        "nodes[0].http_url",
        right='http_url = "https://eth.example/v2/mainnet"',
    ),
    changed(
        "JC303",
        MAIN,
        NODE,
        'http_url = "https://eth.example/?apikey=x"',
        "nodes[0].http_url",
        right='http_url = "https://eth.example/?chain=x"',
    ),
    changed(
        "JC304",
        MAIN,
        "[chain]",
        RELAY.replace("https:", "http:") + "[chain]",
        "relays[0].url",
        at="url",
        right=RELAY.replace("https://relay.example", "http://10.0.0.9") + "[chain]",
    ),
    changed(
        "JC305",
        MAIN,
        NODE,
        'http_url = "http://node.example"',
        "nodes[0].http_url",
        right='http_url = "http://node.internal"',
    ),
)

CASES = (*FILE, *ONE_KEY, *TOGETHER, *SECRETS)
