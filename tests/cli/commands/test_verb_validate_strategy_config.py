"""validate-strategy-config: the strategy's file, beside the others."""

from __future__ import annotations

import json

from installation import STRATEGY_TOML, write_config


def test_without_arguments_the_strategy_of_the_folder(jitctl, tmp_path):
    write_config(tmp_path, pools="[[pools]]\nname = 3\n")
    beside = jitctl("validate-strategy-config")
    assert (beside.returncode, beside.stdout) == (0, "valid: config/strategy.toml\n")
    assert "config/pools.toml has" in beside.stderr

    write_config(tmp_path, strategy=STRATEGY_TOML + "\n[limits.max_per_token]\nNOPE = 5\n")
    wrong = jitctl("validate-strategy-config", "-o", "json")
    body = json.loads(wrong.stdout)
    assert (wrong.returncode, body["files"]) == (4, ["config/strategy.toml"])
    assert [problem["rule"] for problem in body["problems"]] == ["JC208"]


def test_json_and_a_name_that_tells_nothing(jitctl, tmp_path):
    config = write_config(tmp_path)
    (config / "strategy.toml").rename(tmp_path / "tuning")
    missing = jitctl("validate-strategy-config")
    assert (missing.returncode, missing.stdout.split(":")[0]) == (4, "config/strategy.toml")
    assert jitctl("validate-strategy-config", "tuning").returncode == 0
    (config / "strategy.json").write_text('{"limits": {"max_notional_wei": "a lot"}}')
    wrong = jitctl("validate-strategy-config")
    assert (wrong.returncode, wrong.stdout.splitlines()[0].split(":")[0]) == (4, "config/strategy.json")
