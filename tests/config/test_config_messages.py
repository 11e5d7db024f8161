"""How what is wrong is said: all of it, in the words of the house, and never a secret."""

from __future__ import annotations

import json
import sys
import time
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rule_case import ETHEREUM, PLAIN

from jitctl.config.checksums import checksummed, pool_address
from jitctl.config.load import examine
from jitctl.config.position import locate_json
from jitctl.config.source import Text

KEY = "c0ffee" + "ab" * 29
PAIR = checksummed("0x" + "ab" * 20)
ODD = (1.5, "text", True, [], {}, None, -1, 10**80, "x" * 500, [1], {"a": 1}, "0x12", KEY, "é")


def found_in(**texts: str):
    return examine({stem: Text(Path(f"{stem}.toml"), text.encode()) for stem, text in texts.items()}).problems


def said(**texts: str) -> list[str]:
    return [str(problem) for problem in found_in(**texts)]


def test_a_bad_pool_hides_nothing_of_the_others() -> None:
    text = ETHEREUM["pools.toml"]
    # The first pool has not the right shape, the third breaks a rule across files, the second one within.
    text = text.replace("fee_pips = 500 ", 'fee_pips = "500" ', 1)
    text = text.replace("0x4e68Ccd3E89f51C3074ca5072bbAC773960dFa36", checksummed("0x" + "ab" * 20))
    text = text.replace("tick_spacing = 60", "tick_spacing = 10", 1)
    found = {(problem.rule, problem.key) for problem in found_in(pools=text)}
    assert found == {
        ("JC103", "pools[0].fee_pips"), ("JC205", "pools[1].tick_spacing"), ("JC211", "pools[2].address"),
    }  # fmt: skip
    lines = text.splitlines()
    for problem in found_in(pools=text):
        assert problem.key.rpartition(".")[2] in lines[problem.line - 1]


def test_a_slip_in_a_table_hides_nothing_beside_it() -> None:
    main = ETHEREUM["jitctl.toml"].replace("settle_depth", "setle_depth").replace("max_age_s", "max_age")
    assert "setle_depth" in main and "max_age " in main
    strategy = ETHEREUM["strategy.toml"].replace("size_share_bps", "size_share").replace("0.001 ether", "0")
    pools = ETHEREUM["pools.toml"].replace("0x4e68Ccd3E89f51C3074ca5072bbAC773960dFa36", PAIR)
    found = {
        (problem.rule, problem.key)
        for problem in found_in(jitctl=main, pools=pools, strategy=strategy.replace("USDC =", "USCD ="))
    }
    assert found == {
        ("JC101", "chain.setle_depth"), ("JC101", "prices.max_age"), ("JC211", "pools[2].address"),
        ("JC101", "limits.size_share"), ("JC230", "limits.min_profit_wei"),
        ("JC208", "limits.max_per_token.USCD"),
    }  # fmt: skip


def test_a_slip_in_one_rule_hides_no_other_and_concludes_nothing_from_a_lost_one() -> None:
    text = (
        '[contacts]\na = "555"\nb = { fone = "+1-555-0001" }\n'
        '[routes.x]\nkind = "slack"\nurl_file = "https://hooks.slack.com/a"\n[routes.y]\nkind = "email"\n'
        '[levels.P0]\nrespond_within = 5\nroutes = ["x", "y"]\nescalate = ["b"]\n'
        '[rules.r]\nmetric = "crashes"\nabove = { P0 = 1, P1 = 2 }\n[rules.s]\nmetric = "crashes"\nx = 1\n'
    )
    found = {(problem.rule, problem.key) for problem in found_in(alerts=text)}
    assert found == {
        ("JC402", "contacts.a.phone"), ("JC101", "contacts.b.fone"), ("JC415", "routes.x.url_file"),
        ("JC102", "routes.y.host"), ("JC102", "routes.y.sender"), ("JC102", "routes.y.to"),
        ("JC101", "levels.P0.respond_within"), ("JC102", "levels.P0.respond_within_s"),
        ("JC413", "rules.r.above.P1"), ("JC101", "rules.s.x"),
    }  # fmt: skip


def test_the_place_counts_all_elements_also_inside_a_table() -> None:
    operators = [
        '{ keystore = "", passphrase_file = "a" }',
        *['{ keystore = "k", passphrase_file = "a" }'] * 2,
    ]
    main = PLAIN["jitctl.toml"].split("[[wallet.operators]]")[0]
    main = f"wallet.operators = [\n{','.join(operators)}\n]\n" + main
    found = [problem.key for problem in found_in(jitctl=main) if problem.rule == "JC210"]
    assert found == ["wallet.operators[1].keystore", "wallet.operators[2].keystore"]


def test_a_part_that_is_wrong_hides_only_what_needs_it() -> None:
    main = PLAIN["jitctl.toml"].replace("port = 0", "port = -1").replace('name = "door"', 'name = ""')
    main += "\n[prices]\nmax_age_s = 1\n"
    found = {problem.rule for problem in found_in(jitctl=main)}
    assert found == {"JC104", "JC225"}
    # What a broken list does not say is not concluded from.
    pools = PLAIN["pools.toml"].replace("fee_pips = 500", "fee_pips = 0")
    limits = PLAIN["strategy.toml"] + "[limits.max_per_token]\nUSDC = 1\n"
    assert {
        problem.rule for problem in found_in(pools=pools, strategy=limits, jitctl=PLAIN["jitctl.toml"])
    } == {"JC104"}


@pytest.mark.parametrize(
    ("stem", "old", "new", "message"),
    [
        ("jitctl", "port = 0", 'port = "80"', "expected a whole number; found '80'"),
        (
            "jitctl",
            "chain_id = 31337",
            "chain_id = 1\nslot_seconds = 0",
            "expected more than 0.0 (seconds); found 0",
        ),
        ("jitctl", "port = 0", "port = 0\nhost = '127.0.0.2'", 'expected "127.0.0.1" or "::1"; found'),
        ("jitctl", "port = 0", "port = 0\ntoken_role = 'amin'", "did you mean 'admin'?"),
        (
            "pools",
            "fee_pips = 500",
            "fee_pips = 5.5",
            "expected a whole number (hundredths of a basis point)",
        ),
        (
            "pools",
            'symbol = "WETH"',
            'symbol = "W\u0415TH"',
            "character 2 is U+0415 (CYRILLIC CAPITAL LETTER IE)",
        ),
        ("pools", "fee_pips = 500", "fee_pip = 500", "unknown key (did you mean 'fee_pips'?)"),
        ("jitctl", "0x" + "33" * 20, "0x" + "33" * 19 + "3o", "character 42 is no hex digit"),
    ],
)
def test_what_would_be_right_is_said(stem, old, new, message) -> None:
    text = PLAIN[f"{stem}.toml"]
    assert old in text
    assert message in "\n".join(said(**{stem: text.replace(old, new, 1)}))


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[limits]\nmax_share_bps = 1\n", (2, 1), "unknown key (it is a key of [bid])"),
        ("[limits]\na = 1\n  a = 2\n", (3, 3), "the key 'a' is given before in its table (remove one"),
        ("[bid]\n[limits]\n[bid]\n", (3, 1), "[bid] is there before (a list of tables has [[...]]"),
        ("[bid]\n[[bid]]\n", (2, 1), "[[bid]] is there before (above the others is [...])"),
        ("[limits]\na = yes\n", (2, 5), "there is no null"),
        ('[limits]\na = "x\n', (2, 7), "the quote that closes the text is missing"),
        ("<<<<<<< HEAD\n", (1, 1), "a line is a comment, a [table], or key = value"),
        ("[bid]\nmin_share_bps = 9\nmax_share_bps = 8\n", (2, 1), "min_share_bps (9) is larger"),
        ("[bid]\nmax_share_bps = 8\n", (2, 1), "min_share_bps (5000) is larger"),
    ],
)
def test_slips_of_a_hurried_hand_are_named_where_they_are(text, place, message) -> None:
    found = found_in(strategy=text)
    assert any((each.line, each.column) == place and message in str(each) for each in found), found


def test_no_word_of_the_validator_and_no_secret_comes_out() -> None:
    for name, text in PLAIN.items():
        stem = name.split(".")[0]
        for path in paths(tomllib.loads(text)):
            for odd in ODD:
                data = tomllib.loads(text)
                inner = data
                for part in path[:-1]:
                    inner = inner[part]
                inner[path[-1]] = odd
                found = examine({stem: Text(Path(f"{stem}.json"), json.dumps(data).encode())}).problems
                for problem in found:
                    shown = str(problem)
                    for phrase in (
                        "Input should",
                        "Value error",
                        "valid string",
                        "Field required",
                        "Extra inputs",
                    ):
                        assert phrase not in shown
                    assert KEY not in shown and len(problem.message) < 300
                if odd == KEY:
                    assert "JC301" in {problem.rule for problem in found}


@pytest.mark.parametrize(
    ("stem", "text"),
    [
        ("alerts", '[contacts]\nprimary = "{}"\n'),
        ("alerts", '[rules.a]\nmetric = "{}"\nrunbook = "#{}"\n'),
        ("alerts", '[levels.P1]\nrespond_within_s = 1\nroutes = ["{}"]\nescalate = ["{}"]\n'),
        ("alerts", '[contacts."{}"]\n'),
        ("strategy", '"{}" = 1\n'),
        ("strategy", 'limits."{}" = 1\n'),
        ("strategy", '["{}"]\n["{}"]\n'),
        ("strategy", 'a = {{ "{}" = 1, "{}" = 2 }}\n'),
        ("strategy", 'a = "{}"\na = "{}"\n'),
        ("jitctl", 'nodes = [{{ name = "{}" }}, {{ name = "{}" }}]\n'),
    ],
)
@pytest.mark.parametrize(
    "secret", [KEY, "0x" + KEY[:-1], KEY.upper(), " ".join(["abandon"] * 11 + ["about"])]
)
def test_a_secret_in_any_place_is_not_said(stem, text, secret) -> None:
    found = said(**{stem: text.format(secret, secret)})
    assert found
    assert secret[2:50].lower() not in "\n".join(found).lower()


WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"


@pytest.mark.parametrize("between", [" ", ", ", "\n", "\t"])
def test_a_mnemonic_is_not_shown_however_its_words_are_parted(between) -> None:
    mnemonic = json.dumps(WORDS.replace(" ", between))
    found = said(jitctl=f"[wallet]\npassphrase_file = 1\noperators = {mnemonic}\n")
    found += said(alerts=f"[contacts.a]\nphone = {mnemonic}\nemail = {mnemonic}\n")
    assert found
    assert "winner" not in "\n".join(found)


@pytest.mark.parametrize("unit", ["1_", "1__", "abc ", "1"])
def test_a_long_text_is_looked_through_once_for_secrets(unit) -> None:
    text = unit * 100_000
    began = time.process_time()
    said(alerts=f'[contacts.a]\nphone = "{text}"\nnobody = "{text}"\n"{text}" = 1\n')
    # Looking anew from each character would take many minutes: the bound is far from both.
    assert time.process_time() - began < 10


def test_a_private_key_that_is_a_key_of_a_table_is_one() -> None:
    assert "JC301" in {problem.rule for problem in found_in(alerts=f'[contacts]\n"{KEY}" = "+1-555-0001"\n')}


def paths(value, prefix=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*prefix, key)
        yield from paths(item, (*prefix, key))


def test_the_checksum_and_the_pool_address_are_the_known_ones() -> None:
    for right in (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ):  # fmt: skip
        assert checksummed(right.lower()) == right
    assert (
        pool_address(
            "0x1f98431c8ad98523631ae4a59f267346ea31f984",
            "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
            "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
            500,
            "0xe34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54",
        )
        == "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
    )


def test_a_place_is_found_without_counting_from_the_beginning() -> None:
    text = json.dumps({"a": [{"b": index} for index in range(20_000)]}, indent=1)
    positions = locate_json(text)
    began = time.process_time()
    lines = [positions.of(("a", index, "b")).line for index in range(20_000)]
    # Counting newlines anew for each would take minutes: the bound is far from both.
    assert time.process_time() - began < 10
    assert lines == [3 * index + 4 for index in range(20_000)]
