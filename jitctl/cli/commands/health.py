"""`jitctl health`."""

from __future__ import annotations

from typing import Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, StrictOption
from jitctl.cli.render import Format

_MARKS = {
    "ok": ("ok", "green"),
    "warn": ("warn", "yellow"),
    "fail": ("FAIL", "red"),
    "unknown": ("?", "yellow"),
}


def health(ctx: typer.Context, strict: StrictOption = False, output: OutputOption = Format.TEXT) -> None:
    """Is the bot alive, and can it trade?

    Alive means that the engine's own command queue answers; a silent node, a pause or a halt makes the bot
    "degraded", not down. Exit code 0 alive, 1 down, 10 degraded with --strict, 3 no daemon, 5 the daemon
    does not answer.

    Example: jitctl health -o json
    """
    asked = options.client(ctx, timeout_s=5.0)
    found = asked.call("health", probe=True)
    options.warn_of_version(asked)
    render.result(found, output, _text)
    if not found.get("live"):
        raise typer.Exit(1)
    if strict and found.get("status") != "ok":
        raise typer.Exit(10)


def _text(found: dict[str, Any]) -> str:
    lines = [f"{found.get('status')}: {found.get('mode')} mode, {found.get('state')}"]
    for check in found.get("checks", []):
        word, colour = _MARKS.get(str(check.get("result")), ("?", "yellow"))
        lines.append(
            f"  {render.mark(word, colour)} {check.get('name')}: {render.printable(check.get('detail', ''))}"
        )
    return "\n".join(lines)
