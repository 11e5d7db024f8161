"""A file against its model: what pydantic refuses becomes problems with a place, a rule and a hint."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jitctl.config.model_walk import own_path
from jitctl.config.problems import Problem, dotted
from jitctl.config.source import Source

_RULE_BY_TYPE = {"extra_forbidden": "JC101", "missing": "JC102", "union_tag_not_found": "JC102"}
_RANGE_TYPES = (
    "greater_than", "less_than", "too_short", "too_long", "string_too", "multiple_of", "finite_number",
)  # fmt: skip


def validate(source: Source, model: type[BaseModel]) -> tuple[BaseModel | None, list[Problem]]:
    """Return a file's values, or everything that is wrong with them."""
    try:
        return model.model_validate(source.data), []
    except ValidationError as error:
        return None, [_problem(source, model, details) for details in error.errors(include_url=False)]


def _problem(source: Source, model: type[BaseModel], details: ErrorDetails) -> Problem:
    kind, message, hint = details["type"], details["msg"], ""
    path, owners = own_path(model, tuple(details["loc"]))
    if kind.startswith("JC"):
        rule = kind
    elif kind in _RULE_BY_TYPE:
        rule = _RULE_BY_TYPE[kind]
    else:
        rule = "JC104" if kind.startswith(_RANGE_TYPES) or "too_" in kind else "JC103"
    if kind == "extra_forbidden":
        message = "unknown key"
        hint = _meant(path[-1], [name for owner in owners for name in owner.model_fields])
    elif kind == "missing":
        message = "this key is missing"
    elif kind.startswith("union_tag"):
        path = (*path, "kind")
        kinds = str(details["ctx"].get("expected_tags", "")).replace("'", "").split(", ")
        if kind == "union_tag_not_found":
            message = "this key is missing"
        else:
            message = f"expected one of {', '.join(kinds)}"
            hint = _meant(details["ctx"]["tag"], kinds)
    line, column = source.positions.of(path)
    return Problem(rule, source.name, line, column, dotted(path), message, hint)


def _meant(word: Any, known: list[str]) -> str:
    near = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
