"""pool-status: every configured pool, and an exit code that a script can act on."""

from __future__ import annotations

import json

import pytest
from installation import POOLS_TOML, running_keeper, write_config

from jitctl.cli import render
from jitctl.cli.commands import pool_status


def test_healthy_pools_are_0(keeper, jitctl):
    found = jitctl("pool-status", "-o", "json")
    assert found.returncode == 0, found.stderr
    (pool,) = json.loads(found.stdout)["pools"]
    assert (pool["name"], pool["healthy"], pool["enabled"], pool["feePips"]) == (
        "WETH/USDC-0.05%", True, True, 500,
    )  # fmt: skip
    text = jitctl("pool-status").stdout
    assert "WETH/USDC-0.05%" in text
    assert "as of block 7" in text


def test_a_sick_pool_is_1_and_says_why(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="sick-pool"):
        found = jitctl("pool-status")
        assert found.returncode == 1
        assert "no exact snapshot" in found.stdout


def test_a_disabled_pool_is_10_under_strict(jitctl, tmp_path):
    other = POOLS_TOML.replace("0x" + "66" * 20, "0x" + "77" * 20).replace("-0.05%", "-0.3%")
    other = other.replace("fee_pips = 500", "fee_pips = 3000\nenabled = false").replace("= 10", "= 60")
    write_config(tmp_path, pools=POOLS_TOML + other)
    with running_keeper(tmp_path):
        found = jitctl("pool-status")
        assert (found.returncode, "disabled in pools.toml" in found.stdout) == (0, True)
        assert jitctl("pool-status", "--strict").returncode == 10


def test_pool_status_of_nothing_is_3(installed, jitctl):
    assert jitctl("pool-status").returncode == 3


@pytest.mark.parametrize("width", [60, 70, 100, 140, None])
def test_every_column_has_its_place_from_100_on(monkeypatch, width):
    monkeypatch.setattr(render, "terminal_width", lambda: width)
    row = {
        "name": "WETH/USDC-0.05%", "enabled": True, "healthy": True, "price": "3123.45 USDC",
        "liquidity": "123456789012345678", "feeProtocol": 4 + (6 << 4), "landedToday": 12,
        "attemptsToday": 345, "netWeiToday": "123456789012345678",
    }  # fmt: skip
    off = row | {"name": "WETH/DAI-0.3%", "enabled": False, "healthy": None, "reason": "disabled: too thin"}
    text = pool_status._text({"headNumber": 7, "headAgeS": 1.25, "pools": [row, off]})
    assert max(map(len, text.splitlines())) <= (width or 160)
    shown = ["WETH/USDC-0.05%", "yes", "off", "3123.45 USDC", "12 of 345", "disabled: too thin", "1.2 s old"]
    if width not in (60, 70):
        shown += ["1.23e+17", "1/4 1/6"]
    assert [each for each in shown if each not in text] == []
