"""`jitctl pause`."""

from __future__ import annotations

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, ReasonOption
from jitctl.cli.render import Format


def pause(ctx: typer.Context, reason: ReasonOption = "", output: OutputOption = Format.TEXT) -> None:
    """Submit nothing more; returns once that is certain.

    The answer comes when no signature can follow it. If the engine does not confirm within a second it
    is ended, and the answer says so. Pausing a paused or halted bot is done already, exit code 0.

    Example: jitctl pause --reason "node maintenance"
    """
    asked = options.client(ctx)
    reply = asked.call("pause", body={"reason": reason})
    options.warn_of_version(asked)
    render.result(reply, output, render.action_text)
