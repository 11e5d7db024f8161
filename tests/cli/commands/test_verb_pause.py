"""pause: said only when it is certain."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from installation import eventually, running_keeper

from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity


def test_pause_and_again(keeper, jitctl):
    paused = jitctl("pause", "--reason", "lunch", "-o", "json")
    assert (json.loads(paused.stdout)["changed"], json.loads(paused.stdout)["state"]) == (True, "PAUSED")
    repeated = jitctl("pause")
    assert (repeated.returncode, repeated.stdout) == (0, "already paused\n")
    assert keeper.audit()[1]["why"] == "lunch"


def test_no_reason_is_too_odd_or_too_long_for_a_pause(keeper, jitctl):
    assert jitctl("pause", "--reason", os.fsdecode(b"caf\xe9 ") + "long " * 500).returncode == 0
    assert keeper.audit()[1]["why"].startswith("caf? long")


def test_an_odd_reason_left_in_the_files_does_not_keep_the_bot_from_starting(jitctl, tmp_path):
    with running_keeper(tmp_path) as first:
        first.client().call("stop")
        first.process.wait(20)
    Latch(tmp_path / "data").pause("ann", "\udcff", time.time() + 1)
    with running_keeper(tmp_path) as keeper:
        assert keeper.answer["status"]["state"] == "PAUSED"
        assert [each["why"] for each in keeper.audit() if each["verb"] == "pause"] == ["?"]


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


def test_pause_wait_returns_once_nothing_is_in_flight(keeper, jitctl):
    waited = jitctl("pause", "--wait", "-o", "json")
    reply = json.loads(waited.stdout)
    assert (waited.returncode, reply["message"]) == (0, "paused; nothing is in flight")
    assert (reply["outstandingBundles"], reply["lastTargetBlock"], reply["headNumber"]) == (0, None, 7)
    assert reply["waitedS"] >= 0


@pytest.mark.parametrize(
    ("behaviour", "left", "hint"),
    [
        ("one-out", "1 bundle out, the last for block 8 (head 7, seen ", "jitctl pause --wait"),
        ("position-open", "positions open in 0xp001", "jitctl resume"),
    ],
)
def test_pause_wait_that_takes_too_long_says_what_is_left(jitctl, tmp_path, behaviour, left, hint):
    with running_keeper(tmp_path, behaviour=behaviour) as keeper:
        found = jitctl("pause", "--wait", "--timeout", "0")
        assert found.returncode == 5
        assert f"paused, but not clear after 0 s: {left}" in found.stderr
        assert hint in found.stderr
        assert keeper.client().call("status")["state"] == "PAUSED"


def test_pause_wait_cannot_tell_once_the_engine_was_ended(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="hang-on-pause hold-barrier"):
        found = jitctl("pause", "--wait", "-o", "json")
        error = json.loads(found.stderr)["error"]
        assert (found.returncode, found.stdout, error["code"]) == (8, "", "cannot_determine")
        assert error["hint"].endswith("jitctl verify-no-open-positions")


def test_pause_wait_trusts_no_old_figures(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="hang-on-pause"):
        found = jitctl("pause", "--wait", "--timeout", "0")
        assert (found.returncode, "has not reported for" in found.stderr) == (5, True)


def test_pause_goes_round_a_keeper_that_hangs_and_the_trail_knows(keeper, jitctl):
    keeper.process.send_signal(signal.SIGSTOP)
    try:
        found = jitctl("pause", "--reason", "no answer", "-o", "json")
        reply = json.loads(found.stdout)
        assert (found.returncode, reply["state"], reply["forced"]) == (0, "PAUSED", False)
        assert "the daemon does not answer" in reply["message"]
        assert Latch(keeper.base / "data").pause_record().why == "no answer"
    finally:
        keeper.process.send_signal(signal.SIGCONT)
    eventually(lambda: keeper.audit()[-1]["why"] == "no answer", "the keeper records what it was asked")


def test_pause_without_the_right_is_requested_and_not_confirmed(keeper, jitctl):
    """A folder in the lock's place is as closed to root as another user's data folder is to anybody else."""
    lock = keeper.base / "data" / "submit.lock"
    lock.unlink()
    lock.mkdir()
    keeper.process.send_signal(signal.SIGSTOP)
    try:
        found = jitctl("pause")
        assert (found.returncode, found.stdout) == (5, "")
        assert "the pause is requested, not confirmed" in found.stderr
        assert "as the daemon's user or as root" in found.stderr
    finally:
        keeper.process.send_signal(signal.SIGCONT)


def test_pause_of_an_engine_that_outlives_its_keeper_is_in_the_next_keepers_trail(jitctl, tmp_path):
    with running_keeper(tmp_path) as first:
        engine = first.engine_pid()
        os.kill(engine, signal.SIGSTOP)
        first.process.kill()
        first.process.wait(10)
        found = jitctl("pause", "--reason", "orphan")
        assert (found.returncode, "no daemon listens" in found.stdout) == (0, True)
        os.kill(engine, signal.SIGCONT)
        eventually(lambda: ProcessIdentity.of(engine) is None, "the engine ends by itself")
        assert jitctl("pause").returncode == 3
    with running_keeper(tmp_path) as second:
        assert second.answer["status"]["state"] == "PAUSED"
        record = next(each for each in second.audit() if each["verb"] == "pause")
        assert (record["door"], record["why"], record["after"]) == ("files", "orphan", "PAUSED")


def test_pause_without_the_keeper_finds_the_data_folder_that_it_runs_with(keeper, jitctl):
    # The edit waits for a restart; a pause in the new folder would stop nobody.
    path = keeper.config / "jitctl.toml"
    (keeper.base / "elsewhere").mkdir()
    path.write_text(path.read_text() + '\n[paths]\ndata = "elsewhere"\n')
    keeper.process.send_signal(signal.SIGSTOP)
    found = jitctl("pause")
    keeper.process.send_signal(signal.SIGCONT)
    assert (found.returncode, "does not answer" in found.stdout) == (0, True), found.stderr
    assert Latch(keeper.base / "data").pause_record() is not None
    assert list((keeper.base / "elsewhere").iterdir()) == []
