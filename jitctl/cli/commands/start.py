"""`jitctl start`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.confirm import confirm, place
from jitctl.cli.options import OutputOption, ReasonOption, YesOption
from jitctl.cli.render import Format
from jitctl.errors import (
    ERRORS_BY_CODE,
    ConfigError,
    DaemonNotRunning,
    JitError,
    PermissionDenied,
    Refused,
    TimedOut,
    UsageError,
)

if TYPE_CHECKING:
    from jitctl.config.locate import Folders

READY_LIMIT_S = 90.0
LOG_LINES = 10


class Mode(StrEnum):
    """`test` submits nothing, `production` does."""

    TEST = "test"
    PRODUCTION = "production"


def start(
    ctx: typer.Context,
    mode: Annotated[
        Mode, typer.Option("--mode", help="test: everything but submitting; production: submits.")
    ],
    foreground: Annotated[
        bool,
        typer.Option(
            "--foreground", help="Stay in this terminal and show the log (for systemd, containers)."
        ),
    ] = False,
    reason: ReasonOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Production without a passing validate-live; needs --reason.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Start the bot, in test or production mode.

    Returns when the bot is ready, or says why it is not, with the log's last lines. Over a running test
    bot, --mode production replaces its engine; it wants a validate-live of the same configuration that
    passed within a day, or one that ran in production until then, else exit code 9. It asks first, naming
    chain and executor. Starting what runs already is done, exit code 0. Where [service] names a systemd
    unit, this goes through systemctl.

    Example: jitctl start --mode test
    """
    found = bring_up(ctx, mode, foreground=foreground, reason=reason, force=force, yes=yes)
    render.result(found, output, status_text)


def bring_up(
    ctx: typer.Context,
    mode: Mode,
    *,
    foreground: bool = False,
    reason: str = "",
    force: bool = False,
    yes: bool = False,
    seen: int | None = None,
) -> dict[str, Any]:
    """Start the bot, or find it started, and return its status; with `foreground` become it.

    Raises `Refused` if the bot was told to stop more often than `seen`, by default than until now.
    """
    from jitctl.cli import service
    from jitctl.safety import keeper_lock, stop_count

    found = options.folders(ctx)
    seen = stop_count.stops(found.run) if seen is None else seen
    running = running_bot(ctx)
    if running is not None:
        return _over_running(ctx, running, mode, {"reason": reason, "force": force}, yes)
    if (owner := keeper_lock.keeper_of(found.run)) is not None:
        raise keeper_lock.taken(found.run, owner)
    if mode is Mode.PRODUCTION and not yes:
        confirm(f"start a bot that submits to {place(found.config)}", word="production")
    unit = service.unit_in_charge(found.config)
    if foreground or not unit:
        # Where stops are counted: without it a stop that meets this start leaves no trace. Its daemon says
        # what is wrong where it cannot be made.
        with contextlib.suppress(OSError):
            found.run.mkdir(parents=True, exist_ok=True, mode=0o750)
    argv = [sys.executable, "-m", "jitctl.daemon.process", "--config-dir", str(found.config), "--mode", mode]
    argv += ["--stops", str(seen)]
    argv += ["--reason", reason] if reason else []
    argv += ["--force"] if force else []
    if foreground:
        if unit and "INVOCATION_ID" not in os.environ:
            render.note(f"run by hand: {unit} does not know of this bot")
        os.execv(sys.executable, [*argv, "--mirror"])  # noqa: S606  # our own interpreter and module
    if unit:
        service.require_plain(unit, force=force)
        service.require_mode(service.describe(unit), mode)
        return through_systemd(ctx, "start", unit, seen)
    return _detached(argv, found)


def running_bot(ctx: typer.Context) -> dict[str, Any] | None:
    """Return the status of the daemon that answers, None if none does."""
    try:
        return options.client(ctx, timeout_s=5.0).call("status", probe=True)
    except DaemonNotRunning:
        return None


def through_systemd(ctx: typer.Context, action: str, unit: str, seen: int) -> dict[str, Any]:
    """Have systemd start or restart the bot's unit and return the bot's status; says why if it fails.

    Raises `Refused` if the bot was told to stop more often than `seen`.
    """
    from jitctl.cli import service
    from jitctl.safety.stop_count import require_no_stop_since, stops

    found, began_s = options.folders(ctx), time.time()
    require_no_stop_since(found.run, seen)
    try:
        service.control(action, unit, READY_LIMIT_S)
    except (PermissionDenied, TimedOut):
        raise
    except JitError as error:
        kinds = {kind.exit_code: kind for kind in (UsageError, ConfigError, Refused)}
        known = service.describe(unit)
        kind = kinds.get(known.exit_status, JitError)
        message = f"{unit} did not come up: {known.failure}" if known.failure else error.message
        again = f"; systemd tries again, until: sudo systemctl stop {unit}" if known.tried_again else ""
        raise kind(_with_last_lines(message, found, began_s), hint=error.hint + again) from None
    if action == "start" and stops(found.run) > seen:
        # Counted after we looked, and before systemd could show whoever stopped that a start was on its way.
        service.control("stop", unit, READY_LIMIT_S)
        require_no_stop_since(found.run, seen)
    return options.client(ctx, timeout_s=5.0).call("status")


def _over_running(
    ctx: typer.Context, running: dict[str, Any], mode: Mode, asking: dict[str, Any], yes: bool
) -> dict[str, Any]:
    """A daemon is there already: say so, or have it bring up the engine that is asked for."""
    alive = bool(running.get("engine", {}).get("alive"))
    if alive and not running.get("ready"):
        from jitctl.safety import keeper_lock

        run = options.folders(ctx).run
        raise keeper_lock.taken(run, keeper_lock.keeper_of(run) or f"pid {running.get('keeperPid')}")
    if alive and running.get("mode") == mode:
        render.note(f"already running in mode {mode}")
        return running
    if alive and mode is Mode.TEST:
        raise Refused("a production bot runs here", hint="end it first: jitctl stop")
    if mode is Mode.PRODUCTION and not yes:
        where = place(options.config_dir(ctx), running)
        confirm(f"start a bot that submits to {where}", word="production")
    asked = options.client(ctx, timeout_s=READY_LIMIT_S)
    asked.call("start", body={**asking, "mode": str(mode)})
    _say_what_the_unit_does(ctx, mode)
    return asked.call("status")


def _say_what_the_unit_does(ctx: typer.Context, mode: Mode) -> None:
    """The running daemon has changed its mode; the unit, at its next start, would not."""
    from jitctl.cli import service

    unit = service.unit_in_charge(options.folders(ctx).config)
    if not unit:
        return
    try:
        service.require_mode(service.describe(unit), mode)
    except JitError as error:
        render.note(f"warning: this holds until the next start: {error.message}; {error.hint}")


def _detached(argv: list[str], found: Folders) -> dict[str, Any]:
    """Start the daemon in a session of its own and return its status once it is ready."""
    began_s = time.time()
    try:
        found.logs.mkdir(parents=True, exist_ok=True, mode=0o750)
        start_log = open(found.logs / "start.log", "wb")  # noqa: SIM115, PTH123  # the child inherits it
    except OSError as error:
        raise JitError(f"cannot write to {found.logs}: {error.strerror or error}") from None
    reader, writer = os.pipe()
    with start_log:
        daemon = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [*argv, "--ready-fd", str(writer)],
            pass_fds=(writer,),
            stdin=subprocess.DEVNULL,
            stdout=start_log,
            stderr=start_log,
            start_new_session=True,
            cwd=found.config.parent,
        )
    os.close(writer)
    answer = _first_line(reader, READY_LIMIT_S)
    if answer is None:
        raise TimedOut(
            f"the daemon (pid {daemon.pid}) has not said within {READY_LIMIT_S:g} s whether it is ready",
            hint="it goes on starting; follow it with: jitctl status",
        )
    if "status" in answer and "error" not in answer:
        status: dict[str, Any] = answer["status"]
        return status
    raise _failure(answer, found, began_s)


def _first_line(reader: int, limit_s: float) -> dict[str, Any] | None:
    """Return the daemon's one line, empty if it ended without one, None after `limit_s`."""
    raw, deadline = b"", time.monotonic() + limit_s
    try:
        while not raw.endswith(b"\n"):
            ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            chunk = os.read(reader, 65536)
            if not chunk:
                return {}
            raw += chunk
        answer = json.loads(raw)
        return answer if isinstance(answer, dict) else {}
    finally:
        os.close(reader)


def _failure(answer: dict[str, Any], found: Folders, began_s: float) -> JitError:
    body = answer.get("error") or {}
    kind = ERRORS_BY_CODE.get(str(body.get("code")), JitError)
    message = str(body.get("message") or "the daemon ended before it was ready")
    message = _with_last_lines(message, found, began_s, found.logs / "start.log")
    return kind(message, hint=str(body.get("hint") or f"the whole log: {found.log_file}"))


def _with_last_lines(message: str, found: Folders, began_s: float, early: Path | None = None) -> str:
    """Return the message with what the log says of this start; `early` is read where the log has nothing."""
    lines = _log_lines(found.log_file, began_s) or (_tail(early) if early else [])
    return "\n  ".join([f"{message}\nthe log's last lines:", *lines]) if lines else message


def _log_lines(log: Path, began_s: float) -> list[str]:
    """Return what the log says of this start, briefly."""
    since = datetime.fromtimestamp(began_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    lines = []
    for raw in _tail(log, 200):
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if str(line.get("time", "")) >= since:
            text = line.get("text") or line.get("state") or ""
            lines.append(f"{line.get('time')} {line.get('level')} {line.get('event')} {text}".rstrip())
    return lines[-LOG_LINES:]


def _tail(path: Path, count: int = LOG_LINES) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 65_536))
            return file.read().decode("utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        return []


def status_text(status: dict[str, Any]) -> str:
    """Return what a start shows of a status."""
    state, mode = str(status.get("state")), status.get("mode")
    reason = render.printable(str(status.get("reason") or ""))
    submits = mode == "production" and state == "RUNNING"
    word = render.state_word(state)
    return render.table(
        [
            ("state", f"{word} ({reason})" if reason else word),
            ("mode", f"{mode}: {'bundles are submitted' if submits else 'nothing is submitted'}"),
            ("next", render.NEXT.get(state, "")),
            ("daemon", f"pid {status.get('keeperPid')}"),
            ("http", str(status.get("http"))),
            ("log", str(status.get("logFile"))),
        ]
    )
