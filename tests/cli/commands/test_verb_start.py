"""start: ready or the reason why not, once, in either mode."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from installation import environment, eventually, write_config


def test_start_that_fails_shows_why_and_the_last_lines(installed, jitctl):
    found = jitctl("start", "--mode", "test", behaviour="fail-starting")
    assert found.returncode == 9
    assert "already in use" in found.stderr
    assert "the log's last lines" in found.stderr
    assert "engine_spawned" in found.stderr
    dead = jitctl("start", "--mode", "test", "-o", "json", behaviour="die-starting")
    error = json.loads(dead.stderr)["error"]
    assert (dead.returncode, error["code"]) == (1, "failed")
    assert "Segmentation fault" in error["message"]


def test_start_with_a_wrong_configuration_says_where(installed, jitctl):
    write_config(installed, strategy="[limits]\n")
    found = jitctl("start", "--mode", "test")
    assert found.returncode == 4
    assert "strategy.toml:1:1: JC102" in found.stderr


def test_of_racing_starts_one_wins(installed, jitctl):
    with ThreadPoolExecutor(6) as many:
        found = list(many.map(lambda _: jitctl("start", "--mode", "test"), range(6)))
    codes = [each.returncode for each in found]
    assert set(codes) <= {0, 9}, [each.stderr for each in found]
    assert sum("already running" not in each.stderr for each in found if each.returncode == 0) == 1
    log = (installed / "logs" / "jit-bot.log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in log].count("engine_spawned") == 1


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
