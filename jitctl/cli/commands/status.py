"""`jitctl status`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format

ANSWER_LIMIT_S = 1.7
"""The keeper answers from memory; one that needs longer hangs, and that is the answer."""


def status(
    ctx: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again every second, until Ctrl-C.")
    ] = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Show what the bot is doing now.

    Figures come from the engine's last report, and say how old it is when the engine is silent.

    Example: jitctl status --watch
    """
    asked = options.client(ctx, timeout_s=ANSWER_LIMIT_S)
    while True:
        found = asked.call("status")
        if watch:
            render.clear_screen()
        options.warn_of_version(asked)
        render.result(found, output, _text)
        if not watch:
            return
        time.sleep(1.0)


def _text(found: dict[str, Any]) -> str:
    engine = found.get("engine", {})
    state = render.state_word(str(found.get("state")))
    reason = render.printable(str(found.get("reason") or ""))
    head = found.get("headNumber")
    age = engine.get("figuresAgeS")
    crisis = found.get("crisisLevel")
    rows = [
        ("state", f"{state} ({reason})" if reason else state),
        ("mode", str(found.get("mode"))),
        ("trading", "ready" if found.get("tradingReady") else "not ready"),
        ("latch", "" if found.get("armed") else "HALTED: nothing can be signed"),
        ("crisis level", "" if crisis in (None, "off") else str(crisis)),
        ("chain", f"{found.get('chainId')}, head {head if head is not None else 'not known yet'}"),
        (
            "head seen",
            f"{render.duration(found['headAgeS'])} ago" if found.get("headAgeS") is not None else "",
        ),
        ("open attempts", str(found["openAttempts"]) if found.get("openAttempts") is not None else ""),
        ("engine", _engine(engine)),
        ("figures", f"{render.duration(age)} old" if age is not None and age > 3 else ""),
        ("up", render.duration(found.get("uptimeS"))),
        ("configuration", f"generation {found.get('generation')}, {str(found.get('configHash'))[:12]}"),
        ("log", str(found.get("logFile"))),
    ]
    return render.table(rows)


def _engine(engine: dict[str, Any]) -> str:
    if not engine.get("alive"):
        return "not running"
    if not engine.get("responsive"):
        return f"pid {engine.get('pid')}, DOES NOT ANSWER"
    trip = engine.get("roundTripMs")
    return (
        f"pid {engine.get('pid')}, answers in {trip:.1f} ms"
        if trip is not None
        else f"pid {engine.get('pid')}"
    )
