"""validate-live: passes, fails or cannot tell, and says what would help."""

from __future__ import annotations

import json

from installation import running_keeper


def test_a_fit_bot_passes_and_production_may_start(keeper, jitctl):
    found = jitctl("validate-live", "-o", "json")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert (report["verb"], report["result"]) == ("validate-live", "warn")
    assert jitctl("validate-live", "--strict").returncode == 10
    assert "validate-live: 6 passed, 1 warned" in jitctl("validate-live").stdout
    assert jitctl("start", "--mode", "production", "--yes").returncode == 0


def test_an_unfit_bot_is_1_and_the_remedy_is_named(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="sick-pool"):
        assert jitctl("validate-live").returncode == 1
        refused = jitctl("start", "--mode", "production", "--yes")
        assert (refused.returncode, "jitctl validate-live" in refused.stderr) == (9, True)


def test_a_paused_bot_is_not_fit(keeper, jitctl):
    jitctl("pause")
    found = jitctl("validate-live", "--wait", "0")
    assert (found.returncode, "jitctl resume" in found.stdout) == (1, True)


def test_validation_of_nothing_is_3(installed, jitctl):
    assert jitctl("validate-live").returncode == 3
