"""`jitctl stop`."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, ReasonOption
from jitctl.cli.render import Format
from jitctl.errors import DaemonNotRunning, TimedOut

if TYPE_CHECKING:
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
    done already, exit code 0.

    Example: jitctl stop --reason "host maintenance"
    """
    from jitctl.control.client import DaemonSilent

    found = options.folders(ctx)
    daemon = _daemon(found.pid_file)
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
    except DaemonNotRunning:
        if daemon is None or not daemon.is_alive():
            reply = {"verb": "stop", "changed": False, "state": "STOPPED", "message": "already stopped"}
            render.result(reply, output, render.action_text)
            return
        if not _wait(daemon, LOST_LIMIT_S):
            raise TimedOut(
                f"the daemon (pid {daemon.pid}) runs but does not answer on {found.socket}",
                hint=f"end it with: kill {daemon.pid} (a second time to end it at once)",
            ) from None
        reply = {"verb": "stop", "changed": True, "state": "STOPPED", "message": "stopped"}
    options.warn_of_version(asked)
    if daemon is not None and not _wait(daemon, EXIT_LIMIT_S):
        raise TimedOut(f"the engine has stopped, but the daemon (pid {daemon.pid}) has not ended")
    render.result(reply, output, render.action_text)


def _daemon(pid_file: os.PathLike[str]) -> ProcessIdentity | None:
    """Return the process that the pid file names, alive or not."""
    from pathlib import Path

    from jitctl.safety.durable import read_record
    from jitctl.safety.process_identity import ProcessIdentity

    return ProcessIdentity.from_dict(read_record(Path(pid_file)))


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
