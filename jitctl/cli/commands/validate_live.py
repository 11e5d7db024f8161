"""`jitctl validate-live`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from jitctl.cli import check_view, options, render
from jitctl.cli.options import OutputOption, Seconds, StrictOption
from jitctl.cli.render import Format

POLL_S = 2.0
ANSWER_LIMIT_S = 15.0


def validate_live(
    ctx: typer.Context,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", click_type=Seconds(min=0), help="Seconds to wait for swaps to judge by.", metavar="S"
        ),
    ] = 60.0,
    strict: StrictOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Prove a running test bot fit for production.

    Asks the bot that runs: are swaps seen and decoded, do simulations succeed and quickly, do its pools
    equal the chain, do the relays accept it, can its ledger be written. What only needs more traffic is
    waited for. Passing is remembered for a day and for this very configuration; start --mode production
    asks for it. Exit code 0 passed, 1 failed, 8 could not be told, 10 warnings with --strict.

    Example: jitctl validate-live --wait 300
    """
    asked = options.client(ctx, timeout_s=ANSWER_LIMIT_S)
    deadline_s = time.monotonic() + wait
    found = asked.call("validate-live", body={}, probe=True)
    while found.get("result") == "unknown" and time.monotonic() + POLL_S < deadline_s:
        waiting = ", ".join(each["name"] for each in found["checks"] if each["result"] == "unknown")
        render.progress_line(f"waiting for: {waiting} ({deadline_s - time.monotonic():.0f} s left)")
        time.sleep(POLL_S)
        found = asked.call("validate-live", body={}, probe=True)
    render.progress_line("")
    options.warn_of_version(asked)
    check_view.show(found, output, strict=strict)
