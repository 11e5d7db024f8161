"""A stop that was answered holds against the start and the restart that were on their way."""

from __future__ import annotations

import subprocess
import sys

import pytest
from installation import environment, eventually

from jitctl.safety.durable import create_record, read_record
from jitctl.safety.process_identity import ProcessIdentity
from jitctl.safety.stop_count import stops


def process_named(path):
    found = ProcessIdentity.from_dict(read_record(path))
    return found if found is not None and found.is_alive() else None


@pytest.mark.parametrize("verb", [["start", "--mode", "test"], ["restart"]])
def test_a_stop_that_meets_a_start_on_its_way_holds(installed, jitctl, verb):
    lock, log = installed / "run" / "keeper.lock", installed / "logs" / "start.log"
    if verb == ["restart"]:
        jitctl("start", "--mode", "test")
        keeper = process_named(lock)
        log.unlink()
    asked = subprocess.Popen(
        [sys.executable, "-m", "jitctl", *verb], cwd=installed, env=environment(), stderr=subprocess.PIPE
    )
    if verb == ["restart"]:
        eventually(lambda: not keeper.is_alive(), "the restart has stopped the bot")
    else:
        # From here on its daemon is on its way, and for a second nobody can see it.
        eventually(log.exists, "the start starts its daemon")
    stopped = jitctl("stop")
    told = asked.communicate(timeout=60)[1].decode()
    assert stopped.returncode in (0, 5), stopped.stderr
    if stopped.returncode == 0:
        assert asked.returncode != 0, told
        assert process_named(lock) is None
        assert stops(installed / "run") > 0


def test_a_stop_that_no_keeper_counts_is_counted_by_who_asks(installed, jitctl):
    # Its daemon has the lock and does not listen: not yet, or not any more for another's stop.
    run = installed / "run"
    run.mkdir()
    create_record(run / "keeper.lock", ProcessIdentity.current().as_dict())
    assert jitctl("stop").returncode == 5
    assert stops(run) == 1
    (run / "keeper.lock").unlink()
