"""`jitctl validate-config`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from jitctl.cli import config_view
from jitctl.cli.config_view import FilesArgument, OnlineOption
from jitctl.cli.options import CheckOutputOption, StrictOption
from jitctl.cli.render import CheckFormat


class Kind(StrEnum):
    """Which of our files something is."""

    JITCTL = "jitctl"
    POOLS = "pools"
    STRATEGY = "strategy"
    ALERTS = "alerts"


def validate_config(
    ctx: typer.Context,
    files: FilesArgument = None,
    kind: Annotated[
        Kind | None, typer.Option("--as", help="Which file it is; else its name says so, or its keys.")
    ] = None,
    strict: StrictOption = False,
    online: OnlineOption = False,
    output: CheckOutputOption = CheckFormat.TEXT,
) -> None:
    """Check configuration files and list every problem.

    Without files, the whole folder. A file is judged by itself and beside the others of its folder; only
    its own problems count, each with file, line, column, key and the rule's id. Needs no key, no network
    and no daemon, except for --online. Exit code 0 valid, 4 for errors, 10 for warnings alone with --strict,
    8 if --online got no answer.

    Example: jitctl validate-config

    Example: jitctl validate-config config/pools.toml new/strategy.json

    Example: git show main:config/pools.toml | jitctl validate-config -

    Example: jitctl validate-config -o github
    """
    config_view.check(ctx, files, kind=kind, strict=strict, online=online, output=output)
