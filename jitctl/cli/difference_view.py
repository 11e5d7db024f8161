"""How differences of configurations look: one line each, by file, with the verb that takes them over."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from jitctl.cli import render
from jitctl.cli.figures import in_units

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}


def difference_lines(found: list[dict[str, Any]], stream: TextIO | None = None) -> list[str]:
    """Return the lines for `Difference`s as JSON, coloured where `stream`, else stdout, is a terminal."""
    lines: list[str] = []
    for stem in dict.fromkeys(each["file"] for each in found):
        lines.append(render.printable(stem))
        for each in (one for one in found if one["file"] == stem):
            sign = render.paint(_SIGNS[each["kind"]], _COLOURS[each["kind"]], stream or sys.stdout)
            lines.append(f"  {sign} {_change(each)}  [{each['appliedBy']}]")
    return lines


def _change(each: dict[str, Any]) -> str:
    key = render.printable(each["key"])
    before, after = (value_text(each["key"], each[side]) for side in ("before", "after"))
    match each["kind"]:
        case "added":
            return f"{key} = {after}"
        case "removed":
            return f"{key} (was {before})"
        case _:
            hint = " (not shown)" if before == after else ""
            return f"{key}: {before} -> {after}{hint}"


def value_text(key: str, value: Any) -> str:
    """Return a value as a file may have it, amounts in ether."""
    if isinstance(value, dict):
        items = [f"{name} {value_text(name, item)}" for name, item in value.items() if item is not None]
        return f"{{ {', '.join(items)} }}"
    return render.printable(in_units(key, value) or json.dumps(value, ensure_ascii=False))


def apply_lines(reloads: list[str], needs_restart: list[str]) -> list[str]:
    """Return what takes the differences over, as commands."""
    lines = [f"next: jitctl {verb}" for verb in reloads]
    if needs_restart:
        keys = render.printable(", ".join(needs_restart))
        lines.append(f"next: jitctl restart (only a restart takes over: {keys})")
    return lines


def reloads_of(found: list[dict[str, Any]]) -> list[str]:
    """Return the reload verbs that take over some of the differences."""
    verbs = dict.fromkeys(each["appliedBy"] for each in found)
    return [verb for verb in verbs if verb != "restart"]


def restart_keys(found: list[dict[str, Any]]) -> list[str]:
    """Return the keys that only a restart takes over."""
    return [each["key"] for each in found if each["appliedBy"] == "restart"]
