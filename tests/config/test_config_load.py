"""The whole configuration, as an operator writes it and gets it wrong."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
from installation import JITCTL_TOML, POOLS_TOML, STRATEGY_TOML, WETH, write_config

from jitctl.config.domain_types import pool_specs, routers, strategy_params
from jitctl.config.judge import judge
from jitctl.config.load import load
from jitctl.config.locate import find_config_dir, quick_folders
from jitctl.config.problems import ConfigInvalidError
from jitctl.errors import ConfigError
from jitctl.strategy.limits import StrategyParams
from tests.unprivileged import as_nobody

REPO = Path(__file__).parents[2]


def problems(folder, **texts):
    with pytest.raises(ConfigInvalidError) as caught:
        load(write_config(folder, **texts))
    return caught.value.problems


def places(found):
    return {(problem.rule, Path(problem.file).name, problem.line, problem.key) for problem in found}


def line_of(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_valid_configuration_becomes_domain_values(tmp_path):
    config = load(write_config(tmp_path))
    (pool,) = pool_specs(config)
    assert (pool.name, pool.weth.address, pool.quote_token.decimals) == ("WETH/USDC-0.05%", WETH, 6)
    params = strategy_params(config)
    assert (params.min_profit_wei, params.max_notional_wei) == (10**15, 20 * 10**18)
    assert routers(config).weth == WETH
    assert config.folders.data == tmp_path / "data"
    assert config.resolve("keys/op0.json") == tmp_path / "keys" / "op0.json"


def test_strategy_defaults_are_those_of_the_strategy(tmp_path):
    ours, theirs = strategy_params(load(write_config(tmp_path))), StrategyParams()
    set_by_us = {"min_profit_wei", "max_notional_wei", "max_mark_age_s", "slot_s", "max_per_token"}
    for field in fields(StrategyParams):
        if field.name not in set_by_us:
            assert getattr(ours, field.name) == getattr(theirs, field.name), field.name


def test_json_has_the_same_shape_and_the_same_hash(tmp_path):
    first = load(write_config(tmp_path / "toml"))
    folder = tmp_path / "json" / "config"
    folder.mkdir(parents=True)
    for stem, text in (("jitctl", JITCTL_TOML), ("pools", POOLS_TOML), ("strategy", STRATEGY_TOML)):
        (folder / f"{stem}.json").write_text(json.dumps(tomllib.loads(text)))
    assert load(folder).hash == first.hash


def test_hash_counts_values_and_not_comments(tmp_path):
    first = load(write_config(tmp_path)).hash
    assert load(write_config(tmp_path, strategy="# a comment\n" + STRATEGY_TOML)).hash == first
    assert load(write_config(tmp_path, strategy=STRATEGY_TOML.replace("20 ether", "21 ether"))).hash != first


def test_all_problems_of_all_files_at_once_with_their_places(tmp_path):
    main = JITCTL_TOML.replace("chain_id = 31337", 'chain_id = "x"').replace("port = 0", "port = 99999")
    pools = POOLS_TOML.replace("fee_pips = 500", "fee_pipps = 500")
    strategy = STRATEGY_TOML.replace('"0.001 ether"', "0.5")
    found = problems(tmp_path, jitctl=main, pools=pools, strategy=strategy)
    assert places(found) == {
        ("JC103", "jitctl.toml", line_of(main, "chain_id"), "chain.chain_id"),
        ("JC104", "jitctl.toml", line_of(main, "port"), "http.port"),
        ("JC101", "pools.toml", line_of(pools, "fee_pipps"), "pools[0].fee_pipps"),
        ("JC102", "pools.toml", line_of(pools, "[[pools]]"), "pools[0].fee_pips"),
        ("JC111", "strategy.toml", line_of(strategy, "min_profit"), "limits.min_profit_wei"),
    }
    hint = next(problem.hint for problem in found if problem.rule == "JC101")
    assert hint == "did you mean 'fee_pips'?"


def test_column_points_into_an_inline_table(tmp_path):
    text = POOLS_TOML.replace('symbol = "USDC", address', 'symbol = "USDC", adress')
    found = problems(tmp_path, pools=text)
    line = text.splitlines()[line_of(text, "adress") - 1]
    unknown = next(problem for problem in found if problem.rule == "JC101")
    assert unknown.column == line.index("adress") + 1


@pytest.mark.parametrize(
    ("stem", "old", "new", "rule"),
    [
        ("jitctl", 'address = "0x33', 'address = "0y33', "JC113"),
        ("jitctl", "0x" + "33" * 20, "0x" + "00" * 20, "JC114"),
        ("jitctl", 'http_url = "http://127.0.0.1:1"', 'http_url = "ftp://x"', "JC115"),
        ("jitctl", 'http_url = "http://127.0.0.1:1"', 'http_url = "https://me:secret@node"', "JC302"),
        ("jitctl", 'http_url = "http://127.0.0.1:1"', 'http_url_file = "a"\nhttp_url = "http://b"', "JC121"),
        ("jitctl", 'keystore = "keys/op0.json"', f'keystore = "{"ab" * 32}"', "JC301"),
        ("jitctl", 'keystore = "keys/op0.json"', 'keystore = " "', "JC116"),
        ("jitctl", 'USDC = "0x', 'USDT = "0x', "JC209"),
        ("pools", 'symbol = "WETH"', 'symbol = "W3TH"', "JC201"),
        ("pools", 'symbol = "USDC"', 'symbol = "WETH"', "JC201"),
        ("pools", "0x" + "11" * 20, "0x" + "99" * 20, "JC204"),
        ("pools", "tick_spacing = 10", "tick_spacing = 60", "JC205"),
        ("strategy", "[limits]", "[limits.max_per_token]\nDOGE = 1\n[limits]", "JC208"),
        ("strategy", '"0.001 ether"', '"0.0000000000000000001 ether"', "JC112"),
        ("strategy", '"0.001 ether"', "-1", "JC104"),
        ("strategy", "[limits]", "[bid]\nmin_share_bps = 9\nmax_share_bps = 8\n[limits]", "JC122"),
        ("jitctl", "[chain]", "[engine]\nhung_after_s = 0.5\n[chain]", "JC123"),
        ("jitctl", "[chain]", "[engine]\nhung_after_s = -1\n[chain]", "JC104"),
        ("jitctl", "[chain]", '[service]\nsystemd_unit = "--force"\n[chain]', "JC124"),
        ("pools", "[[pools]]", "[[pools]", "JC002"),
        ("jitctl", "[prices.feeds]", "[prices]\nmax_age_s = inf\n[prices.feeds]", "JC104"),
    ],
)
def test_each_rule(tmp_path, stem, old, new, rule):
    text = {"jitctl": JITCTL_TOML, "pools": POOLS_TOML, "strategy": STRATEGY_TOML}[stem]
    assert old in text
    found = problems(tmp_path, **{stem: text.replace(old, new, 1)})
    assert rule in {problem.rule for problem in found}, [str(problem) for problem in found]
    assert all(problem.line >= 1 and problem.column >= 1 for problem in found)


def test_duplicates_are_found(tmp_path):
    second = POOLS_TOML.replace("22" * 20, "23" * 20)
    found = problems(tmp_path, pools=POOLS_TOML + second)
    assert {problem.rule for problem in found} == {"JC206", "JC207"}


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nowhere", "device", "huge"])
@pytest.mark.parametrize("name", ["strategy.toml", "alerts.toml", ".put-back.json"])
def test_what_is_no_plain_file_is_refused_at_once(tmp_path, name, kind):
    """Nobody waits at a pipe; a link of alerts.toml that broke is no alerts.toml that is not there."""
    path = write_config(tmp_path) / name
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link to nowhere":
            path.symlink_to("gone" if name != ".put-back.json" else path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            with path.open("wb") as file:
                file.truncate(1 << 30)
    with pytest.raises(ConfigInvalidError) as caught:
        load(path.parent)
    assert [(each.rule, Path(each.file).name) for each in caught.value.problems] == [("JC003", name)]


def test_missing_file_and_missing_folder(tmp_path):
    config = write_config(tmp_path)
    (config / "strategy.toml").unlink()
    with pytest.raises(ConfigInvalidError, match="JC001"):
        load(config)
    with pytest.raises(ConfigError, match=r"no jitctl\.toml"):
        find_config_dir(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("text", ["{", "[]", '{"pools": [{"nmae": 1}]}', "\x00"])
def test_broken_json_is_reported_not_raised(tmp_path, text):
    path = tmp_path / "pools.json"
    path.write_text(text)
    assert judge([path]).problems


def test_file_that_is_not_utf8_is_reported(tmp_path):
    path = tmp_path / "pools.toml"
    path.write_bytes(b"name = '\xff'")
    assert judge([path]).problems[0].rule == "JC003"


@pytest.fixture
def usual_recursion_limit():
    """Some library may have raised it in this process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize("suffix", [".toml", ".json"])
@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 800 + "]" * 800, "[" * 3_000 + "]" * 3_000])
def test_what_is_beyond_the_parsers_is_reported(tmp_path, suffix, value):
    path = tmp_path / f"pools{suffix}"
    path.write_text(f"pools = {value}" if suffix == ".toml" else f'{{"pools": {value}}}')
    assert judge([path]).problems[0].rule == "JC003"


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize("text", ["this is = not [ toml", "x = " + "[" * 3_000 + "]" * 3_000])
def test_broken_file_does_not_hide_the_socket(tmp_path, text):
    config = write_config(tmp_path, jitctl=text)
    assert quick_folders(config).socket == tmp_path / "run" / "jitctl.sock"


def test_folders_may_be_absolute(tmp_path):
    config = write_config(tmp_path, jitctl=f'[paths]\nrun = "{tmp_path}/elsewhere"\n' + JITCTL_TOML)
    assert quick_folders(config).run == tmp_path / "elsewhere"
    assert load(config).folders.run == tmp_path / "elsewhere"


def test_config_folder_is_found_in_the_promised_order(tmp_path, monkeypatch):
    write_config(tmp_path / "here")
    write_config(tmp_path / "there")
    write_config(tmp_path / "named")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("JITCTL_CONFIG_DIR", raising=False)
    assert find_config_dir(None) == tmp_path / "here" / "config"
    monkeypatch.setenv("JITCTL_CONFIG_DIR", str(tmp_path / "there" / "config"))
    assert find_config_dir(None) == tmp_path / "there" / "config"
    assert find_config_dir(str(tmp_path / "named" / "config")) == tmp_path / "named" / "config"


def test_who_may_not_look_into_the_folder_is_told_so(tmp_path):
    config = write_config(tmp_path)
    for folder in tmp_path.parents:
        if folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(folder.stat().st_mode | 0o055)
    config.chmod(0o000)
    said = as_nobody(lambda: find_config_dir(str(config)))
    config.chmod(0o700)
    assert said.startswith("PermissionDenied: you may not look into ")


def test_shipped_defaults_lack_only_what_nobody_else_can_know():
    with pytest.raises(ConfigInvalidError) as caught:
        load(REPO / "config")
    assert [(problem.rule, problem.key) for problem in caught.value.problems] == [
        ("JC114", "executor.address")
    ]


def test_shipped_defaults_are_valid_once_the_executor_is_named(tmp_path):
    texts = {path.stem: path.read_text() for path in (REPO / "config").glob("*.toml")}
    texts["jitctl"] = texts["jitctl"].replace("0x" + "00" * 20, "0x" + "12" * 20)
    config = load(write_config(tmp_path, **texts))
    assert len(pool_specs(config)) == 3
    assert len(routers(config).kinds) == 4
