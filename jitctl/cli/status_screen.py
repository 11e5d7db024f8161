"""One frame of `status --watch`: everything that an operator looks at first, on one screen.

A frame fits the terminal that it is drawn on: every row is one line, rows that say least go first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from jitctl.cli.commands.pool_status import health_word
from jitctl.cli.figures import count, ether, sparkline
from jitctl.cli.render import duration, printable
from jitctl.errors import JitError

STATE_STYLES = {
    "RUNNING": "bold green",
    "PAUSED": "bold yellow",
    "HALTED": "bold red",
    "STOPPED": "bold yellow",
}
STAGES = (
    "seen_to_sent", "seen_to_simulated", "simulate", "submit", "commit", "sign", "evaluate", "decode",
)  # fmt: skip
"""In the order in which they are wanted where there is little room."""
ALERTS_SHOWN = 4
WIDE = 110
"""From this width on there is room for a pool's price and for every percentile."""
_FRAME_LINES = 2
_HEADING_LINES = 2


class Screen:
    """A frame of the three bodies; what could not be asked is None and shown as unknown.

    `lost` says why the daemon does not answer; the bodies are then the last that it gave, `lost_s` ago.
    """

    def __init__(
        self,
        status: dict[str, Any],
        pools: dict[str, Any] | None,
        today: dict[str, Any] | None,
        *,
        lost: JitError | None = None,
        lost_s: float = 0.0,
    ) -> None:
        self._status = status
        self._pools = pools
        self._today = today
        self._lost = lost
        self._lost_s = lost_s

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        head = _head(self._status, self._lost, self._lost_s)
        trading, nodes = _trading(self._status, self._today), _nodes(self._status)
        warnings = _warnings(self._status)
        # What has no height, as a pipe, gets everything.
        room = console.size.height if console.is_terminal else 1_000
        room -= len(head) + _FRAME_LINES + 1 + max(len(trading), len(nodes))
        shown = min(len(warnings), max(1, room - _FRAME_LINES - _HEADING_LINES - len(STAGES)))
        room -= _FRAME_LINES + shown + _HEADING_LINES
        yield _panel("jitctl", head)
        yield _side_by_side(_facts("trading", trading), _facts("nodes and relays", nodes))
        if room > 0:
            yield _side_by_side(_stages(self._status, wide, room), _pool_table(self._pools, wide, room))
        yield _panel("latest warnings", warnings[-shown:])


def _head(status: dict[str, Any], lost: JitError | None, lost_s: float) -> list[Text]:
    state = str(status.get("state"))
    ready = "ready to trade" if status.get("tradingReady") else "not ready to trade"
    lines = []
    if lost:
        lines.append(Text(printable(lost.message), style="bold red"))
        lines += [Text(printable(lost.hint))] if lost.hint else []
        lines.append(Text(f"below is what it said {duration(lost_s)} ago", style="bold red"))
    lines.append(
        Text.assemble(
            (state, STATE_STYLES.get(state, "bold")),
            f"  {status.get('mode')} on chain {status.get('chainId')}, {ready}",
            f", up {duration(status.get('uptimeS'))}",
        )
    )
    if by := _by(status.get("who"), status.get("reason"), status.get("sinceS")):
        lines.append(Text(f"for {by}"))
    crisis = str(status.get("crisisLevel") or "off")
    if crisis == "off":
        lines.append(Text("crisis level off", style="dim"))
    else:
        by = _by(status.get("crisisWho"), status.get("crisisReason"), status.get("crisisSinceS"))
        lines.append(Text.assemble("crisis level ", (crisis, "bold red"), f" for {by}" if by else ""))
    if not status.get("armed"):
        lines.append(Text("HALTED: nothing can be signed", style="bold red"))
    engine = status.get("engine") or {}
    if not engine.get("alive"):
        lines.append(Text("the engine is not running", style="bold red"))
    elif not engine.get("responsive"):
        age = duration(engine.get("figuresAgeS"))
        lines.append(Text(f"THE ENGINE DOES NOT ANSWER; its figures are {age} old", style="bold red"))
    return lines


def _by(who: Any, why: Any, since_s: Any) -> str:
    """Return `5m 2s, by NAME: REASON`, as much of it as is known."""
    parts = [duration(max(0.0, time.time() - float(since_s)))] if since_s else []
    parts += [f"by {who}"] if who else []
    return printable(", ".join(parts) + (f": {why}" if why else ""))


def _trading(status: dict[str, Any], today: dict[str, Any] | None) -> list[tuple[str, str]]:
    figures = status.get("figures") or {}
    counts = figures.get("counts") or {}
    outcomes, happened = counts.get("outcomes") or {}, counts.get("happenings") or {}
    seen, swaps = count(happened.get("pending_seen")), count(happened.get("pending_understood"))
    sent = {name: outcomes.get(name, 0) for name in ("landed", "missed", "reverted")}
    decided = sum(sent.values())
    rate = f"{outcomes.get('landed', 0) / decided:.1%} of {decided} sent" if decided else "nothing sent"
    waiting = count((figures.get("queues") or {}).get("pending")) or "?"
    bundles = figures.get("outstandingBundles")
    net = "unknown"
    if today is not None:
        net = f"{ether(today['netWei'], 4)}, {today['successfulAttempts']}/{today['totalAttempts']} landed"
    return [
        ("seen", f"{seen or '?'} pending, {swaps or '?'} swaps"),
        ("queue", f"{waiting} waiting, {count(happened.get('pending_dropped')) or '?'} dropped"),
        ("attempts", ", ".join(f"{n} {name}" for name, n in sent.items() if n) or "none sent"),
        ("abandoned", count(outcomes.get("abandoned")) or "?"),
        ("success", rate),
        ("out now", "?" if bundles is None else f"{bundles} bundle{'' if bundles == 1 else 's'}"),
        ("net today", net),
    ]


def _nodes(status: dict[str, Any]) -> list[tuple[str, str]]:
    figures = status.get("figures") or {}
    age = status.get("headAgeS")
    head = f"block {status.get('headNumber')}, {duration(age)} old" if age is not None else "not known yet"
    rows = [("head", head)]
    for node in figures.get("nodes") or []:
        latency = f", {node['latencyMs']:.1f} ms" if node.get("latencyMs") is not None else ""
        said = "ok" if node.get("usable") else f"OUT: {node.get('lastError')}"
        rows.append((str(node.get("name")), f"{said}{latency}"))
    rows += [(f"relay {name}", _relay(counts)) for name, counts in (figures.get("relays") or {}).items()]
    memory = status.get("memoryMb") or {}
    rows.append(("memory", ", ".join(f"{name} {size:.0f} MiB" for name, size in memory.items())))
    return rows


def _relay(counts: dict[str, int]) -> str:
    told = [f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n and name != "warmed"]
    return ", ".join(told) or ("connected" if counts.get("warmed") else "not connected")


def _stages(status: dict[str, Any], wide: bool, room: int) -> RenderableType:
    stages = (status.get("figures") or {}).get("stages") or {}
    history = status.get("history") or {}
    keys = ("p50_ms", "p95_ms", "p99_ms") if wide else ("p50_ms", "p95_ms")
    if not stages:
        return Text("latency: nothing timed yet", style="italic")
    table = _table()
    for title in ("stage", *(key.removesuffix("_ms") for key in keys)):
        table.add_column(title, justify="left" if title == "stage" else "right", no_wrap=True)
    table.add_column("p95, last minute" if wide else "last min", no_wrap=True)
    for name in [name for name in STAGES if name in stages][:room]:
        figures = (_ms(stages[name][key]) for key in keys)
        title = name.replace("seen_to_", "to ").replace("_", " ")
        table.add_row(title, *figures, sparkline(history.get(name, ()), 20 if wide else 8))
    return _titled("latency, ms", table)


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _pool_table(pools: dict[str, Any] | None, wide: bool, room: int) -> RenderableType:
    rows: list[dict[str, Any]] = (pools or {}).get("pools") or []
    if not rows:
        return Text("pools: unknown" if pools is None else "pools: none", style="italic")
    enabled = [pool for pool in rows if pool.get("enabled")]
    healthy = sum(pool.get("healthy") is True for pool in enabled)
    table = _table()
    table.add_column("pool", no_wrap=True, min_width=15)
    table.add_column("healthy", no_wrap=True)
    if wide:
        table.add_column("1 WETH is", no_wrap=True)
    table.add_column("landed", no_wrap=True)
    whys = any(pool.get("reason") for pool in rows)
    if whys:
        table.add_column("why not", no_wrap=True, ratio=1)
    shown = rows if len(rows) <= room else sorted(rows, key=lambda pool: pool.get("healthy") is True)
    cut = len(rows) > room
    for pool in shown[: room - 1 if cut else room]:
        price = [str(pool.get("price") or "")] if wide else []
        landed = f"{pool.get('landedToday')}/{pool.get('attemptsToday')}"
        why = [printable(str(pool.get("reason") or ""))] if whys else []
        table.add_row(printable(str(pool.get("name"))), health_word(pool), *price, landed, *why)
    if cut:
        table.add_row(f"{len(rows) - room + 1} more")
    return _titled(f"pools: {healthy} of {len(enabled)} healthy", table)


def _warnings(status: dict[str, Any]) -> list[Text]:
    recent: list[dict[str, Any]] = status.get("recent") or []
    # A silent engine writes its stack there, line by line: the log is the place for that.
    told = [line for line in recent if line.get("event") != "engine_stderr"][-ALERTS_SHOWN:]
    lines = [Text(printable(f"{_clock(line)} {line.get('event')} {_said(line)}")) for line in told]
    return lines or [Text("none since the daemon's start", style="dim")]


def _clock(line: dict[str, Any]) -> str:
    """Return `19:02:51Z` of today's line, the date too of an older one."""
    day, _, moment = str(line.get("time", "")).partition("T")
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{moment[:8]}Z" if day == today else f"{day} {moment[:8]}Z"


def _said(line: dict[str, Any]) -> str:
    text = str(line.get("text") or line.get("detail") or line.get("error") or "").splitlines()
    return ": ".join(part for part in (str(line.get("verb", "")), text[0] if text else "") if part)


def _panel(title: str, lines: Sequence[Text]) -> Panel:
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Panel(Group(*lines), box=box.ROUNDED, title=title, title_align="left")


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")


def _titled(title: str, table: Table) -> RenderableType:
    # A title of the table's own would be wrapped to its width.
    return Group(Text(title, style="italic"), table)


def _facts(title: str, rows: Sequence[tuple[str, str]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True, min_width=max(len(name) for name, _ in rows))
    table.add_column(no_wrap=True, overflow="ellipsis")
    for name, value in rows:
        table.add_row(printable(name), printable(value))
    return _titled(title, table)


def _side_by_side(left: RenderableType, right: RenderableType) -> Table:
    grid = Table.grid(expand=True, padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid
