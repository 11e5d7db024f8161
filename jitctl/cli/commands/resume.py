"""`jitctl resume`."""

from __future__ import annotations

import typer

from jitctl.cli import options, render
from jitctl.cli.confirm import confirm, place, seen
from jitctl.cli.options import OutputOption, ReasonOption, YesOption
from jitctl.cli.render import Format


def resume(
    ctx: typer.Context,
    reason: ReasonOption = "",
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Go on after a pause.

    Asks first when a production bot would trade again, naming chain and executor; automation passes --yes
    and --reason. A halted bot is not resumed (exit code 9): see clear-halt; nor is one that somebody paused
    anew after this verb looked at it. Exit code 3 nothing runs.

    Example: jitctl resume --yes --reason "maintenance done"
    """
    asked = options.client(ctx)
    running = asked.call("status", probe=True)
    if not yes and running.get("mode") == "production":
        where = place(options.config_dir(ctx), running)
        confirm(f"let the production bot submit again to {where}", word="resume")
    reply = asked.call("resume", body={"reason": reason, **seen(running)}, probe=True)
    options.warn_of_version(asked)
    render.result(reply, output, render.action_text)
