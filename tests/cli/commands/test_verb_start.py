"""start: ready or the reason why not, once, in either mode."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from contextlib import contextmanager

import pytest
from installation import environment, eventually

from jitctl.safety.process_identity import ProcessIdentity


def test_foreground_shows_the_log_and_ends_with_stop(installed, jitctl):
    with _foreground(installed) as process:
        eventually(lambda: "daemon_ready" in _log(installed), "the bot is ready")
        assert jitctl("stop").returncode == 0
        assert process.wait(20) == 0
        assert "daemon_ready" in process.stderr.read()


def test_foreground_that_is_stopped_while_starting_says_so(installed, jitctl):
    with _foreground(installed, behaviour="never-ready") as process:
        eventually(lambda: "engine_spawned" in _log(installed), "the engine is starting")
        assert jitctl("stop").returncode == 0
        assert process.wait(20) == 9
        log = process.stderr.read()
        assert "start_failed" in log
        assert "daemon_ready" not in log


def test_first_signal_ends_the_foreground_in_good_order(installed, jitctl):
    with _foreground(installed) as process:
        eventually(lambda: "daemon_ready" in _log(installed), "the bot is ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert '"door": "signal"' in (installed / "data" / "audit.jsonl").read_text()


@pytest.mark.parametrize("behaviour", ["never-ready", "never-ready hang-on-stop"])
def test_signals_end_a_start_that_is_under_way(installed, jitctl, behaviour):
    with _foreground(installed, behaviour=behaviour) as process:
        eventually(lambda: "engine_spawned" in _log(installed), "the engine is starting")
        process.send_signal(signal.SIGINT)
        eventually(lambda: "signal_received" in _log(installed), "the first signal is followed")
        if "hang-on-stop" in behaviour:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 9
    assert ("ending at once" in _log(installed)) == ("hang-on-stop" in behaviour)
    (engine,) = (json.loads(line)["pid"] for line in _log(installed).splitlines() if "engine_spawned" in line)
    assert ProcessIdentity.of(engine) is None
    assert not (installed / "run" / "jitctl.sock").exists()


def test_terminal_that_closes_leaves_the_bot_running(installed, jitctl):
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "jitctl", "start", "--mode", "test", "--foreground"]
    process = subprocess.Popen(
        argv,
        cwd=installed,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # What login does: the terminal becomes the one whose end is a SIGHUP.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        os.close(theirs)
        eventually(lambda: "daemon_ready" in _log(installed), "the bot is ready")
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert jitctl("pause").returncode == 0
        assert jitctl("resume").returncode == 0
        assert _log(installed).count("operator_command") == 3  # the start is one
        assert jitctl("stop").returncode == 0
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(10)


def test_started_bot_is_reported_and_started_once(installed, jitctl):
    started = jitctl("start", "--mode", "test")
    assert started.returncode == 0, started.stderr
    assert "RUNNING" in started.stdout
    assert "nothing is submitted" in started.stdout
    again = jitctl("start", "--mode", "test")
    assert (again.returncode, "already running" in again.stderr) == (0, True)


def test_production_asks_and_replaces_the_test_engine(installed, jitctl):
    assert jitctl("start", "--mode", "test").returncode == 0
    asked = jitctl("start", "--mode", "production")
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    switched = jitctl("start", "--mode", "production", "--yes", "--force", "--reason", "go", "-o", "json")
    assert json.loads(switched.stdout)["mode"] == "production"
    assert jitctl("start", "--mode", "test").returncode == 9


@contextmanager
def _foreground(installed, behaviour=""):
    argv = [sys.executable, "-m", "jitctl", "start", "--mode", "test", "--foreground"]
    process = subprocess.Popen(
        argv, cwd=installed, env=environment(behaviour), stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


def _log(installed):
    path = installed / "logs" / "jit-bot.log"
    return path.read_text() if path.exists() else ""
