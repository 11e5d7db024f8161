"""Two configurations side by side: pools by name and address, never by their place in the file."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
from installation import JITCTL_TOML, POOLS_TOML, write_config

from jitctl.config.difference import values
from jitctl.config.load import load
from jitctl.control.redact import redact
from jitctl.maintenance.config_compare import Side, differences, side_of

SECOND = POOLS_TOML.replace("0.05%", "0.3%").replace("66" * 20, "77" * 20).replace("= 500", "= 3000")
SECOND = SECOND.replace("tick_spacing = 10", "tick_spacing = 60")
CANARY = "Canary0123456789abcdefCanary0123456789"


def side(folder: Path, **texts: str) -> Side:
    return side_of("a side", load(write_config(folder, **texts)))


def keys(before: Side, after: Side) -> list[tuple[str, str]]:
    return [(each.key, each.kind) for each in differences(before, after)]


def test_the_order_of_pools_is_no_difference_and_one_that_goes_is_one(tmp_path):
    both = side(tmp_path / "a", pools=POOLS_TOML + SECOND)
    turned = side(tmp_path / "b", pools=SECOND + POOLS_TOML)
    one = side(tmp_path / "c", pools=SECOND)
    assert keys(both, turned) == []
    assert keys(both, one) == [("pools[WETH/USDC-0.05%]", "removed")]
    assert keys(one, both) == [("pools[WETH/USDC-0.05%]", "added")]
    found = differences(one, both)[0]
    assert (found.before, found.after["fee_pips"], found.applied_by) == (None, 500, "reload-pools")


def test_a_key_that_is_set_or_taken_away_is_added_or_removed(tmp_path):
    off = POOLS_TOML.replace("tick_spacing", 'enabled = false\ndisabled_because = "thin"\ntick_spacing')
    plain, disabled = side(tmp_path / "a"), side(tmp_path / "b", pools=off)
    entry = "pools[WETH/USDC-0.05%]"
    assert keys(plain, disabled) == [(f"{entry}.enabled", "changed"), (f"{entry}.disabled_because", "added")]
    assert keys(disabled, plain)[1] == (f"{entry}.disabled_because", "removed")


def test_another_name_for_the_same_address_is_one_change(tmp_path):
    before = side(tmp_path / "a", pools=POOLS_TOML + SECOND)
    renamed = POOLS_TOML.replace("0.05%", "five").replace("tick_spacing", "enabled = false\ntick_spacing")
    after = side(tmp_path / "b", pools=SECOND + renamed)
    entry = "pools[WETH/USDC-0.05%]"
    assert keys(before, after) == [(f"{entry}.name", "changed"), (f"{entry}.enabled", "changed")]


def test_a_table_that_begins_or_ends_is_its_entries(tmp_path):
    before = side(tmp_path / "a")
    relay = (
        '[[relays]]\nname = "r"\nurl = "http://r"\nidentity_keystore = "k"\nidentity_passphrase_file = "p"\n'
    )
    after = side(tmp_path / "b", jitctl=JITCTL_TOML + relay)
    assert keys(before, after) == [("relays[r]", "added")]
    assert differences(before, after)[0].after["identity_passphrase_file"] == "p"
    assert keys(after, before) == [("relays[r]", "removed")]


def test_secrets_are_hidden_after_they_were_compared(tmp_path):
    url = "http://127.0.0.1:1"
    before = side(tmp_path / "a", jitctl=JITCTL_TOML.replace(url, f"{url}/v3/{CANARY}"))
    after = side(tmp_path / "b", jitctl=JITCTL_TOML.replace(url, f"{url}/v3/{CANARY[::-1]}"))
    assert keys(before, after) == [("nodes[door].http_url", "changed")]
    assert CANARY not in str(differences(before, after))


def test_what_was_hidden_before_we_had_it_is_compared_hidden(tmp_path):
    config = load(write_config(tmp_path / "a"))
    told = Side("told", config.hash, {stem: redact(each) for stem, each in values(config).items()}, 1, True)
    assert keys(told, side(tmp_path / "b")) == []
    other = side(tmp_path / "c", jitctl=JITCTL_TOML.replace("31337", "31338"))
    assert keys(told, other) == [("chain.chain_id", "changed")]
