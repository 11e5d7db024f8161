"""The keeper under a service manager: the test plays systemd; keeper and engine double are real processes."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from installation import JITCTL_TOML, eventually, running_keeper, write_config

from jitctl.daemon.sd_notify import MAX_STATUS_CHARACTERS, Notifier
from jitctl.errors import DaemonNotRunning, Refused
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity

WATCHDOG_S = 1.0
HUNG_AFTER_S = 2.0


class Manager:
    """The receiving end of $NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def read(self) -> list[str]:
        while True:
            try:
                message = self._socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard += message.split("\n")

    def hears(self, word: str, start: int = 0) -> int:
        """Return where `word` was heard after the first `start` messages, counted from 1; 0: not at all."""
        heard = self.read()
        return next((at + 1 for at, line in enumerate(heard[start:], start) if line.startswith(word)), 0)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path, monkeypatch):
    # Short, whatever the test's folder is called: the kernel takes 107 bytes.
    monkeypatch.chdir(tmp_path)
    found = Manager("notify")
    yield found
    found.close()


def told(tmp_path: Path) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6))}


def test_life_of_a_service_whose_engine_hangs(tmp_path, manager):
    write_config(tmp_path, jitctl=f"{JITCTL_TOML}\n[engine]\nhung_after_s = {HUNG_AFTER_S}\n")
    with running_keeper(tmp_path, env=told(tmp_path)) as keeper:
        status = eventually(lambda: manager.hears("STATUS=RUNNING, mode test"), "its state is told")
        ready = eventually(lambda: manager.hears("READY=1"), "readiness is told")
        assert manager.hears("EXTEND_TIMEOUT_USEC=") < ready
        assert status < ready
        engine = keeper.engine_pid()
        environ = Path(f"/proc/{engine}/environ").read_bytes()
        assert b"NOTIFY_SOCKET" not in environ
        assert b"WATCHDOG" not in environ

        fed = eventually(lambda: manager.hears("WATCHDOG=1", ready), "the watchdog is fed")
        os.kill(engine, signal.SIGSTOP)
        stopped = len(manager.read())
        eventually(lambda: manager.hears("WATCHDOG=1", max(stopped, fed)), "and fed while the engine hangs")
        ended = eventually(
            lambda: manager.hears("STATUS=STOPPED, mode test: engine hung for"), "the hung engine is ended"
        )
        eventually(lambda: manager.hears("WATCHDOG=1", ended), "the keeper is well, so it goes on")
        assert ProcessIdentity.of(engine) is None

        said = keeper.client().call("status")
        assert (said["state"], said["reason"].startswith("engine hung for")) == ("STOPPED", True)
        assert said["reason"].endswith("s; ended")
        assert Latch(tmp_path / "data").paused()
        assert keeper.audit()[-1]["verb"] == "end-hung-engine"
        assert keeper.audit()[-1]["outcome"] == "ok"
        assert {"engine_hung", "engine_ended"} <= {line["event"] for line in keeper.log()}
        # As after a crash, the next engine comes up paused.
        assert keeper.client().call("start", timeout_s=60)["state"] == "PAUSED"
        eventually(lambda: manager.hears("STATUS=PAUSED, mode test", ended), "the new state is told")

        keeper.client().call("stop")
        assert keeper.process.wait(20) == 0
        stopping = manager.hears("STOPPING=1")
        assert stopping > ended
        assert [line for line in manager.heard if line in ("READY=1", "STOPPING=1")] == [
            "READY=1",
            "STOPPING=1",
        ]


def test_engine_that_is_slow_to_start_is_left_alone_and_time_is_asked_for(tmp_path, manager):
    write_config(tmp_path, jitctl=f"{JITCTL_TOML}\n[engine]\nhung_after_s = 1\n")
    with running_keeper(tmp_path, behaviour="never-ready", env=told(tmp_path), wait=False) as keeper:
        asked = 0
        for _ in range(5):
            asked = eventually(lambda at=asked: manager.hears("EXTEND_TIMEOUT_USEC=", at), "it asks for time")
        status = keeper.client().call("status")
        assert status["engine"]["alive"] is True
        assert not manager.hears("READY=1")
        assert "engine_hung" not in {line["event"] for line in keeper.log()}
        # One that says nothing any more is not waited for without end: systemd's own limit is left to pass.
        os.kill(status["engine"]["pid"], signal.SIGSTOP)
        eventually(lambda: manager.read()[-2:] == ["WATCHDOG=1"] * 2, "it asks for no more time")
        keeper.process.send_signal(signal.SIGTERM)
        # No failure, after which systemd would start it again.
        assert keeper.process.wait(20) == Refused.exit_code
        assert manager.hears("STOPPING=1")


def answers(keeper) -> bool:
    try:
        return bool(keeper.client().call("status")["engine"]["alive"])
    except DaemonNotRunning:
        return False


def test_a_stop_of_a_bot_that_starts_is_none_that_systemd_mends(tmp_path):
    with running_keeper(tmp_path, behaviour="never-ready", wait=False) as keeper:
        eventually(lambda: answers(keeper), "the keeper answers")
        assert keeper.client().call("stop", body={})["message"].startswith("stopped")
        assert keeper.process.wait(20) == Refused.exit_code


def test_abstract_names_reach_and_nothing_is_said_without_a_socket():
    name = f"@jitctl-test-{os.getpid()}"
    receiver = Manager(name)
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7", "HOME": "/"}
    try:
        notifier = Notifier.from_environment(environ, pid=7)
        assert environ == {"HOME": "/"}
        assert (notifier.heard, notifier.watched, notifier.beat_s) == (True, True, 1.5)
        notifier.beat()
        notifier.ready()
        notifier.ready()
        notifier.status("first\nREADY=1 http://me:secret@node " + "x" * 1000)
        notifier.beat()
        notifier.stopping()
        assert receiver.read() == [
            "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=6000000", "READY=1",
            "STATUS=" + ("first READY=1 http://<redacted>@node " + "x" * 1000)[:MAX_STATUS_CHARACTERS],
            "WATCHDOG=1", "STOPPING=1",
        ]  # fmt: skip
    finally:
        receiver.close()
    # Its manager is gone: quiet, as without one.
    notifier.beat()
    silent = Notifier.from_environment({})
    silent.ready()
    assert not silent.heard
    assert not Notifier.from_environment({"NOTIFY_SOCKET": "vsock:2:3"}).heard


def test_watchdog_of_another_process_is_not_fed():
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}
    notifier = Notifier.from_environment(environ, pid=7)
    assert not notifier.watched
    assert notifier.beat_s == 10.0


def test_what_a_full_socket_refused_is_sent_later(tmp_path, manager):
    notifier = Notifier(str(tmp_path / "notify"), 2.0)
    count = 0
    while not notifier._owed:
        notifier.status(f"line {count}")
        count += 1
    notifier.ready()
    notifier.beat()
    assert "READY=1" not in manager.read()
    notifier.status("last")
    heard = manager.read()
    assert heard[-2:] == ["READY=1", "STATUS=last"]
    assert f"STATUS=line {count - 1}" in heard
