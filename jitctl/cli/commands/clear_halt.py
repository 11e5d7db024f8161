"""`jitctl clear-halt`."""

from __future__ import annotations

from typing import Annotated

import typer

from jitctl.cli import options, render
from jitctl.cli.confirm import confirm, place, seen
from jitctl.cli.options import OutputOption, YesOption, legible_reason
from jitctl.cli.render import Format


def clear_halt(
    ctx: typer.Context,
    reason: Annotated[
        str,
        typer.Option("--reason", callback=legible_reason, help="Why; it is kept in the audit trail."),
    ],
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Leave a halt, into a pause, once nothing is open.

    Nothing is submitted before a resume. Refused while a position is open on chain (exit code 7), or while
    that cannot be told (8). Asks first, naming chain and executor; automation passes --yes.

    Example: jitctl clear-halt --reason "the reorg was looked into; the ledger agrees with the chain"
    """
    asked = options.client(ctx)
    status = asked.call("status", probe=True)
    if not yes and status.get("state") == "HALTED":
        why = status.get("reason") or "no reason is known"
        where = place(options.config_dir(ctx), status)
        confirm(f"clear the halt ({why}) of the {status.get('mode')} bot on {where}", word="clear-halt")
    reply = asked.call("clear-halt", body={"reason": reason, **seen(status)}, probe=True)
    options.warn_of_version(asked)
    render.result(reply, output, render.action_text)
