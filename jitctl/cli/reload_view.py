"""What the verbs that reload share: the call, and what changed line by line."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.difference_view import value_text

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
MOST_WARNINGS = 3
LIMIT_S = 25.0
"""Longer than the daemon gives its engine, and the files to lie still."""


def run(ctx: typer.Context, verb: str, body: dict[str, Any], output: str) -> None:
    """Have the daemon reload and show what it took over; raises what it answered."""
    asked = options.client(ctx, timeout_s=LIMIT_S)
    reply = asked.call(verb, body=body, probe=True)
    options.warn_of_version(asked)
    render.result(reply, output, text)


def text(reply: dict[str, Any]) -> str:
    """Return the lines of a `ReloadReply`."""
    lines = [render.printable(str(reply.get("message", "")))]
    lines += [f"  {line(each)}" for each in reply.get("changes") or []]
    untaken = reply.get("needsRestart") or []
    if untaken:
        lines.append("only a restart takes over:")
        lines += [f"  {line(each)}" for each in untaken]
    # Each begins with its place and its rule; one rule may say the same of every pool.
    warnings = reply.get("warnings") or []
    lines += [render.printable(str(each)) for each in warnings[:MOST_WARNINGS]]
    if len(warnings) > MOST_WARNINGS:
        lines.append(f"{len(warnings) - MOST_WARNINGS} more warnings: jitctl validate-config")
    if hint := reply.get("hint"):
        lines.append(f"next: {render.printable(str(hint))}")
    return "\n".join(lines)


def line(change: dict[str, Any]) -> str:
    """Return one change: `pools[WETH/DAI-0.3%] added`, `limits.min_profit_wei: 1 ether -> 2 ether`."""
    key, kind = str(change.get("key")), change.get("kind")
    before, after = change.get("before"), change.get("after")
    if key.endswith("].enabled"):
        shown = f"{key.removesuffix('.enabled')} {'enabled' if after else 'disabled'}"
    elif kind == "changed":
        shown = f"{key}: {value_text(key, before)} -> {value_text(key, after)}"
    else:
        value = after if kind == "added" else before
        shown = f"{key} {kind}" + ("" if isinstance(value, dict | list) else f": {value_text(key, value)}")
    return render.printable(shown)
