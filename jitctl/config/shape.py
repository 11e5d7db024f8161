"""A file against its model: what pydantic refuses becomes problems with a place, a rule and a hint."""

from __future__ import annotations

import difflib
import typing
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jitctl.config.problems import Problem, dotted
from jitctl.config.source import Source

_RULE_BY_TYPE = {"extra_forbidden": "JC101", "missing": "JC102"}
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
    path, kind, message, hint = tuple(details["loc"]), details["type"], details["msg"], ""
    if kind.startswith("JC"):
        rule = kind
    elif kind in _RULE_BY_TYPE:
        rule = _RULE_BY_TYPE[kind]
    else:
        rule = "JC104" if kind.startswith(_RANGE_TYPES) or "too_" in kind else "JC103"
    if kind == "extra_forbidden":
        message = "unknown key"
        near = difflib.get_close_matches(str(path[-1]), _keys_at(model, path[:-1]), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else ""
    elif kind == "missing":
        message = "this key is missing"
    line, column = source.positions.of(path)
    return Problem(rule, source.name, line, column, dotted(path), message, hint)


def _keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the model knows at `path`."""
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as `Annotated[tuple[Model, ...], ...]` or `Model | None`."""
    inner = typing.get_args(annotation)
    if not inner and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in inner if (found := _model_in(part))), None)
