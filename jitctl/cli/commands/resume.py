"""`jitctl resume`."""

from __future__ import annotations

import typer

from jitctl.cli import options, render
from jitctl.cli.confirm import confirm
from jitctl.cli.options import OutputOption, ReasonOption, YesOption
from jitctl.cli.render import Format


def resume(
    ctx: typer.Context,
    reason: ReasonOption = "",
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Go on after a pause.

    Asks first when a production bot would trade again; automation passes --yes and --reason. A halted
    bot is not resumed (exit code 9): see clear-halt.

    Example: jitctl resume --yes --reason "maintenance done"
    """
    asked = options.client(ctx)
    if not yes and asked.call("status").get("mode") == "production":
        confirm("let this production bot submit again", word="resume")
    reply = asked.call("resume", body={"reason": reason})
    options.warn_of_version(asked)
    render.result(reply, output, render.action_text)
