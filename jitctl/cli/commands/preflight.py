"""`jitctl preflight`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, Seconds, StrictOption
from jitctl.cli.render import Format


def preflight(
    ctx: typer.Context,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Run this check alone; repeatable.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="NAME", help="Leave this check out; repeatable.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Name the checks and run none.")] = False,
    timeout_s: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="S", click_type=Seconds(min=0.1, max=60), help="Seconds for each check."
        ),
    ] = 3.0,
    strict: StrictOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Check everything that a start relies on.

    The machine, the nodes, the relays, the executor contract, the pools, the ledger: all at once, in under
    5 seconds, with or without a daemon, and nothing is changed. Exit code 0 passed (warnings count as
    passed; 10 with --strict), 1 a check failed, 8 something could not be told, 4 configuration invalid.

    Example: jitctl preflight --strict
    """
    from jitctl.checks.preflight.names import NAMES, chosen

    names = chosen(only or (), skip or ())
    if listing:
        rows = [{"name": name, "summary": NAMES[name]} for name in names]
        render.result({"checks": rows}, output, _listed)
        return
    from jitctl.config.load import load

    config = load(options.config_dir(ctx))

    from jitctl.checks import one_shot
    from jitctl.checks.preflight.bounds import Bounds
    from jitctl.checks.preflight.runner import preflight as checked
    from jitctl.cli.check_view import show
    from jitctl.control.schema import to_wire

    with render.progress() if sys.stderr.isatty() else nullcontext(_silent) as ended:
        asked = checked(config, only=only or (), skip=skip or (), ended=ended, bounds=Bounds(timeout_s))
        report = one_shot.run(asked)
    show(to_wire(report), output, strict=strict)


def _silent(_name: str, _done: int, _all: int) -> None:
    """Nobody watches."""


def _listed(body: dict[str, Any]) -> str:
    return render.table([(row["name"], row["summary"]) for row in body["checks"]])
