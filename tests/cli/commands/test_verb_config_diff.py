"""config diff: the files against what runs, by names, with the verb that takes each change over."""

from __future__ import annotations

import json

import pytest
from installation import JITCTL_TOML, POOLS_TOML, STRATEGY_TOML, running_keeper, write_config

from jitctl.cli import render
from jitctl.cli.commands.config import generations

OTHER_POOL = """
[[pools]]
name = "WETH/USDC-0.3%"
address = "0x7777777777777777777777777777777777777777"
token0 = { symbol = "WETH", address = "0x1111111111111111111111111111111111111111", decimals = 18 }
token1 = { symbol = "USDC", address = "0x2222222222222222222222222222222222222222", decimals = 6 }
fee_pips = 3000
tick_spacing = 60
"""


def differences(done) -> dict[str, tuple[str, str]]:
    body = json.loads(done.stdout)
    return {each["key"]: (each["kind"], each["appliedBy"]) for each in body["differences"]}


def test_the_same_is_0_and_every_change_says_what_takes_it_over(keeper, jitctl):
    config = keeper.config
    same = jitctl("config", "diff")
    assert (same.returncode, same.stdout) == (0, "the files: as what runs (generation 1)\n"), same.stderr
    (config / "pools.toml").write_text(POOLS_TOML.replace("0.05%", "five") + OTHER_POOL)
    (config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
    (config / "jitctl.toml").write_text(
        JITCTL_TOML.replace("chain_id = 31337", "chain_id = 31337\nslot_seconds = 2.0")
        .replace("55" * 20, "56" * 20)
        .replace("op0.pass", "op1.pass")
    )
    done = jitctl("config", "diff", "-o", "json")
    assert done.returncode == 1, done.stderr
    assert differences(done) == {
        "chain.slot_seconds": ("changed", "restart"),
        "prices.feeds.USDC": ("changed", "reload-pools"),
        "wallet.operators[0].passphrase_file": ("changed", "restart"),
        "pools[WETH/USDC-0.05%].name": ("changed", "reload-pools"),
        "pools[WETH/USDC-0.3%]": ("added", "reload-pools"),
        "limits.max_notional_wei": ("changed", "reload-strategy"),
    }
    body = json.loads(done.stdout)
    assert (body["same"], body["reloads"]) == (False, ["reload-pools", "reload-strategy"])
    assert body["needsRestart"] == ["chain.slot_seconds", "wallet.operators[0].passphrase_file"]
    assert body["before"]["generation"] == 1
    by_key = {each["key"]: each for each in body["differences"]}
    assert by_key["limits.max_notional_wei"]["before"] == 20 * 10**18
    assert by_key["limits.max_notional_wei"]["after"] == 10 * 10**18
    assert by_key["wallet.operators[0].passphrase_file"]["after"] == "keys/op1.pass"
    text = jitctl("config", "diff").stdout
    assert "~ limits.max_notional_wei: 20 ether -> 10 ether  [reload-strategy]" in text
    assert "next: jitctl reload-pools" in text
    assert "only a restart takes over: chain.slot_seconds, wallet.operators[0].passphrase_file" in text
    one = jitctl("config", "diff", "strategy.toml", "-o", "json")
    assert (one.returncode, list(differences(one))) == (1, ["limits.max_notional_wei"])


def test_a_file_from_elsewhere_is_compared_beside_the_others(keeper, jitctl, tmp_path):
    (tmp_path / "new").mkdir()
    candidate = tmp_path / "new" / "prod-pools.toml.new"
    candidate.write_text(POOLS_TOML + OTHER_POOL)
    done = jitctl("config", "diff", candidate, "-o", "json")
    assert differences(done) == {"pools[WETH/USDC-0.3%]": ("added", "reload-pools")}
    piped = jitctl("config", "diff", "-", "-o", "json", input=candidate.read_text())
    assert differences(piped) == differences(done), piped.stderr
    candidate.write_text(POOLS_TOML)
    assert jitctl("config", "diff", candidate).returncode == 0
    candidate.write_text(POOLS_TOML.replace("fee_pips = 500", 'fee_pips = "much"').replace("true", "maybe"))
    broken = jitctl("config", "diff", candidate)
    assert broken.returncode == 4
    assert f"{candidate}:" in broken.stderr and "fee_pips" in broken.stderr
    (tmp_path / "new" / "other.toml").write_text("a = 1\n")
    assert jitctl("config", "diff", tmp_path / "new" / "other.toml").returncode == 2
    missing = jitctl("config", "diff", tmp_path / "new" / "none.toml")
    assert (missing.returncode, "JC001" in missing.stderr) == (4, True)


def test_a_caller_who_may_not_read_the_generations_is_told_by_the_daemon(keeper, jitctl):
    """The files of the generation are gone for us: what the daemon tells is compared, with secrets hidden."""
    (keeper.config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
    kept = keeper.base / "data" / "generations"
    kept.rename(keeper.base / "data" / "hidden")
    done = jitctl("config", "diff", "-o", "json")
    (keeper.base / "data" / "hidden").rename(kept)
    assert differences(done) == {"limits.max_notional_wei": ("changed", "reload-strategy")}


def test_a_secret_in_a_url_is_not_shown_and_its_change_is(keeper, jitctl):
    canary = "Canary0123456789abcdefCanary0123456789"
    url = "http://127.0.0.1:1"
    (keeper.config / "jitctl.toml").write_text(JITCTL_TOML.replace(url, f"{url}/v3/{canary}"))
    done = jitctl("config", "diff")
    assert done.returncode == 1
    assert "nodes[door].http_url" in done.stdout
    assert canary not in done.stdout + done.stderr + jitctl("config", "diff", "-o", "json").stdout


def test_without_a_daemon_the_last_generation_that_ran_answers(jitctl, tmp_path):
    config = write_config(tmp_path)
    nothing = jitctl("config", "diff")
    assert (nothing.returncode, "jitctl start" in nothing.stderr) == (3, True)
    with running_keeper(tmp_path):
        (config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
        assert jitctl("reload-strategy").returncode == 0
        jitctl("stop")
    same = jitctl("config", "diff")
    assert same.returncode == 0, same.stderr
    assert "note: no daemon runs; compared with generation 2, the last that ran" in same.stdout
    done = jitctl("config", "diff", "--generation", "1", "-o", "json")
    assert (done.returncode, list(differences(done))) == (1, ["limits.max_notional_wei"])
    back = json.loads(jitctl("config", "diff", "--generation", "2", "--to", "1", "-o", "json").stdout)
    assert back["differences"][0]["after"] == 20 * 10**18
    unknown = jitctl("config", "diff", "--generation", "9")
    assert (unknown.returncode, "there are 1 to 2" in unknown.stderr) == (2, True)
    (config / "pools.toml").write_text("[[pools]]\nname = 1\nx = 2\n")
    broken = jitctl("config", "diff")
    assert broken.returncode == 4
    assert broken.stderr.count("pools.toml:") >= 2


def test_generations_are_listed_with_who_when_and_why(jitctl, tmp_path):
    config = write_config(tmp_path)
    assert "no generation is kept yet" in jitctl("config", "generations").stdout
    with running_keeper(tmp_path):
        (config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
        assert jitctl("reload-strategy", "--reason", "smaller\x1b[31m").returncode == 0
        body = json.loads(jitctl("config", "generations", "-o", "json").stdout)
        newest, first = body["generations"]
        assert (newest["number"], newest["verb"], newest["running"], newest["files"]) == (
            2, "reload-strategy", True, True,
        )  # fmt: skip
        assert (first["number"], first["verb"], first["running"], first["files"]) == (
            1,
            "start",
            False,
            False,
        )
        assert newest["who"] and newest["time"].endswith("Z") and len(newest["configHash"]) == 64
        text = jitctl("config", "generations").stdout
        assert "runs, = the files" in text
        assert "\x1b" not in text
    (config / "strategy.toml").write_text("x")
    stopped = jitctl("config", "generations")
    assert stopped.returncode == 0
    assert "last that ran" in stopped.stdout and "not valid" in stopped.stdout


@pytest.mark.parametrize("arguments", [("--generation", "0"), ("pools.toml", "--to", "1")])
def test_what_makes_no_sense_is_2(installed, jitctl, arguments):
    assert jitctl("config", "diff", *arguments).returncode == 2


@pytest.mark.parametrize("width", [60, 80, 120, None])
def test_a_generation_has_its_number_in_every_terminal(monkeypatch, width):
    monkeypatch.setattr(render, "terminal_width", lambda: width)
    row = {
        "number": 117, "configHash": "a1" * 32, "time": "2026-01-31T01:02:03Z", "who": "root",
        "verb": "reload-config", "restores": 115, "current": True, "running": True, "files": True,
        "why": "the new limits lose money, and more than that",
    }  # fmt: skip
    text = generations._text({"generations": [row], "problem": ""})
    assert max(map(len, text.splitlines())) <= (width or 160)
    for each in ("117", "a1a1a1a1a1a1", "2026-01-31T01:02:03Z", "root", "puts back 115", "= the files"):
        assert each in text
