"""How verbs that check show their findings, and the exit code that those mean."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer

from jitctl.cli import render

_MARKS = {
    "pass": ("pass", "green"),
    "warn": ("warn", "yellow"),
    "fail": ("FAIL", "red"),
    "unknown": ("?", "yellow"),
}
_COUNTED = {"pass": "passed", "warn": "warned", "fail": "failed", "unknown": "unknown"}
EXIT_CODES = {"pass": 0, "warn": 0, "fail": 1, "unknown": 8}
STRICT_WARNINGS = 10


def show(report: dict[str, Any], output: str, *, strict: bool = False) -> None:
    """Print a `CheckReport` and leave with its exit code: 1 failed, 8 unknown, 10 warnings under strict."""
    render.result(report, output, text)
    result = str(report.get("result"))
    code = STRICT_WARNINGS if strict and result == "warn" else EXIT_CODES.get(result, 8)
    if code:
        raise typer.Exit(code)


def text(report: dict[str, Any]) -> str:
    """Return a line a check, what to do below each that did not pass, and a count."""
    checks: list[dict[str, Any]] = report.get("checks", [])
    width = max((len(str(check.get("name"))) for check in checks), default=0)
    lines = []
    for check in checks:
        word, colour = _MARKS.get(str(check.get("result")), _MARKS["unknown"])
        name, detail = str(check.get("name")).ljust(width), render.printable(str(check.get("detail", "")))
        line = render.wrapped(f"{render.mark(word, colour)}  {name}  ", detail, indent=width + 8)
        lines.append(line.rstrip())
        remedy = str(check.get("remedy", ""))
        if remedy and check.get("result") != "pass":
            arrow = f"      {' ' * width}  -> "
            lines.append(render.wrapped(arrow, render.printable(remedy), indent=len(arrow)))
    results = Counter(str(check.get("result")) for check in checks)
    counts = [f"{results[result]} {word}" for result, word in _COUNTED.items() if results[result]]
    took = report.get("elapsedMs") or 0.0
    lines.append(f"{report.get('verb')}: {', '.join(counts)} in {took / 1000:.1f} s")
    return "\n".join(lines)
