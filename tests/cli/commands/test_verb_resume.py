"""resume: asks before a production bot trades again, and never leads out of a halt."""

from __future__ import annotations

from installation import running_keeper


def test_resume_of_a_test_bot_asks_nothing(keeper, jitctl):
    jitctl("pause")
    found = jitctl("resume")
    assert (found.returncode, found.stdout) == (0, "resumed\n")
    assert jitctl("resume").stdout == "already running\n"


def test_resume_of_a_production_bot_wants_a_word_or_yes(jitctl, tmp_path):
    with running_keeper(tmp_path, mode="production") as keeper:
        jitctl("pause")
        assert jitctl("resume").returncode == 2
        assert keeper.client().call("status")["state"] == "PAUSED"
        assert jitctl("resume", "--yes", "--reason", "go").returncode == 0


def test_resume_of_a_halted_bot_is_refused(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="halted"):
        found = jitctl("resume", "--yes")
        assert (found.returncode, "clear-halt" in found.stderr) == (9, True)


def test_resume_of_nothing_is_3(installed, jitctl):
    assert jitctl("resume", "--yes").returncode == 3
