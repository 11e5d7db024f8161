"""start: ready or the reason why not, once, in either mode."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

from installation import environment, eventually


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
        assert process.wait(20) == 1
        log = process.stderr.read()
        assert "start_failed" in log
        assert "daemon_ready" not in log


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
    switched = jitctl("start", "--mode", "production", "--yes", "--reason", "go", "-o", "json")
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
