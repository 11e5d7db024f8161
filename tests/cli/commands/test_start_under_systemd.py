"""start, stop and restart where systemd runs the bot: through systemctl, or with a reason why not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from installation import JITCTL_TOML, write_config

FAKE = Path(__file__).parents[1] / "fake_systemctl.py"
UNIT = "jitctl.service"


class Systemd:
    """The fake's folder, and `jitctl` in an environment where systemd is the init."""

    def __init__(self, base, run):
        self.base, self._run = base, run
        self.folder = base / "systemd"
        self.folder.mkdir()
        program = base / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
        program.chmod(0o755)
        self.env = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "FAKE_SYSTEMD": str(self.folder),
            "FAKE_CONFIG": str(base / "config"),
            "JITCTL_SYSTEMD_RUN": str(self.folder),
        }
        self.mode("test")

    def mode(self, word):
        (self.folder / "service.env").write_text(f"JITCTL_MODE={word}\n")

    def jitctl(self, *args, **more):
        return self._run(*args, env={**self.env, **more.pop("env", {})}, **more)

    def asked(self):
        """What systemctl was asked to do since the last question."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return [line.split()[0] for line in lines if not line.startswith(("show", "reset-failed"))]


@pytest.fixture
def systemd(tmp_path, jitctl):
    write_config(tmp_path, jitctl=f'{JITCTL_TOML}\n[service]\nsystemd_unit = "{UNIT}"\n')
    found = Systemd(tmp_path, jitctl)
    yield found
    (found.folder / "denied").unlink(missing_ok=True)
    found.jitctl("stop")


def test_a_unit_is_started_and_stopped_through_systemctl(systemd):
    started = systemd.jitctl("start", "--mode", "test", "-o", "json")
    assert started.returncode == 0, started.stderr
    status = json.loads(started.stdout)
    assert (status["state"], status["mode"]) == ("RUNNING", "test")
    assert status["keeperPid"] == int((systemd.folder / "pid").read_text())
    assert systemd.asked() == ["start"]
    again = systemd.jitctl("start", "--mode", "test")
    assert (again.returncode, "already running" in again.stderr, systemd.asked()) == (0, True, [])

    restarted = systemd.jitctl("restart", "-o", "json")
    assert json.loads(restarted.stdout)["keeperPid"] not in (status["keeperPid"], 0)
    assert systemd.asked() == ["restart"]

    (systemd.folder / "denied").touch()
    for verb in ("stop", "restart"):
        refused = systemd.jitctl(verb)
        assert (refused.returncode, f"sudo systemctl {verb} {UNIT}" in refused.stderr) == (6, True)
    (systemd.folder / "denied").unlink()

    systemd.asked()
    stopped = systemd.jitctl("stop", "--reason", "done")
    assert (stopped.returncode, stopped.stdout) == (0, f"stopped: systemctl stop {UNIT}\n")
    assert "no reason" in stopped.stderr
    assert systemd.asked() == ["stop"]
    assert systemd.jitctl("stop").stdout == "already stopped\n"
    (systemd.folder / "denied").touch()
    refused = systemd.jitctl("start", "--mode", "test", "-o", "json")
    assert refused.returncode == 6
    assert json.loads(refused.stderr)["error"]["hint"] == f"sudo systemctl start {UNIT}"


def test_a_mode_that_is_not_the_units_is_never_started(systemd):
    wrong = systemd.jitctl("start", "--mode", "production", "--yes")
    assert wrong.returncode == 9
    assert f"{UNIT} starts the bot in mode test, not production" in wrong.stderr
    assert f"JITCTL_MODE=production in {systemd.folder}/service.env" in wrong.stderr
    systemd.mode("production")
    assert systemd.jitctl("start", "--mode", "test").returncode == 9
    forced = systemd.jitctl("start", "--mode", "production", "--yes", "--force", "--reason", "go")
    assert (forced.returncode, "takes no --force" in forced.stderr) == (2, True)
    unproved = systemd.jitctl("start", "--mode", "production", "--yes")
    assert (unproved.returncode, "needs a passing validate-live" in unproved.stderr) == (9, True)
    assert systemd.asked() == ["start"]
    (systemd.folder / "service.env").unlink()
    (systemd.folder / "service.env").mkdir()
    unknown = systemd.jitctl("start", "--mode", "test")
    assert (unknown.returncode, "cannot tell in which mode" in unknown.stderr) == (8, True)
    (systemd.folder / "absent").touch()
    absent = systemd.jitctl("start", "--mode", "test")
    assert (absent.returncode, f"no usable unit {UNIT} (not-found)" in absent.stderr) == (1, True)
    assert systemd.asked() == []


def test_production_over_the_units_test_bot_keeps_the_keeper_and_says_what_the_unit_would_do(systemd):
    before = json.loads(systemd.jitctl("start", "--mode", "test", "-o", "json").stdout)
    forced = ("--mode", "production", "--yes", "--force", "--reason", "go")
    after = systemd.jitctl("start", *forced, "-o", "json")
    assert json.loads(after.stdout)["mode"] == "production"
    assert json.loads(after.stdout)["keeperPid"] == before["keeperPid"]
    assert "until the next start" in after.stderr
    assert systemd.asked() == ["start"]
    # Back in the mode that ran: the unit would not, and nothing is stopped for it.
    refused = systemd.jitctl("restart", "--yes")
    assert (refused.returncode, systemd.asked()) == (9, [])
    systemd.mode("production")
    back = systemd.jitctl("restart", "--yes", "-o", "json")
    assert (json.loads(back.stdout)["mode"], systemd.asked()) == ("production", ["restart"])


def test_a_unit_that_fails_is_shown_with_the_logs_last_lines(systemd):
    failed = systemd.jitctl("start", "--mode", "test", behaviour="fail-starting")
    assert failed.returncode == 9, failed.stderr
    # In the daemon's own words, which those may read too who may not read its log.
    assert f"{UNIT} did not come up: " in failed.stderr.splitlines()[0]
    assert "already in use" in failed.stderr.splitlines()[0]
    assert "the log's last lines" in failed.stderr
    assert "already in use" in failed.stderr
    assert f"journalctl -u {UNIT}" in failed.stderr
    # What the unit itself says, for the journal.
    assert "already in use" in (systemd.folder / "journal").read_text()


def test_earlier_starts_do_not_keep_a_person_from_starting(systemd):
    (systemd.folder / "limited").touch()
    assert systemd.jitctl("start", "--mode", "test").returncode == 0
    (systemd.folder / "limited").touch()
    assert systemd.jitctl("restart").returncode == 0


@pytest.mark.parametrize("verb", [["start", "--mode", "test"], ["restart"]])
def test_a_stop_that_somebody_else_asks_for_meanwhile_holds(systemd, verb):
    if verb == ["restart"]:
        assert systemd.jitctl("start", "--mode", "test").returncode == 0
    else:
        (systemd.base / "run").mkdir()
    (systemd.folder / "meanwhile").touch()
    systemd.asked()
    refused = systemd.jitctl(*verb)
    assert (refused.returncode, "was told to stop" in refused.stderr) == (9, True), refused.stderr
    assert "start" not in systemd.asked()


def test_without_systemd_as_init_the_bot_is_run_by_hand(systemd):
    by_hand = {"JITCTL_SYSTEMD_RUN": str(systemd.base / "nowhere")}
    assert systemd.jitctl("start", "--mode", "test", env=by_hand).returncode == 0
    assert systemd.asked() == []
    # Started by hand, stopped while systemd is there: the unit is down, so the socket is asked.
    stopped = systemd.jitctl("stop")
    assert (stopped.returncode, stopped.stdout, systemd.asked()) == (0, "stopped\n", [])


def test_a_bot_is_stopped_though_systemd_does_not_know_its_unit(systemd):
    by_hand = {"JITCTL_SYSTEMD_RUN": str(systemd.base / "nowhere")}
    assert systemd.jitctl("start", "--mode", "test", env=by_hand).returncode == 0
    (systemd.folder / "absent").touch()
    stopped = systemd.jitctl("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n"), stopped.stderr
    # With nobody there it is not said to be stopped: what systemd does with it is not known.
    unknown = systemd.jitctl("stop")
    assert (unknown.returncode, f"no usable unit {UNIT}" in unknown.stderr) == (1, True)
    (systemd.folder / "absent").unlink()


def test_a_stop_that_systemd_could_not_yet_show_a_start_holds(systemd):
    (systemd.base / "run").mkdir()
    (systemd.folder / "starting").touch()
    refused = systemd.jitctl("start", "--mode", "test")
    assert (refused.returncode, "was told to stop" in refused.stderr) == (9, True), refused.stderr
    assert systemd.asked() == ["start", "stop"]
