"""systemd in front of start, stop and restart, where a unit runs the bot; systemctl is found on PATH."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from jitctl.errors import CannotDetermine, JitError, PermissionDenied, Refused, TimedOut, UsageError

ENV_SYSTEMD_RUN = "JITCTL_SYSTEMD_RUN"
SYSTEMD_RUN = "/run/systemd/system"
"""Exists where systemd is the init; the variable names another folder, for containers and tests."""
MODE_KEY = "JITCTL_MODE"
SHOW_LIMIT_S = 10.0
DOWN = frozenset({"inactive", "failed"})
FAILED = "failed: "
"""How a daemon that cannot start begins what it tells systemd."""
_NO_PERMISSION = 4
_NOT_ALLOWED = re.compile(r"access denied|authentication|permission denied|not permitted", re.I)


class Unit(NamedTuple):
    """What systemd says of a unit; `mode` is empty if it cannot be told, `mode_source` says where from.

    `exit_status` is 0 unless its process ended the unit by it; `said` is the last that the bot told systemd.
    """

    name: str
    active: str
    mode: str
    mode_source: str
    exit_status: int
    said: str = ""

    @property
    def down(self) -> bool:
        return self.active in DOWN

    @property
    def failure(self) -> str:
        """Why the bot did not come up, in its own words; empty if it said nothing of the kind."""
        return self.said.removeprefix(FAILED) if self.exit_status and self.said.startswith(FAILED) else ""

    @property
    def tried_again(self) -> bool:
        """Whether systemd is about to start it again by itself."""
        return self.active == "activating"


def unit_in_charge(config_dir: Path) -> str:
    """Return the name of the unit that runs this bot; empty where it is run by hand."""
    from jitctl.config.locate import quick_unit

    if not Path(os.environ.get(ENV_SYSTEMD_RUN) or SYSTEMD_RUN).is_dir() or shutil.which("systemctl") is None:
        return ""
    return quick_unit(config_dir)


def describe(name: str) -> Unit:
    """Return what systemd knows of a unit; raises `JitError` where it knows none of that name."""
    wanted = (
        "LoadState", "ActiveState", "Result", "ExecMainStatus", "StatusText",
        "Environment", "EnvironmentFiles", "ExecStart",
    )  # fmt: skip
    done = _systemctl(["show", name, *(f"--property={each}" for each in wanted)], SHOW_LIMIT_S)
    if done.returncode != 0:
        raise _failed("show", name, done)
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        found.setdefault(key, []).append(value)
    if found.get("LoadState") != ["loaded"]:
        raise JitError(
            f"systemd has no usable unit {name} ({' '.join(found.get('LoadState', ['unknown']))})",
            hint='install it as the runbook says ("Under systemd"), or correct [service] systemd_unit',
        )
    mode, source = _mode(found)
    # Of an older run, unless this one got as far as a process that ended.
    status = "".join(found.get("ExecMainStatus", [])) if found.get("Result") == ["exit-code"] else ""
    active, said = "".join(found.get("ActiveState", [])), "".join(found.get("StatusText", []))
    return Unit(name, active, mode, source, int(status or 0), said)


def require_mode(unit: Unit, mode: str) -> None:
    """Raise unless the unit would start the bot in this mode: systemd takes no mode from us."""
    if not unit.mode:
        raise CannotDetermine(
            f"cannot tell in which mode {unit.name} would start the bot",
            hint=f"see to {MODE_KEY} in {unit.mode_source or 'its EnvironmentFile'}, then run: "
            f"sudo systemctl start {unit.name}",
        )
    if unit.mode != mode:
        raise Refused(
            f"{unit.name} starts the bot in mode {unit.mode}, not {mode}",
            hint=f"set {MODE_KEY}={mode} in {unit.mode_source}, or ask for --mode {unit.mode}",
        )


def require_plain(name: str, *, force: bool) -> None:
    """Raise for what systemd cannot pass on to the bot."""
    if force:
        raise UsageError(
            f"{name} takes no --force",
            hint="start in mode test, then: jitctl start --mode production --force --reason ...",
        )


def control(action: str, name: str, limit_s: float) -> None:
    """Run `systemctl ACTION NAME`; `PermissionDenied` says the exact line for sudo."""
    if action in ("start", "restart"):
        # A person asks: how often it was started before counts for nothing. Else a restart that meets the
        # limit ends the bot and leaves it down. Without the right to, the action itself says so.
        _systemctl(["reset-failed", "--no-ask-password", name], limit_s)
    try:
        done = _systemctl([action, "--no-ask-password", name], limit_s)
    except TimedOut:
        raise TimedOut(
            f"systemctl {action} {name} has not come back within {limit_s:g} s",
            hint=f"it goes on; follow it with: systemctl status {name}",
        ) from None
    if done.returncode != 0:
        raise _failed(action, name, done)


def _failed(action: str, name: str, done: subprocess.CompletedProcess[str]) -> JitError:
    said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
    if done.returncode == _NO_PERMISSION or _NOT_ALLOWED.search(said):
        return PermissionDenied(
            f"you may not {action} {name}: {said}", hint=f"sudo systemctl {action} {name}"
        )
    return JitError(f"systemctl {action} {name} failed: {said}", hint=f"journalctl -u {name} -n 30")


def _systemctl(words: list[str], limit_s: float) -> subprocess.CompletedProcess[str]:
    argv = ["systemctl", *words]
    try:
        return subprocess.run(  # noqa: S603  # the system's own systemctl, words of our own
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimedOut(f"systemctl {words[0]} did not answer within {limit_s:g} s") from None
    except OSError as error:
        raise JitError(f"cannot run systemctl: {error.strerror or error}") from None


def _mode(found: dict[str, list[str]]) -> tuple[str, str]:
    """Return the mode that the unit's own command line names, and where that is set."""
    named = re.search(r"--mode[ =]([^\s;]+)", " ".join(found.get("ExecStart", [])))
    word = named[1] if named else ""
    if word not in (f"${{{MODE_KEY}}}", f"${MODE_KEY}"):
        return (word, "its ExecStart") if word in ("test", "production") else ("", "its ExecStart")
    mode, source = _value(" ".join(found.get("Environment", []))), "its Environment"
    # As systemd does it: files win over Environment=, and a later file over an earlier one.
    for line in found.get("EnvironmentFiles", []):
        path = line.rsplit(" (", 1)[0].strip()
        if path:
            source = path
            try:
                mode = _value(Path(path).read_text(encoding="utf-8")) or mode
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                return "", path
    return mode if mode in ("test", "production") else "", source


def _value(text: str) -> str:
    """Return the last value of the mode's key among assignments."""
    value = ""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return ""
    for word in words:
        key, _, given = word.partition("=")
        value = given if key == MODE_KEY else value
    return value
