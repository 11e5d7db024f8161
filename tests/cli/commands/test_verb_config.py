"""config: its sub-verbs by name, and what schema and show say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from installation import JITCTL_TOML, POOLS_TOML, write_config

from jitctl.cli.app import run
from jitctl.cli.commands.config import SUB_VERBS
from jitctl.config.load import load

CANARY = "canary0123456789abcdefghijklm"


def test_help_lists_every_sub_verb(capsys):
    assert run(["config", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, summary in SUB_VERBS.items():
        assert f"{name} {summary}" in text


@pytest.mark.parametrize("name", SUB_VERBS)
def test_every_sub_verb_explains_itself_with_an_example(name, capsys):
    assert run(["config", name, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"Usage: jitctl config {name} " in text
    assert f"Example: jitctl config {name}" in text
    assert SUB_VERBS[name] in text


def test_an_unknown_sub_verb_suggests_the_near_one(capsys):
    assert run(["config", "shw"]) == 2
    assert "did you mean 'show'?" in capsys.readouterr().err


def test_a_schema_is_printed_or_written(capsys, tmp_path):
    assert run(["config", "schema", "pools"]) == 0
    pools = json.loads(capsys.readouterr().out)
    assert pools["properties"]["pools"]["maxItems"] == 500
    assert run(["config", "schema"]) == 0
    every = json.loads(capsys.readouterr().out)
    assert list(every) == ["jitctl", "pools", "strategy", "alerts"]
    assert every["pools"] == pools
    folder = tmp_path / "a" / "schemas"
    assert run(["config", "schema", "--out-dir", str(folder)]) == 0
    written = capsys.readouterr().out.split()
    assert [json.loads(Path(path).read_text()) for path in written] == list(every.values())


def test_a_schema_that_cannot_be_written_is_an_error(capsys, tmp_path):
    (tmp_path / "pools.schema.json").mkdir()
    assert run(["config", "schema", "pools", "--out-dir", str(tmp_path)]) == 1
    assert "cannot write" in capsys.readouterr().err


def shown(capsys, folder, *words):
    assert run(["--config-dir", str(folder), "config", "show", *words, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_show_says_every_value_and_where_it_comes_from(capsys, tmp_path, monkeypatch):
    folder = write_config(tmp_path, alerts='[contacts]\nprimary = "+1-555-0001"\n')
    monkeypatch.chdir(tmp_path)
    body = shown(capsys, folder)
    values = {row["key"]: row for row in body["values"]}
    assert body["configHash"] == load(folder).hash
    assert values["chain.chain_id"] == {
        "key": "chain.chain_id",
        "name": "chain.chain_id",
        "file": "jitctl",
        "value": 31337,
        "readable": "",
        "origin": "config/jitctl.toml:3",
    }
    assert values["chain.settle_depth"]["origin"] == "default"
    assert values["limits.min_profit_wei"]["value"] == "1000000000000000"
    assert values["limits.min_profit_wei"]["readable"] == "0.001 ether"
    assert values["pools[0].token1.symbol"]["origin"] == "config/pools.toml:6"
    assert values["contacts.primary.phone"]["origin"] == "config/alerts.toml:2"
    assert values["contacts.primary.email"]["origin"] == "default"
    assert values["levels.P0"]["origin"] == "default"


def test_show_reads_json_and_amounts_by_token(capsys, tmp_path):
    folder = write_config(tmp_path)
    (folder / "strategy.toml").unlink()
    limits = {"min_profit_wei": "30 gwei", "max_notional_wei": 10**18, "max_per_token": {"USDC": 2_500_000}}
    (folder / "strategy.json").write_text(json.dumps({"limits": limits}, indent=1))
    rows = shown(capsys, folder, "limits")["values"]
    assert {(row["key"], row["value"], row["readable"], row["origin"].rsplit("/")[-1]) for row in rows} == {
        ("limits.min_profit_wei", "30000000000", "0.00000003 ether", "strategy.json:3"),
        ("limits.max_notional_wei", "1000000000000000000", "1 ether", "strategy.json:4"),
        ("limits.max_per_token.USDC", "2500000", "2.5 USDC", "strategy.json:6"),
        ("limits.size_share_bps", 10_000, "", "default"),
    }


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("pools[0].token0", ["symbol", "address", "decimals"]),
        ("pools.WETH/USDC-0.05%.token0", ["symbol", "address", "decimals"]),
        ("WETH/USDC-0.05%.fee_pips", ["fee_pips"]),
        ("chain.chain_id", ["chain_id"]),
        ("pools", [*("name", "address"), *("symbol", "address", "decimals") * 2,
                   "fee_pips", "tick_spacing", "enabled", "disabled_because", "max_notional_wei"]),
    ],
)  # fmt: skip
def test_show_takes_a_key_a_file_or_a_name(capsys, tmp_path, prefix, keys):
    rows = shown(capsys, write_config(tmp_path), prefix)["values"]
    assert [row["key"].rsplit(".")[-1] for row in rows] == keys


def test_show_names_the_key_that_was_meant(capsys, tmp_path):
    folder = write_config(tmp_path)
    assert run(["--config-dir", str(folder), "config", "show", "limts"]) == 2
    assert "did you mean 'limits'?" in capsys.readouterr().err


def test_show_has_a_line_a_value_and_its_origin_if_asked(capsys, tmp_path, monkeypatch):
    folder = write_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["--config-dir", str(folder), "config", "show", "limits"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "limits.min_profit_wei", "1000000000000000", "(0.001", "ether)",
    ]  # fmt: skip
    assert run(["--config-dir", str(folder), "config", "show", "limits", "--origin"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("  config/strategy.toml:3")


def test_show_tells_no_secret(capsys, tmp_path):
    main = JITCTL_TOML.replace(
        'http_url = "http://127.0.0.1:1"',
        f'http_url = "https://node.example.org/v3/{CANARY}?apikey={CANARY}"',
    ).replace('ws_url = "ws://127.0.0.1:1"', 'ws_url_file = "keys/ws.url"')
    folder = write_config(tmp_path, jitctl=main)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "ws.url").write_text(f"wss://node.example.org/{CANARY}")
    for words in ([], ["-o", "json"], ["--origin"]):
        assert run(["--config-dir", str(folder), "config", "show", *words]) == 0
        text = capsys.readouterr().out
        assert CANARY not in text
        assert "https://node.example.org/v3/<redacted>" in text
        assert "keys/ws.url" in text
        assert "keys/op0.pass" in text


def test_show_of_what_is_invalid_lists_every_problem(capsys, tmp_path):
    folder = write_config(tmp_path, alerts="[contacts.a]\n", pools=POOLS_TOML.replace("fee_pips", "fee_pip"))
    assert run(["--config-dir", str(folder), "config", "show"]) == 4
    text = capsys.readouterr().err
    assert all(rule in text for rule in ("JC101", "JC102", "JC401"))
