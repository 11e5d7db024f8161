"""`jitctl access-log`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format

_HEADINGS = ("", "time", "who", "role", "door", "verb", "state", "outcome", "why")


def access_log(
    ctx: typer.Context,
    since: Annotated[
        str, typer.Option("--since", help="As 24h, 7d, or 2026-01-31T08:00 (UTC); all by default.")
    ] = "",
    who: Annotated[str, typer.Option("--who", help="One person, by name or uid.")] = "",
    verb: Annotated[str, typer.Option("--verb", help="One verb.")] = "",
    denied: Annotated[bool, typer.Option("--denied", help="Refused calls only.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="The newest so many.")] = 100,
    output: OutputOption = Format.TEXT,
) -> None:
    """Show who did what, and whether the audit trail is whole.

    Reads data/audit.jsonl, whether the bot runs or not, and checks its hash chain from the first record to
    the last: exit code 1 where it is broken. Lines marked with ! are worth a look: refused calls, uids
    that this machine does not know, actions without a reason, numbers that are missing.

    Example: jitctl access-log --since 24h --denied
    """
    import time

    from jitctl.control.schema import to_wire
    from jitctl.reports import access

    now_s = time.time()
    wanted = access.Filter(access.since(since, now_s), who, verb, denied, limit)
    trail = options.folders(ctx).data / "audit.jsonl"
    found: dict[str, Any] = to_wire(access.access_log(trail, wanted, now_s=now_s))
    render.result(found, output, _text)
    if found["chain"] == "broken":
        raise typer.Exit(1)


def _text(found: dict[str, Any]) -> str:
    lines = [_chain(found)]
    if found["tornLines"]:
        where = ", ".join(str(number) for number in found["tornLines"][:10])
        lines.append(f"half a line, as a power cut leaves it: line {where}; it holds no whole record")
    if found["anomalies"]:
        lines.append("worth a look: " + ", ".join(f"{n} {mark}" for mark, n in found["anomalies"].items()))
    if not found["entries"]:
        return "\n".join([*lines, "no such records" if found["records"] else "no records yet"])
    lines += _aligned([_HEADINGS, *(_row(entry) for entry in found["entries"])], render.terminal_width())
    if found["matching"] > len(found["entries"]):
        lines.append(f"{found['matching'] - len(found['entries'])} older ones: --limit shows more")
    return "\n".join(lines)


def _aligned(rows: list[tuple[str, ...]], terminal: int | None) -> list[str]:
    """Return the rows in columns; where the terminal is too narrow, the rest goes below each row."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    narrow = terminal is not None and sum(widths) + 2 * len(widths) - 2 > terminal
    left_out = ("role", "door", "outcome", "why") if narrow else ()
    columns = [column for column, heading in enumerate(_HEADINGS) if heading not in left_out]
    lines = []
    for row in rows:
        lines.append("  ".join(row[column].ljust(widths[column]) for column in columns).rstrip())
        if narrow and row is not rows[0]:
            below = ": ".join(part for part in (row[-2], row[-1]) if part)
            lines.append(render.wrapped(" " * 5, below, indent=5))
    return lines


def _chain(found: dict[str, Any]) -> str:
    if found["chain"] == "absent":
        return f"chain: absent; there is no {render.printable(found['file'])}"
    records = f"{found['records']} records"
    if found["chain"] == "broken":
        line, why = found["brokenAtLine"], found["brokenBecause"]
        return f"chain: {render.mark('BROKEN', 'red')} at line {line}: {why}; {records}"
    return f"chain: intact, {records}"


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    before, after = entry["before"], entry["after"]
    outcome = entry["outcome"] + (f" (+{entry['leftOut']})" if entry["leftOut"] else "")
    odd = [mark for mark in entry["marks"] if mark != "denied"]
    why = "; ".join([*([entry["why"]] if entry["why"] else []), *(f"[{mark}]" for mark in odd)])
    cells = (
        "!" if entry["marks"] else "",
        entry["time"],
        entry["who"],
        entry["role"] or "none",
        entry["door"],
        entry["verb"],
        f"{before} -> {after}" if before or after else "",
        outcome,
        why,
    )
    return tuple(render.printable(cell).replace("\n", "\\n") for cell in cells)
