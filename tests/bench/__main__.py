"""Run every benchmark, print the figures, and write docs/benchmarks.md.

A benchmark is a file `bench_<area>.py` with `rows()`, which returns dictionaries with the keys
`name p50 p99 unit goal note`. Figures are medians of one run on one machine; ratios are measured side by
side in that run. `python -m tests.bench amm feed` runs only those areas and leaves the document alone.
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


def main(areas: list[str]) -> int:
    found = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = set(areas) - set(found)
    if unknown:
        print(
            f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(found)}", file=sys.stderr
        )
        return 2
    sections: list[tuple[str, str, list[dict[str, Any]]]] = []
    for area in areas or found:
        module = importlib.import_module(f"tests.bench.bench_{area}")
        print(f"\n{area}", flush=True)
        started = time.monotonic()
        rows = module.rows()
        for row in rows:
            print("  " + _line(row), flush=True)
        print(f"  ({time.monotonic() - started:.0f} s)", flush=True)
        summary = (module.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        sections.append((area, summary, rows))
    if not areas:
        DOCUMENT.write_text(_document(sections))
        print(f"\nwritten: {DOCUMENT.relative_to(HERE.parent.parent)}")
    return 0


def _line(row: dict[str, Any]) -> str:
    p99 = "" if row.get("p99") in (None, "") else f"  p99 {_figure(row['p99'])}"
    goal = f"  goal {row['goal']}" if row.get("goal") else ""
    note = f"  ({row['note']})" if row.get("note") else ""
    return f"{row['name']}: {_figure(row['p50'])}{p99} {row['unit']}{goal}{note}"


def _figure(value: Any) -> str:
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,}"


def _document(sections: list[tuple[str, str, list[dict[str, Any]]]]) -> str:
    python, machine = platform.python_version(), platform.machine()
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`: medians of one run, ratios measured side by side in it. A goal is a goal,",
        f"not a promise. This run: Python {python} on {machine}, a shared machine with two cores.",
    ]
    for area, summary, rows in sections:
        lines += [
            "",
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
