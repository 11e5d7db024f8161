"""Run every benchmark, print the figures, and write docs/benchmarks.md.

A benchmark is a file `bench_<area>.py` with `rows()`, which returns dictionaries with the keys
`name p50 p99 unit goal note`. Figures are medians of one run on one machine; ratios are measured side by
side in that run. `python -m tests.bench amm feed` runs only those areas and leaves the document alone; with
`--write` it replaces their sections there and keeps the others.
"""

from __future__ import annotations

import importlib
import platform
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DOCUMENT = HERE.parent.parent / "docs" / "benchmarks.md"
WRITE = "--write"


def main(words: list[str]) -> int:
    areas = [word for word in words if word != WRITE]
    found = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = set(areas) - set(found)
    if unknown:
        print(
            f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(found)}", file=sys.stderr
        )
        return 2
    sections: dict[str, str] = {}
    for area in areas or found:
        module = importlib.import_module(f"tests.bench.bench_{area}")
        print(f"\n{area}", flush=True)
        started = time.monotonic()
        rows = module.rows()
        for row in rows:
            print("  " + _line(row), flush=True)
        print(f"  ({time.monotonic() - started:.0f} s)", flush=True)
        summary = (module.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        sections[area] = _section(area, summary, rows)
    if not areas or WRITE in words:
        kept = _sections(DOCUMENT.read_text()) if areas and DOCUMENT.exists() else {}
        DOCUMENT.write_text(_document(kept | sections))
        print(f"\nwritten: {DOCUMENT.relative_to(HERE.parent.parent)}")
    return 0


def _line(row: dict[str, Any]) -> str:
    p99 = "" if row.get("p99") in (None, "") else f"  p99 {_figure(row['p99'])}"
    goal = f"  goal {row['goal']}" if row.get("goal") else ""
    note = f"  ({row['note']})" if row.get("note") else ""
    return f"{row['name']}: {_figure(row['p50'])}{p99} {row['unit']}{goal}{note}"


def _figure(value: Any) -> str:
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,}"


def _section(area: str, summary: str, rows: list[dict[str, Any]]) -> str:
    lines = [
        f"## {area}",
        "",
        summary,
        "",
        "| what | p50 | p99 | unit | goal | note |",
        "|---|--:|--:|---|---|---|",
    ]
    for row in rows:
        p99 = "" if row.get("p99") in (None, "") else _figure(row["p99"])
        lines.append(
            f"| {row['name']} | {_figure(row['p50'])} | {p99} | {row['unit']} | {row.get('goal') or ''} "
            f"| {row.get('note') or ''} |"
        )
    return "\n".join(lines) + "\n"


def _sections(document: str) -> dict[str, str]:
    """Return the sections of a document of ours by area."""
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in ("\n" + document).split("\n## ")[1:]}


def _document(sections: dict[str, str]) -> str:
    python, machine = platform.python_version(), platform.machine()
    head = [
        "# Benchmarks",
        "",
        "Written by `make bench`: medians of one run a section, ratios measured side by side in it. A goal",
        f"is a goal, not a promise. Last run: Python {python} on {machine}, a shared machine with two cores.",
        "",
    ]
    return "\n".join(head) + "".join(f"\n{sections[area]}" for area in sorted(sections))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
