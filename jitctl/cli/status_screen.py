"""One frame of `status --watch`: everything that an operator looks at first, on one screen."""

from __future__ import annotations

import time
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from jitctl.cli.commands.pool_status import health_word
from jitctl.cli.figures import count, ether, sparkline
from jitctl.cli.render import duration, printable

STATE_STYLES = {
    "RUNNING": "bold green",
    "PAUSED": "bold yellow",
    "HALTED": "bold red",
    "STOPPED": "bold yellow",
}
SHOWN_STAGES = (
    "decode", "evaluate", "simulate", "sign", "commit", "submit", "seen_to_simulated", "seen_to_sent",
)  # fmt: skip
ALERTS_SHOWN = 4
SPARK_WIDTH = 20
_STALE_S = 3.0


def frame(
    status: dict[str, Any], pools: dict[str, Any] | None, today: dict[str, Any] | None
) -> RenderableType:
    """Return a frame of the three bodies; what could not be asked is None and shown as unknown."""
    return Group(
        Panel(_head(status), box=box.ROUNDED, title="jitctl", title_align="left"),
        _side_by_side(_trading(status, today), _nodes(status)),
        _side_by_side(_stages(status), _pools(pools)),
        _alerts(status),
    )


def _head(status: dict[str, Any]) -> RenderableType:
    lines = [_state_line(status)]
    crisis = str(status.get("crisisLevel") or "off")
    if crisis != "off":
        by = _by(status.get("crisisWho"), status.get("crisisReason"), status.get("crisisSinceS"))
        lines.append(Text.assemble(("crisis ", "bold"), (crisis, "bold red"), by))
    if not status.get("armed"):
        lines.append(Text("HALTED: nothing can be signed", style="bold red"))
    engine = status.get("engine") or {}
    if not engine.get("alive"):
        lines.append(Text("the engine is not running", style="bold red"))
    elif not engine.get("responsive"):
        age = duration(engine.get("figuresAgeS"))
        lines.append(Text(f"THE ENGINE DOES NOT ANSWER; its figures are {age} old", style="bold red"))
    return Group(*lines)


def _state_line(status: dict[str, Any]) -> Text:
    state = str(status.get("state"))
    ready = "ready to trade" if status.get("tradingReady") else "not ready to trade"
    about = f"   {status.get('mode')} on chain {status.get('chainId')}, {ready}"
    up = f"   up {duration(status.get('uptimeS'))}"
    by = _by(status.get("who"), status.get("reason"), status.get("sinceS")) if state != "RUNNING" else ""
    return Text.assemble((state, STATE_STYLES.get(state, "bold")), by, about, up)


def _by(who: Any, why: Any, since_s: Any) -> str:
    ago = f", {duration(max(0.0, time.time() - float(since_s)))} ago" if since_s else ""
    by = f" by {printable(str(who))}" if who else ""
    return f"{by}: {printable(str(why))}{ago}" if why else f"{by}{ago}"


def _trading(status: dict[str, Any], today: dict[str, Any] | None) -> Table:
    figures = status.get("figures") or {}
    counts = figures.get("counts") or {}
    outcomes, happened = counts.get("outcomes") or {}, counts.get("happenings") or {}
    decided = sum(outcomes.get(name, 0) for name in ("landed", "missed", "reverted"))
    rate = f"{outcomes.get('landed', 0) / decided:.1%}" if decided else "nothing sent"
    queue = (figures.get("queues") or {}).get("pending")
    table = _facts("trading")
    table.add_row("pending seen", count(happened.get("pending_seen")))
    table.add_row("swaps decoded", count(happened.get("pending_understood")))
    table.add_row("queue", f"{count(queue)} waiting, {count(happened.get('pending_dropped'))} dropped")
    table.add_row("attempts", ", ".join(f"{number} {name}" for name, number in outcomes.items() if number))
    table.add_row("success rate", rate)
    table.add_row("out now", f"{figures.get('outstandingBundles', '?')} bundles")
    net = ether(today["netWei"]) if today is not None else "unknown"
    landed = f", {today['successfulAttempts']} of {today['totalAttempts']} landed" if today else ""
    table.add_row("net today", net + landed)
    return table


def _nodes(status: dict[str, Any]) -> Table:
    figures = status.get("figures") or {}
    table = _facts("nodes and relays")
    age = status.get("headAgeS")
    head = f"{status.get('headNumber')}, {duration(age)} old" if age is not None else "not known yet"
    table.add_row("head", head)
    for node in figures.get("nodes") or []:
        latency = f", {node['latencyMs']:.1f} ms" if node.get("latencyMs") is not None else ""
        said = "ok" if node.get("usable") else f"OUT: {node.get('lastError')}"
        table.add_row(printable(str(node.get("name"))), printable(f"{said}{latency}"))
    for name, counts in (figures.get("relays") or {}).items():
        table.add_row(f"relay {printable(name)}", _relay(counts))
    memory = status.get("memoryMb") or {}
    table.add_row("memory", ", ".join(f"{name} {size:.0f} MiB" for name, size in memory.items()))
    return table


def _relay(counts: dict[str, int]) -> str:
    told = [f"{number} {name}" for name, number in counts.items() if number and name != "warmed"]
    return ", ".join(told) or ("connected" if counts.get("warmed") else "not connected")


def _stages(status: dict[str, Any]) -> Table:
    stages = (status.get("figures") or {}).get("stages") or {}
    history = status.get("history") or {}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="latency, ms", title_justify="left")
    for title in ("stage", "p50", "p95", "p99", "p95, last minute"):
        table.add_column(title, justify="right" if title.startswith("p") and len(title) == 3 else "left")
    for name in SHOWN_STAGES:
        times = stages.get(name)
        if times:
            figures = (f"{times[key]:.2f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
            table.add_row(name.replace("_", " "), *figures, sparkline(history.get(name, ()), SPARK_WIDTH))
    return table


def _pools(pools: dict[str, Any] | None) -> Table:
    rows = (pools or {}).get("pools") or []
    enabled = [pool for pool in rows if pool.get("enabled")]
    healthy = sum(pool.get("healthy") is True for pool in enabled)
    title = f"pools: {healthy} of {len(enabled)} healthy" if pools else "pools: unknown"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in ("pool", "healthy", "1 WETH is", "landed", "why not"):
        table.add_column(name)
    for pool in rows:
        landed = f"{pool.get('landedToday')}/{pool.get('attemptsToday')}"
        name, why = printable(str(pool.get("name"))), printable(str(pool.get("reason") or ""))
        table.add_row(name, health_word(pool), str(pool.get("price") or ""), landed, why)
    return table


def _alerts(status: dict[str, Any]) -> RenderableType:
    recent = status.get("recent") or []
    lines = [
        Text(printable(f"{line.get('time')} {line.get('level')} {line.get('event')} {_said(line)}"))
        for line in recent[-ALERTS_SHOWN:]
    ]
    shown = lines or [Text("no warning since the daemon's start", style="dim")]
    return Panel(Group(*shown), box=box.ROUNDED, title="latest warnings", title_align="left")


def _said(line: dict[str, Any]) -> str:
    text = str(line.get("text") or line.get("detail") or line.get("error") or "").splitlines()
    return f"{line.get('verb', '')} {text[0] if text else ''}".strip()[:120]


def _facts(title: str) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left")
    table.add_column(style="dim")
    table.add_column()
    return table


def _side_by_side(left: RenderableType, right: RenderableType) -> Table:
    grid = Table.grid(expand=True, padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid
