"""validate-config: every problem, with its place."""

from __future__ import annotations

import json

from installation import POOLS_TOML, write_config


def test_valid_folder_and_file(jitctl, tmp_path):
    write_config(tmp_path)
    whole = jitctl("validate-config", "-o", "json")
    assert whole.returncode == 0
    assert json.loads(whole.stdout)["valid"] is True
    assert jitctl("validate-config", "config/pools.toml").returncode == 0


def test_problems_have_place_rule_and_hint(jitctl, tmp_path):
    write_config(tmp_path, pools=POOLS_TOML.replace("tick_spacing", "tick_spaceing"))
    found = jitctl("validate-config", "config/pools.toml")
    assert found.returncode == 4
    assert "config/pools.toml:8:1: JC101 pools[0].tick_spaceing: unknown key" in found.stdout
    body = json.loads(jitctl("validate-config", "-o", "json").stdout)
    assert body["valid"] is False
    assert {problem["rule"] for problem in body["problems"]} == {"JC101", "JC102"}
