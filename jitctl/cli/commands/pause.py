"""`jitctl pause`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, ReasonOption, Seconds
from jitctl.cli.render import Format
from jitctl.errors import DaemonNotRunning

ANSWER_LIMIT_S = 3.0
"""The keeper itself needs 2 s at most, and is found to be silent after 1 s."""

WaitOption = Annotated[
    bool, typer.Option("--wait", help="Return only when nothing is in flight and no position is open.")
]
TimeoutOption = Annotated[
    float,
    typer.Option("--timeout", click_type=Seconds(min=0), metavar="SECONDS", help="How long --wait waits."),
]


def pause(
    ctx: typer.Context,
    reason: ReasonOption = "",
    wait: WaitOption = False,
    timeout: TimeoutOption = 60.0,
    output: OutputOption = Format.TEXT,
) -> None:
    """Submit nothing more; returns once that is certain.

    The answer comes when no signature can follow it. An engine that keeps the barrier and does not answer
    is ended, and the answer says so; if the daemon does not answer, the barrier is taken without it. Exit
    code 5: requested, not confirmed. Pausing a paused or halted bot is done already, exit code 0.

    With --wait it returns once the target block of every bundle that was out has passed and no position is
    open; exit code 5 if that takes too long, 8 if the engine is gone and cannot tell. It stays paused.

    Example: jitctl pause --wait --reason "node maintenance"
    """
    from jitctl.control.client import DaemonSilent

    asked = options.client(ctx, timeout_s=ANSWER_LIMIT_S)
    try:
        reply = asked.call("pause", body={"reason": reason}, probe=True)
    except DaemonSilent:
        reply = _directly(ctx, reason, "the daemon does not answer")
    except DaemonNotRunning as gone:
        reply = _directly(ctx, reason, gone.message, unless=gone)
    options.warn_of_version(asked)
    if wait:
        from jitctl.cli.in_flight import wait_until_none

        reply = wait_until_none(asked, reply, timeout)
    render.result(reply, output, render.action_text)


def _directly(
    ctx: typer.Context, reason: str, keeper: str, unless: DaemonNotRunning | None = None
) -> dict[str, Any]:
    """Take the barrier without the keeper; raises `unless` where no engine lives either."""
    from jitctl.cli.without_keeper import engine_lives, stop_directly
    from jitctl.safety.stopping import pause_now

    folders = options.folders(ctx)
    if unless is not None and not engine_lives(folders):
        raise unless
    return stop_directly("pause", pause_now, folders, reason, keeper)
