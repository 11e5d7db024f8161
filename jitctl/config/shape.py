"""A file against its model: what pydantic refuses becomes problems with a place, a rule and a hint."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import ErrorDetails

from jitctl.config.nearest import did_you_mean
from jitctl.config.problems import Problem, dotted
from jitctl.config.rules.finding import Parts
from jitctl.config.source import Source
from jitctl.config.wording import wording

_RULE_BY_TYPE = {"extra_forbidden": "JC101", "missing": "JC102", "union_tag_not_found": "JC102"}
_RANGE_TYPES = (
    "greater_than", "less_than", "too_short", "too_long", "string_too", "multiple_of", "finite_number",
)  # fmt: skip
_RELAY_KEYS = ("identity_keystore", "identity_passphrase_file")
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Shaped:
    """A file's values as its model; where some of it is wrong, what is right of it."""

    values: BaseModel | Parts
    problems: list[Problem]


def validate(source: Source, model: type[BaseModel]) -> Shaped:
    """Return a file's values, or everything that is wrong with them and what is right all the same."""
    try:
        return Shaped(model.model_validate(source.data), [])
    except ValidationError as error:
        problems = [_problem(source, model, details) for details in error.errors(include_url=False)]
        return Shaped(_parts(source.data, model), problems)


def _parts(data: Mapping[str, Any], model: type[BaseModel]) -> Parts:
    parts: dict[str, Any] = {}
    kept: dict[str, list[int]] = {}
    some = set[str]()
    for name, info in model.model_fields.items():
        if name not in data:
            if not info.is_required():
                parts[name] = info.get_default(call_default_factory=True)
            continue
        value = data[name]
        whole = _part(model, name, value)
        members = _members(info.annotation)
        inner = next((each for each in members if _is_model(each)), None)
        if whole is not None:
            parts[name] = whole
        elif isinstance(value, list) and any(_is_model(each) for each in _step(info.annotation, 0)):
            found = [(index, _part(model, name, [each])) for index, each in enumerate(value)]
            kept[name] = [index for index, each in found if each is not None]
            parts[name] = tuple(each[0] for _, each in found if each is not None)
            some.add(name)
        elif isinstance(value, dict) and any(typing.get_origin(each) is dict for each in members):
            right = [_part(model, name, {key: each}) for key, each in value.items()]
            parts[name] = {key: each for one in right if one is not None for key, each in one.items()}
            some.add(name)
        elif isinstance(value, dict) and inner is not None:
            parts[name] = _parts(value, inner)
    return Parts(parts, kept, some)


def _part(model: type[BaseModel], name: str, value: Any) -> Any:
    try:
        return getattr(_with_one_field(model, name).model_validate({name: value}), name)
    except ValidationError:
        return None


@cache
def _with_one_field(model: type[BaseModel], name: str) -> type[BaseModel]:
    info = model.model_fields[name]
    fields: dict[str, Any] = {name: (info.annotation, info)}
    return create_model(f"{model.__name__}Part", __config__=model.model_config, **fields)


def _problem(source: Source, model: type[BaseModel], details: ErrorDetails) -> Problem:
    kind = details["type"]
    path = _path_in(source.data, details["loc"], kind)
    message, hint = wording(details, path)
    if kind.startswith("JC"):
        rule = kind
    elif kind == "missing" and path[0] == "relays" and path[-1] in _RELAY_KEYS:
        rule = "JC126"
        message = f"a relay takes signed requests only: {path[-1]} is missing"
    elif kind in _RULE_BY_TYPE:
        rule = _RULE_BY_TYPE[kind]
    else:
        rule = "JC104" if kind.startswith(_RANGE_TYPES) or "too_" in kind else "JC103"
    if kind == "extra_forbidden":
        hint = _elsewhere(model, str(path[-1])) or did_you_mean(str(path[-1]), keys_at(model, path[:-1]))
    if kind == "JC122":
        # Which of the two is wrong nobody knows; the line of one of them is nearer than that of the table.
        given = [each for each in ("min_share_bps", "max_share_bps") if each in details["input"]]
        path = (*path, *given[:1])
    line, column = source.positions.of(path)
    return Problem(rule, source.name, line, column, dotted(path), message, hint)


def _path_in(data: Any, loc: Path, kind: str) -> Path:
    """Return where an error is without what pydantic adds of its own, such as the member of a union."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            data = data[part]
        elif not (kind == "missing" and index == len(loc) - 1):
            continue
        path.append(part)
    # Which of the kinds is meant is said by one key.
    return (*path, "kind") if kind.startswith("union_tag") else tuple(path)


def _elsewhere(model: type[BaseModel], key: str) -> str:
    """Return which table of the file has the key, as a hint; empty where none, or not one alone, has it."""
    found = [
        name
        for name, info in model.model_fields.items()
        for inner in _members(info.annotation)
        if _is_model(inner) and key in inner.model_fields
    ]
    return f"it is a key of [{found[0]}]" if len(found) == 1 else ""


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that the model knows at `path`, of every member where there is a choice."""
    found: list[Any] = [model]
    for part in path:
        found = [inner for each in found for inner in _step(each, part)]
    models = [each for each in found if _is_model(each)]
    return list(dict.fromkeys(key for each in models for key in each.model_fields))


def _step(annotation: Any, part: str | int) -> list[Any]:
    if _is_model(annotation):
        info = annotation.model_fields.get(part)
        return _members(info.annotation) if info else []
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict and isinstance(part, str):
        return _members(inner[1])
    if origin in (tuple, list) and isinstance(part, int):
        return _members(inner[0])
    return []


def _members(annotation: Any) -> list[Any]:
    """Return what an annotation allows: `Annotated` and unions taken apart."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _members(inner[0])
    if origin in (typing.Union, types.UnionType):
        return [found for each in inner for found in _members(each)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
