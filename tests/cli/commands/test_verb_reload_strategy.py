"""reload-strategy: old and new value of every key, and the generation that runs."""

from __future__ import annotations

import json

from installation import STRATEGY_TOML


def test_keys_are_shown_old_and_new_and_the_generation_counts(keeper, jitctl):
    (keeper.config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
    found = jitctl("reload-strategy", "--reason", "smaller")
    assert found.returncode == 0
    assert "limits.max_notional_wei: 20 ether -> 10 ether" in found.stdout
    status = json.loads(jitctl("status", "-o", "json").stdout)
    assert status["generation"] == 2
    running = keeper.client().call("config")
    assert (running["generation"], running["hash"]) == (2, status["configHash"])
    assert (running["verb"], running["why"]) == ("reload-strategy", "smaller")
    assert running["values"]["strategy"]["limits.max_notional_wei"] == 10 * 10**18


def test_a_broken_file_is_exit_4_and_changes_nothing(keeper, jitctl):
    (keeper.config / "strategy.toml").write_text("[limits")
    found = jitctl("reload-strategy")
    assert (found.returncode, "strategy.toml:1:" in found.stderr) == (4, True)
    assert keeper.client().call("status")["generation"] == 1
