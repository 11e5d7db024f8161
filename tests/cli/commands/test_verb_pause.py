"""pause: said only when it is certain."""

from __future__ import annotations

import json

from installation import running_keeper


def test_pause_and_again(keeper, jitctl):
    paused = jitctl("pause", "--reason", "lunch", "-o", "json")
    assert (json.loads(paused.stdout)["changed"], json.loads(paused.stdout)["state"]) == (True, "PAUSED")
    repeated = jitctl("pause")
    assert (repeated.returncode, repeated.stdout) == (0, "already paused\n")
    assert keeper.audit()[-2]["why"] == "lunch"


def test_pause_of_nothing_is_3(jitctl, tmp_path, installed):
    found = jitctl("pause")
    assert found.returncode == 3
    assert "jitctl start" in found.stderr


def test_pause_of_a_halted_bot_is_done_already(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="halted"):
        found = jitctl("pause")
        assert (found.returncode, "halted" in found.stdout) == (0, True)


def test_pause_that_took_force_says_so_and_what_is_next(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="hang-on-pause hold-barrier"):
        found = jitctl("pause")
        assert found.returncode == 0
        assert "it was ended" in found.stdout
        assert "next: it comes back paused" in found.stdout
