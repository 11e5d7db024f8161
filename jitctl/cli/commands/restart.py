"""`jitctl restart`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from jitctl.cli import options, render
from jitctl.cli.commands import start, stop
from jitctl.cli.commands.start import Mode
from jitctl.cli.confirm import confirm, place
from jitctl.cli.options import OutputOption, ReasonOption, YesOption
from jitctl.cli.render import Format
from jitctl.errors import DaemonNotRunning, UsageError

if TYPE_CHECKING:
    from jitctl.config.load import Config


def restart(
    ctx: typer.Context,
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="test or production; else the mode that runs now.")
    ] = None,
    reason: ReasonOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Production without a passing validate-live; needs --reason.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Stop the bot in good order and start it again.

    In the mode that runs now, or in --mode. The configuration is checked first: with a broken one, or
    for production with one that neither passed validate-live nor ran within a day, the bot goes on as it
    is, exit code 4 or 9. Production asks first, naming chain and executor.
    A stop that somebody asks for meanwhile holds: the start is refused then, exit code 9.
    Where nothing runs this starts only if --mode says how, else exit code 3. Where [service] names a
    systemd unit, this goes through systemctl.

    Example: jitctl restart --reason "new limits"
    """
    from jitctl.cli import service
    from jitctl.config.load import load
    from jitctl.safety.stop_count import stops

    config = options.config_dir(ctx)
    run = options.folders(ctx).run
    seen = stops(run)
    running = start.running_bot(ctx)
    if running is None and mode is None:
        raise DaemonNotRunning(
            "nothing runs here, so there is no mode to start again in",
            hint="say it: jitctl restart --mode test",
        )
    wanted = mode or Mode(str((running or {}).get("mode")))
    found = load(config)
    if wanted is Mode.PRODUCTION and not force:
        _require_validated(found)
    if wanted is Mode.PRODUCTION and force and not reason:
        raise UsageError("--force needs a reason", hint="it is kept in the audit trail")
    if wanted is Mode.PRODUCTION and not yes:
        # Not what runs now: the new bot takes the files as they are.
        confirm(f"restart a bot that submits to {place(config)}", word="production")
    unit = service.unit_in_charge(config)
    known = service.describe(unit) if unit else None
    if known is not None:
        service.require_plain(unit, force=force)
        service.require_mode(known, wanted)
    if known is not None and not known.down:
        status = start.through_systemd(ctx, "restart", unit, seen)
    else:
        if running is not None:
            stop.end_bot(ctx, reason or "restart")
            # Our own is no reason to refuse; one more is somebody else's.
            seen = min(seen + 1, stops(run))
            render.note(f"stopped; starting in mode {wanted}")
        status = start.bring_up(ctx, wanted, reason=reason, force=force, yes=True, seen=seen)
    render.result(status, output, start.status_text)


def _require_validated(config: Config) -> None:
    """Raise the refusal that the start would meet, while the bot still runs."""
    from jitctl.safety.validated import RECORD_NAME, ValidationRecord

    record = config.folders.data / RECORD_NAME
    # Whoever may not read it cannot tell; the start itself can.
    if os.access(config.folders.data, os.X_OK) and (not record.exists() or os.access(record, os.R_OK)):
        ValidationRecord(config.folders.data).require(config.hash)
