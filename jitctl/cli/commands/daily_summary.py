"""`jitctl daily-summary`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import ReportOutputOption
from jitctl.cli.render import ReportFormat


def daily_summary(
    ctx: typer.Context,
    date: Annotated[str, typer.Option("--date", help="YYYY-MM-DD, today or yesterday.")] = "today",
    tz: Annotated[str, typer.Option("--tz", help="The day's time zone, as Europe/Zurich.")] = "UTC",
    output: ReportOutputOption = ReportFormat.TEXT,
) -> None:
    """Report one day's attempts and profit.

    Reads the ledger, whether the bot runs or not. An attempt is an opportunity for which a bundle was
    sent; it succeeded if our position landed; profit is after gas and the builder's tip. Exit code 0 done,
    1 no ledger there yet, 2 no such day or time zone.

    Example: jitctl daily-summary --date yesterday -o json
    """
    from jitctl.config.domain_types import pool_specs
    from jitctl.config.load import load
    from jitctl.control.schema import to_wire
    from jitctl.reports import daily, daily_text

    config = load(options.config_dir(ctx))
    summary: dict[str, Any] = to_wire(
        daily.daily_summary(config.folders.data / "ledger.db", pool_specs(config), date, tz)
    )
    if output is ReportFormat.MARKDOWN:
        render.raw(daily_text.daily_markdown(summary))
        return
    render.result(summary, output, lambda found: render.table(daily_text.daily_rows(found)))
