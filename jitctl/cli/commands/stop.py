"""`jitctl stop`."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, ReasonOption
from jitctl.cli.render import Format
from jitctl.errors import DaemonNotRunning, JitError, TimedOut

if TYPE_CHECKING:
    from jitctl.config.locate import Folders
    from jitctl.safety.process_identity import ProcessIdentity

STOP_LIMIT_S = 90.0
"""While it says that it lives; one that is silent is given up after a second."""
EXIT_LIMIT_S = 10.0
LOST_LIMIT_S = 1.0


def stop(ctx: typer.Context, reason: ReasonOption = "", output: OutputOption = Format.TEXT) -> None:
    """End the bot in good order.

    Nothing more is submitted, then engine and daemon end, and only then does this return. Bundles that
    were out are looked up on the chain at the next start. An engine that does not answer is ended within
    about a second, and the answer says so. Exit code 5: requested, not confirmed. Stopping a stopped bot is
    done already, exit code 0. Where [service] names a systemd unit, this goes through systemctl.

    Example: jitctl stop --reason "host maintenance"
    """
    render.result(end_bot(ctx, reason), output, render.action_text)


def end_bot(ctx: typer.Context, reason: str = "") -> dict[str, Any]:
    """Stop the bot, through systemd where a unit runs it, and return the reply once its daemon has ended.

    Raises `TimedOut` if it does not end, and whatever the daemon or systemctl refuse.
    """
    from jitctl.cli import service
    from jitctl.control.client import DaemonSilent, DaemonUnknown
    from jitctl.safety.stop_count import count_stop

    found = options.folders(ctx)
    daemon = _daemon(found)
    unit, unknown = service.unit_in_charge(found.config), None
    try:
        runs = bool(unit) and not service.describe(unit).down
    except JitError as error:
        # What runs here is stopped all the same: its exit code keeps systemd from starting it again.
        runs, unknown = False, error
    if runs:
        service.control("stop", unit, STOP_LIMIT_S)
        if reason:
            render.note("systemd passes no reason on: the audit trail shows SIGTERM")
        if daemon is None or not daemon.is_alive():
            return _reply(f"stopped: systemctl stop {unit}")
        # It outlived the unit, so somebody had started it by hand.
    asked = options.client(ctx, timeout_s=STOP_LIMIT_S)
    try:
        reply = asked.call("stop", body={"reason": reason}, probe=True)
    except DaemonSilent:
        which = f" (pid {daemon.pid})" if daemon is not None else ""
        raise TimedOut(
            f"the stop is requested, not confirmed: the daemon{which} does not answer",
            hint="nothing is submitted any more after: jitctl pause; then end the daemon"
            + (f": kill -9 {daemon.pid}, and its engine ends with it" if daemon is not None else ""),
        ) from None
    except DaemonNotRunning as gone:
        if (daemon is None or not daemon.is_alive()) and isinstance(gone, DaemonUnknown):
            raise
        # No keeper has counted this one: one may be on its way up, or on its way down for somebody else.
        there = os.path.exists(found.run)  # noqa: PTH110  # Path's raises where a parent is closed to us
        if not count_stop(found.run) and there:
            render.note(f"a start on its way would not know of this stop: {found.run} cannot be written")
        daemon = _daemon(found)
        if daemon is None or not daemon.is_alive():
            _require_no_engine(found)
            if unknown is not None:
                # systemd may have started it, or be about to.
                raise unknown from None
            return {**_reply("already stopped"), "changed": False}
        if not _wait(daemon, LOST_LIMIT_S):
            raise TimedOut(
                f"the daemon (pid {daemon.pid}) runs but does not answer on {found.socket}",
                hint=f"end it with: kill {daemon.pid} (a second time to end it at once)",
            ) from None
        reply = _reply("stopped")
    options.warn_of_version(asked)
    if daemon is not None and not _wait(daemon, EXIT_LIMIT_S):
        raise TimedOut(f"the engine has stopped, but the daemon (pid {daemon.pid}) has not ended")
    return reply


def _require_no_engine(found: Folders) -> None:
    """Raise `TimedOut` where an engine signs for this data folder though nothing in the run folder tells."""
    from jitctl.cli.without_keeper import data_in_use
    from jitctl.safety.barrier import SubmitBarrier

    signer = SubmitBarrier(data_in_use(found)).signer()
    if signer is not None and signer.is_alive():
        raise TimedOut(
            f"the stop is requested, not confirmed: nobody listens on {found.socket}, yet an engine runs"
            f" (pid {signer.pid})",
            hint="nothing is submitted any more after: jitctl pause; then end the daemon, the parent of that"
            f" process (`ps -o ppid= {signer.pid}` names it)",
        )


def _reply(message: str) -> dict[str, Any]:
    return {"verb": "stop", "changed": True, "state": "STOPPED", "message": message}


def _daemon(found: Folders) -> ProcessIdentity | None:
    """Return the folder's daemon, alive or not: from the pid file, and before it has one from its lock."""
    from jitctl.safety.durable import read_record
    from jitctl.safety.keeper_lock import keeper_process
    from jitctl.safety.process_identity import ProcessIdentity

    named = ProcessIdentity.from_dict(read_record(found.pid_file))
    return named if named is not None and named.is_alive() else keeper_process(found.run) or named


def _wait(process: ProcessIdentity, limit_s: float) -> bool:
    """Wait for a process to be gone; False if it still runs after `limit_s`."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        if not process.is_alive():
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(limit_s * 1000))
    finally:
        os.close(descriptor)
