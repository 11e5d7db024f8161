"""`jitctl restart`."""

from __future__ import annotations

from typing import Annotated

import typer

from jitctl.cli import options, render
from jitctl.cli.commands import start, stop
from jitctl.cli.commands.start import Mode
from jitctl.cli.confirm import confirm
from jitctl.cli.options import OutputOption, ReasonOption, YesOption
from jitctl.cli.render import Format
from jitctl.errors import DaemonNotRunning


def restart(
    ctx: typer.Context,
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="test or production; else the mode that runs now.")
    ] = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Stop the bot in good order and start it again.

    In the mode that runs now, or in --mode. The configuration is checked first: with a broken one the
    bot goes on as it is, exit code 4. Where nothing runs this starts only if --mode says how, else
    exit code 3. Where [service] names a systemd unit, this goes through systemctl.

    Example: jitctl restart --reason "new limits"
    """
    from jitctl.cli import service
    from jitctl.config.load import load

    config = options.config_dir(ctx)
    running = start.running_bot(ctx)
    if running is None and mode is None:
        raise DaemonNotRunning(
            "nothing runs here, so there is no mode to start again in",
            hint="say it: jitctl restart --mode test",
        )
    wanted = mode or Mode(str((running or {}).get("mode")))
    load(config)
    if wanted is Mode.PRODUCTION and not yes:
        confirm("restart a bot that submits to the chain", word="production")
    unit = service.unit_in_charge(config)
    known = service.describe(unit) if unit else None
    if known is not None:
        service.require_mode(known, wanted)
    if known is not None and not known.down:
        status = start.through_systemd(ctx, "restart", unit)
    else:
        if running is not None:
            stop.end_bot(ctx, reason or "restart")
            render.note(f"stopped; starting in mode {wanted}")
        status = start.bring_up(ctx, wanted, reason=reason, yes=True)
    render.result(status, output, start.status_text)
