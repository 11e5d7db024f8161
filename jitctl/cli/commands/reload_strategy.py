"""`jitctl reload-strategy`."""

from __future__ import annotations

import typer

from jitctl.cli import reload_view
from jitctl.cli.options import OutputOption, ReasonOption
from jitctl.cli.reload_view import DryRunOption
from jitctl.cli.render import Format


def reload_strategy(
    ctx: typer.Context,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Take over strategy.toml while the bot runs, or change nothing.

    Takes over strategy.toml in one step; what was planned under the old limits and is not yet submitted is
    held against the new ones. Anything wrong in any file refuses it as a whole and the old configuration
    goes on. Says what changed by name, and what only a restart takes over. Exit code 0 done or as it was, 1
    the disk is full, 3 nothing runs, 4 a file is wrong, 5 the engine did not answer, 9 refused: a file is
    being written, or the engine cannot take it over.

    Example: jitctl reload-strategy --dry-run
    """
    reload_view.run(ctx, "reload-strategy", {"reason": reason, "dry": dry_run}, output)
