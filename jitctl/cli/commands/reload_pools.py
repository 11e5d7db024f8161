"""`jitctl reload-pools`."""

from __future__ import annotations

import typer

from jitctl.cli import reload_view
from jitctl.cli.options import OutputOption, ReasonOption
from jitctl.cli.reload_view import DryRunOption
from jitctl.cli.render import Format


def reload_pools(
    ctx: typer.Context,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Take over pools.toml while the bot runs, or change nothing.

    Takes over pools.toml and the price feeds of its tokens, between two events: the next swap in a new pool
    is looked at, and none in one that is gone or disabled; attempts on their way there are followed to their
    end. Anything wrong in any file refuses it as a whole and the old configuration goes on. Says what changed
    by name, and what only a restart takes over. Exit code 0 done or as it was, 1 the disk is full, 3 nothing
    runs, 4 a file is wrong, 5 the engine did not answer, 9 refused: a file is being written, or the engine
    cannot read the new pools.

    Example: jitctl reload-pools --reason "add WETH/DAI"
    """
    reload_view.run(ctx, "reload-pools", {"reason": reason, "dry": dry_run}, output)
