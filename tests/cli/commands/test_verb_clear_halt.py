"""clear-halt: wants a reason and a word, and leads into a pause."""

from __future__ import annotations

from installation import running_keeper


def test_a_halt_is_left_into_a_pause(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="halted", mode="production") as keeper:
        assert jitctl("clear-halt", "--yes").returncode == 2
        unasked = jitctl("clear-halt", "--reason", "looked at")
        assert (unasked.returncode, "production bot on chain 31337 through" in unasked.stderr) == (2, True)
        assert keeper.client().call("status")["state"] == "HALTED"
        found = jitctl("clear-halt", "--reason", "looked at", "--yes")
        assert (found.returncode, found.stdout) == (0, "halt cleared; paused\n")
        assert keeper.client().call("status")["state"] == "PAUSED"
        assert jitctl("clear-halt", "--reason", "again").stdout == "not halted\n"
        record = keeper.audit()[-2]
        assert (record["verb"], record["why"], record["after"]) == ("clear-halt", "looked at", "PAUSED")


def test_clear_halt_of_nothing_is_3(installed, jitctl):
    assert jitctl("clear-halt", "--reason", "none", "--yes").returncode == 3
