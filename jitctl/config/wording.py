"""The errors of pydantic in the words of the house: what is wrong, and what would be right."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import ErrorDetails

from jitctl.config.nearest import did_you_mean
from jitctl.config.shown import shown

_EXPECTED = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "text in quotes",
    "dict": "a table", "model": "a table", "tuple": "a list", "list": "a list", "none": "nothing",
}  # fmt: skip
_UNIT_BY_ENDING = {
    "_seconds": "seconds", "_s": "seconds", "_ms": "milliseconds", "_bps": "basis points, 10000 are all",
    "_ppm": "parts per million", "_pips": "hundredths of a basis point", "_wei": "wei", "_gas": "gas units",
    "_depth": "blocks", "_wei_per_gas": "wei for each unit of gas",
}  # fmt: skip
_BOUND = {
    "greater_than": ("gt", "more than"), "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"), "less_than_equal": ("le", "at most"),
}  # fmt: skip


def wording(details: ErrorDetails, path: tuple[str | int, ...]) -> tuple[str, str]:
    """Return message and hint of one error at `path`; secrets are not shown."""
    kind, given = details["type"], shown(details["input"])
    context: dict[str, Any] = dict(details.get("ctx") or {})
    unit = unit_of(path)
    if kind.startswith("JC"):
        return details["msg"], str(context.get("hint", ""))
    if kind == "missing":
        return "this key is missing", ""
    if kind == "extra_forbidden":
        return "unknown key", ""
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context["expected"]))
        listed = " or ".join(f'"{choice}"' for choice in choices)
        return f"expected {listed}; found {given}", did_you_mean(str(details["input"]), choices)
    if kind in _BOUND:
        name, words = _BOUND[kind]
        return f"expected {words} {context[name]}{unit}; found {given}", ""
    if kind == "finite_number":
        return f"expected a finite number{unit}; found {given}", ""
    if kind in ("too_short", "string_too_short"):
        what = "elements" if kind == "too_short" else "characters"
        return f"expected at least {context['min_length']} {what}; found fewer", ""
    if kind in ("too_long", "string_too_long"):
        what = "elements" if kind == "too_long" else "characters"
        return f"expected at most {context['max_length']} {what}; found more", ""
    if kind == "union_tag_not_found":
        return "this key is missing", ""
    if kind == "union_tag_invalid":
        kinds = re.findall(r"'([^']*)'", str(context["expected_tags"]))
        listed = " or ".join(f'"{each}"' for each in kinds)
        return f"expected {listed}; found {shown(context['tag'])}", did_you_mean(str(context["tag"]), kinds)
    expected = next((words for name, words in _EXPECTED.items() if kind.startswith(name)), "another value")
    return f"expected {expected}{unit if 'number' in expected else ''}; found {given}", ""


def unit_of(path: tuple[str | int, ...]) -> str:
    """Return the unit that a key's name carries, in brackets; empty for none."""
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    endings = sorted(_UNIT_BY_ENDING, key=len, reverse=True)
    found = next((_UNIT_BY_ENDING[ending] for ending in endings if name.endswith(ending)), "")
    return f" ({found})" if found else ""
