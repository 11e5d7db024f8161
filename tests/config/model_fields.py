"""Every field of a model and of all that it holds."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel


def fields_below(model: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str]]:
    """Yield each model and field name once, whatever lists, tables and unions lie between."""
    seen: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        here = waiting.pop(0)
        if here in seen:
            continue
        seen.add(here)
        for name, field in here.model_fields.items():
            yield here, name
            waiting += models_in(field.annotation)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]
