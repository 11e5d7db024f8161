"""`jitctl status`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format
from jitctl.errors import JitError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jitctl.control.client import Client

ANSWER_LIMIT_S = 1.7
"""The keeper answers from memory; one that needs longer hangs, and that is the answer."""
REFRESH_S = 1.0
SLOWER_EVERY = 5
"""Pools and the day's profit come from files and the engine's queue: every fifth frame is enough."""


def status(
    ctx: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="A live screen, renewed every second, until Ctrl-C.")
    ] = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Show what the bot is doing now.

    Figures come from the engine's last report, and say how old it is when the engine is silent. --watch
    shows state, nodes, attempts, latencies, pools and warnings on one screen, also while the daemon is away
    for a restart; with -o json it prints one line of JSON every second, and ends with the daemon. Ctrl-C
    leaves either, exit code 0. Exit code 3 where no daemon runs, 5 where it does not answer.

    Example: jitctl status --watch
    """
    asked = options.client(ctx, timeout_s=ANSWER_LIMIT_S)
    found = asked.call("status", probe=True)
    options.warn_of_version(asked)
    if not watch:
        render.result(found, output, _text)
    elif output == Format.JSON:
        render.stream(_bodies(asked, found), every_s=REFRESH_S)
    else:
        render.live(_frames(asked, found), every_s=REFRESH_S)


def _bodies(asked: Client, first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield first
    while True:
        yield asked.call("status", probe=True)


def _frames(asked: Client, first: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield frames for ever; a daemon that goes away is shown, and shown again once it is back."""
    from jitctl.cli.status_screen import Screen

    shown, answered_s, turn = first, time.monotonic(), 0
    pools: dict[str, Any] | None = None
    today: dict[str, Any] | None = None
    while True:
        try:
            shown, answered_s = asked.call("status", probe=True), time.monotonic()
        except JitError as error:
            turn, lost_s = 0, time.monotonic() - answered_s
            yield Screen(shown, pools, today, lost=error, lost_s=lost_s)
            continue
        if turn % SLOWER_EVERY == 0:
            pools, today = _or_none(asked, "pool-status"), _or_none(asked, "daily-summary")
        turn += 1
        yield Screen(shown, pools, today)


def _or_none(asked: Client, verb: str) -> dict[str, Any] | None:
    try:
        return asked.call(verb, probe=True)
    except JitError:
        return None


def _text(found: dict[str, Any]) -> str:
    engine = found.get("engine", {})
    state = render.state_word(str(found.get("state")))
    reason = render.printable(str(found.get("reason") or ""))
    head = found.get("headNumber")
    age = engine.get("figuresAgeS")
    crisis = found.get("crisisLevel")
    memory = found.get("memoryMb") or {}
    since_s = found.get("sinceS")
    since = f"{render.duration(max(0.0, time.time() - since_s))} ago" if since_s else ""
    who = f"by {render.printable(str(found['who']))}" if found.get("who") else ""
    rows = [
        ("state", f"{state} ({reason})" if reason else state),
        ("since", ", ".join(part for part in (since, who) if part)),
        ("next", _next(found)),
        ("mode", str(found.get("mode"))),
        ("trading", "ready" if found.get("tradingReady") else "not ready"),
        ("latch", "" if found.get("armed") else "HALTED: nothing can be signed"),
        ("crisis level", "" if crisis in (None, "off") else f"{crisis} ({_crisis(found)})"),
        ("chain", f"{found.get('chainId')}, head {head if head is not None else 'not known yet'}"),
        (
            "head seen",
            f"{render.duration(found['headAgeS'])} ago" if found.get("headAgeS") is not None else "",
        ),
        ("open attempts", str(found["openAttempts"]) if found.get("openAttempts") is not None else ""),
        ("engine", _engine(engine)),
        ("figures", f"{render.duration(age)} old" if age is not None and age > 3 else ""),
        ("up", render.duration(found.get("uptimeS"))),
        ("memory", ", ".join(f"{name} {size:.0f} MiB" for name, size in memory.items())),
        ("configuration", f"generation {found.get('generation')}, {str(found.get('configHash'))[:12]}"),
        ("log", str(found.get("logFile"))),
    ]
    return render.table(rows)


def _next(found: dict[str, Any]) -> str:
    """Return what to do about what is wrong; empty where nothing is."""
    engine = found.get("engine", {})
    if not engine.get("alive"):
        return f"see the log, then: jitctl start --mode {found.get('mode')}"
    if not engine.get("responsive"):
        return "jitctl pause makes sure that nothing is submitted; jitctl stop ends it"
    return render.NEXT.get(str(found.get("state")), "")


def _crisis(found: dict[str, Any]) -> str:
    who, why = str(found.get("crisisWho") or "?"), str(found.get("crisisReason") or "no reason given")
    return render.printable(f"{who}: {why}")


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
