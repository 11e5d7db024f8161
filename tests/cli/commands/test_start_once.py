"""One bot a folder: racing starts, files that a killed daemon left, numbers that were handed out again."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from installation import eventually, running_keeper

from jitctl.control.client import Client
from jitctl.errors import Refused
from jitctl.safety.process_identity import ProcessIdentity

STARTS = 50


def test_of_fifty_starts_at_once_one_wins(installed, jitctl):
    with ThreadPoolExecutor(STARTS) as many:
        found = list(many.map(lambda _: jitctl("start", "--mode", "test", timeout=280), range(STARTS)))
    assert {each.returncode for each in found} <= {0, 9}, [each.stderr for each in found]
    assert sum("already running" not in each.stderr for each in found if each.returncode == 0) == 1
    winner = json.loads((installed / "run" / "jitctl.pid").read_text())["pid"]
    owner = f"pid {winner} (user {getpass.getuser()}, since 2"
    assert [each.stderr for each in found if each.returncode == 9 and owner not in each.stderr] == []
    events = [
        json.loads(line)["event"] for line in (installed / "logs" / "jit-bot.log").read_text().splitlines()
    ]
    assert (events.count("daemon_started"), events.count("engine_spawned")) == (1, 1)
    assert not {"start_failed", "daemon_stopped"} & set(events)


def test_a_start_beside_one_that_is_under_way_names_it(installed, jitctl):
    with running_keeper(installed, behaviour="never-ready", wait=False) as first:
        log = installed / "logs" / "jit-bot.log"
        eventually(lambda: log.exists() and "engine_spawned" in log.read_text(), "the first is starting")
        second = jitctl("start", "--mode", "test")
        assert second.returncode == 9
        assert f"pid {first.process.pid} (user {getpass.getuser()}, since 2" in second.stderr
        # Whoever asks the keeper itself is told the same: there will be one engine.
        with pytest.raises(Refused, match=f"starting or stopping in .*pid {first.process.pid} "):
            first.client().call("start", body={"mode": "production"})
        assert [line["event"] for line in first.log()].count("engine_spawned") == 1
        # Also where its socket cannot be asked yet, or any more.
        first.socket.rename(first.socket.with_name("elsewhere"))
        third = jitctl("start", "--mode", "test", "-o", "json")
        assert third.returncode == 9
        assert f"pid {first.process.pid} " in json.loads(third.stderr)["error"]["message"]
        first.socket.with_name("elsewhere").rename(first.socket)


def test_files_that_name_another_process_confuse_nobody(installed, jitctl):
    run = installed / "run"
    run.mkdir()
    bystander = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        now = ProcessIdentity.of(bystander.pid)
        # A daemon of long ago had the number that this process has now.
        stale = {
            **now.as_dict(),
            "start_ticks": now.start_ticks - 1,
            "mode": "test",
            "user": "x",
            "about": "y",
        }
        for name in ("jitctl.pid", "keeper.lock"):
            (run / name).write_text(json.dumps(stale))
        status = jitctl("status")
        assert (status.returncode, str(bystander.pid) in status.stderr) == (3, False)
        assert jitctl("stop").stdout == "already stopped\n"
        started = jitctl("start", "--mode", "test", "-o", "json")
        assert started.returncode == 0, started.stderr
        pid = json.loads((run / "jitctl.pid").read_text())["pid"]
        assert pid == json.loads(started.stdout)["keeperPid"] != bystander.pid
        # Killed, it leaves pid file and socket behind.
        engine = json.loads(started.stdout)["engine"]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: ProcessIdentity.of(pid) is None and ProcessIdentity.of(engine) is None, "it is gone"
        )
        assert (run / "jitctl.sock").exists()
        assert jitctl("status").returncode == 3
        assert jitctl("stop").stdout == "already stopped\n"
        assert jitctl("start", "--mode", "test").returncode == 0
        assert Client(run / "jitctl.sock").call("status")["keeperPid"] != pid
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
