"""`jitctl validate-strategy-config`."""

from __future__ import annotations

import typer

from jitctl.cli import config_view
from jitctl.cli.config_view import FilesArgument, OnlineOption
from jitctl.cli.options import CheckOutputOption, StrictOption
from jitctl.cli.render import CheckFormat


def validate_strategy_config(
    ctx: typer.Context,
    files: FilesArgument = None,
    strict: StrictOption = False,
    online: OnlineOption = False,
    output: CheckOutputOption = CheckFormat.TEXT,
) -> None:
    """Check strategy.toml and list every problem.

    `validate-config --as strategy`: without files, strategy.toml or strategy.json of the configuration
    folder, beside the others there. Exit codes are the same.

    Example: jitctl validate-strategy-config

    Example: jitctl validate-strategy-config new/limits.toml
    """
    config_view.check(ctx, files, kind="strategy", strict=strict, online=online, output=output)
