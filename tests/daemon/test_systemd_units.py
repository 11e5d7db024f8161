"""The units that we ship: systemd's own tools accept them, and what they run exists."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from jitctl.cli.verbs import BY_NAME
from jitctl.daemon.operations import COMMAND_LIMIT_S
from jitctl.daemon.stopping import STOP_LIMIT_S
from jitctl.errors import ConfigError, Refused, UsageError

UNITS = Path(__file__).parents[2] / "config" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
TIMERS = sorted(path.name for path in UNITS.glob("*.timer"))
EXECUTABLE = "/usr/local/bin/jitctl"
MAX_EXPOSURE = 2.5


def read(name):
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str
    unit.read(UNITS / name)
    return unit


def words_of(name):
    words = shlex.split(read(name)["Service"]["ExecStart"])
    assert words[:3] == [EXECUTABLE, "--config-dir", "/etc/jitctl"]
    return words[3:]


def analyze(*args):
    found = subprocess.run(
        ["systemd-analyze", "--no-pager", *args], capture_output=True, text=True, timeout=120
    )
    return found.returncode, found.stdout + found.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Copies that run a program which is there."""
    folder = tmp_path_factory.mktemp("units")
    for path in UNITS.glob("*.*"):
        (folder / path.name).write_text(path.read_text().replace(EXECUTABLE, "/bin/true"))
    return folder


def test_systemd_accepts_every_unit(installed):
    # By path, so that timers find the services beside them and nothing of this machine is asked.
    code, said = analyze("verify", "--man=no", *(str(installed / name) for name in SERVICES + TIMERS))
    assert (code, said) == (0, "")


def test_systemd_rates_every_service_as_well_confined(installed):
    for name in SERVICES:
        _, said = analyze("security", "--offline=true", str(installed / name))
        (exposure,) = re.findall(rf"exposure level for {re.escape(name)}: ([0-9.]+)", said)
        assert float(exposure) < MAX_EXPOSURE, said


@pytest.mark.parametrize("name", SERVICES)
def test_every_unit_runs_a_verb_that_exists(name):
    assert words_of(name)[0] in BY_NAME


def test_every_timer_has_its_service():
    for name in TIMERS:
        assert name.replace(".timer", ".service") in SERVICES
    # The bot itself is started by a person or at boot, the rest by a timer.
    assert {"jitctl.service"} == set(SERVICES) - {name.replace(".timer", ".service") for name in TIMERS}


def test_service_ends_in_good_order_and_is_not_restarted_in_vain():
    service = read("jitctl.service")["Service"]
    assert (service["Type"], service["NotifyAccess"], service["KillMode"]) == ("notify", "main", "mixed")
    assert int(service["TimeoutStopSec"].removesuffix("s")) > STOP_LIMIT_S + COMMAND_LIMIT_S + 10
    hopeless = {UsageError.exit_code, ConfigError.exit_code, Refused.exit_code}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == hopeless
    assert words_of("jitctl.service") == [
        *("start", "--foreground", "--yes", "--reason", "systemd", "--mode", "${JITCTL_MODE}")
    ]
    # As shipped it submits nothing.
    assert "JITCTL_MODE=test" in (UNITS / "service.env").read_text().splitlines()
