"""restart: stopped in good order and started again in the mode that ran, or left alone."""

from __future__ import annotations

import json

from installation import STRATEGY_TOML, write_config


def test_a_restarted_bot_runs_as_before(installed, jitctl):
    nothing = jitctl("restart", "-o", "json")
    error = json.loads(nothing.stderr)["error"]
    assert (nothing.returncode, "restart --mode test" in error["hint"]) == (3, True)
    first = json.loads(jitctl("restart", "--mode", "test", "-o", "json").stdout)
    assert (first["state"], first["mode"]) == ("RUNNING", "test")

    again = jitctl("restart", "--reason", "new limits", "-o", "json")
    second = json.loads(again.stdout)
    assert (second["state"], second["mode"]) == ("RUNNING", "test")
    assert second["keeperPid"] != first["keeperPid"]
    assert second["engine"]["pid"] != first["engine"]["pid"]
    records = [json.loads(line) for line in (installed / "data" / "audit.jsonl").read_text().splitlines()]
    told = [(each["verb"], each["why"]) for each in records]
    assert told == [("start", ""), ("stop", "new limits"), ("start", "new limits")]


def test_a_broken_or_unvalidated_configuration_or_a_missing_yes_leaves_the_bot_running(installed, jitctl):
    forced = ("--mode", "production", "--yes", "--force", "--reason", "go")
    assert jitctl("start", *forced).returncode == 0
    before = json.loads(jitctl("status", "-o", "json").stdout)["keeperPid"]
    asked = jitctl("restart")
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    unreasoned = jitctl("restart", "--yes", "--force")
    assert (unreasoned.returncode, "--force needs a reason" in unreasoned.stderr) == (2, True)
    write_config(installed, strategy="[limits]\n")
    broken = jitctl("restart", "--yes")
    assert (broken.returncode, "strategy.toml:1:1: JC102" in broken.stderr) == (4, True)
    write_config(installed, strategy=STRATEGY_TOML.replace("20 ether", "30 ether"))
    unproved = jitctl("restart", "--yes")
    assert (unproved.returncode, "validate-live" in unproved.stderr) == (9, True)
    assert json.loads(jitctl("status", "-o", "json").stdout)["keeperPid"] == before
    write_config(installed)
    after = jitctl("restart", "--yes")
    assert after.returncode == 0
    assert "stopped; starting in mode production" in after.stderr
    assert "bundles are submitted" in after.stdout
