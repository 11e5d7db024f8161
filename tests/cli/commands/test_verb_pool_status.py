"""pool-status: every configured pool, and an exit code that a script can act on."""

from __future__ import annotations

import json

from installation import POOLS_TOML, running_keeper, write_config


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
