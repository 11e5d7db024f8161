"""reload-pools: what changed by name, what is wrong by line, and the same on the socket."""

from __future__ import annotations

import json

from installation import POOLS_TOML, running_keeper

SECOND = (
    POOLS_TOML.replace("WETH/USDC-0.05%", "WETH/DAI-0.3%")
    .replace("66" * 20, "77" * 20)
    .replace("fee_pips = 500", "fee_pips = 3000")
    .replace("tick_spacing = 10", "tick_spacing = 60")
)


def test_a_pool_is_added_disabled_and_removed_by_name(keeper, jitctl):
    pools = keeper.config / "pools.toml"
    pools.write_text(POOLS_TOML + SECOND)
    dry = jitctl("reload-pools", "--dry-run", "-o", "json")
    assert (json.loads(dry.stdout)["changed"], json.loads(dry.stdout)["dry"]) == (False, True)
    added = jitctl("reload-pools", "--reason", "one more")
    assert (added.returncode, "pools[WETH/DAI-0.3%] added" in added.stdout) == (0, True)
    pools.write_text(POOLS_TOML + SECOND + 'enabled = false\ndisabled_because = "too thin"\n')
    assert "pools[WETH/DAI-0.3%] disabled" in jitctl("reload-pools").stdout
    shown = json.loads(jitctl("pool-status", "-o", "json").stdout)["pools"]
    assert [pool["reason"] for pool in shown] == ["", "disabled: too thin"]
    pools.write_text(POOLS_TOML)
    assert "pools[WETH/DAI-0.3%] removed" in jitctl("reload-pools").stdout
    assert "nothing to reload" in jitctl("reload-pools").stdout


def test_what_is_wrong_is_listed_as_validate_config_lists_it(keeper, jitctl):
    (keeper.config / "pools.toml").write_text(POOLS_TOML.replace("fee_pips = 500", 'fee_pips = "many"'))
    found, listed = jitctl("reload-pools"), jitctl("validate-config")
    assert (found.returncode, listed.returncode) == (4, 4)
    assert listed.stdout.strip().splitlines()[0] in found.stderr
    (problem,) = json.loads(jitctl("reload-pools", "-o", "json").stderr)["error"]["problems"]
    assert (problem["key"], problem["line"]) == ("pools[0].fee_pips", 7)


def test_what_needs_a_restart_is_named(keeper, jitctl):
    main = keeper.config / "jitctl.toml"
    main.write_text(main.read_text().replace("chain_id = 31337", "chain_id = 31337\nslot_seconds = 6.0"))
    found = jitctl("reload-pools")
    assert (found.returncode, "chain.slot_seconds: 12.0 -> 6.0" in found.stdout) == (0, True)


def test_exit_codes_of_a_refusal_and_of_no_daemon(installed, jitctl, tmp_path):
    assert jitctl("reload-pools").returncode == 3
    with running_keeper(tmp_path, behaviour="refuse-reload") as keeper:
        (keeper.config / "pools.toml").write_text(POOLS_TOML + SECOND)
        assert jitctl("reload-pools").returncode == 9
