"""What stands at a path of a model: fields, items of lists and tables, and kinds of a tagged union."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Path = tuple[str | int, ...]


def models_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    """Return the models that a value of this annotation may be; none for a plain value, a list or a table."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(model for part in typing.get_args(annotation) for model in models_in(part))
    if typing.get_origin(annotation) is typing.Annotated:
        return models_in(typing.get_args(annotation)[0])
    return ()


def item_of(annotation: Any) -> Any:
    """Return the annotation of what a list or a table holds, None where it is neither."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return item_of(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return next((found for part in arguments if (found := item_of(part)) is not None), None)
    return {tuple: lambda: arguments[0], dict: lambda: arguments[1]}.get(origin, lambda: None)()


def kind_of(model: type[BaseModel]) -> str:
    """Return the `kind` that tells this model from others of its union; empty for none."""
    field = model.model_fields.get("kind")
    return str(typing.get_args(field.annotation)[0]) if field is not None else ""


def own_path(model: type[BaseModel], loc: Path) -> tuple[Path, tuple[type[BaseModel], ...]]:
    """Return `loc` as the file has it, without the union kinds that pydantic adds, and the models that
    its last key belongs to.
    """
    path: list[str | int] = []
    annotation: Any = model
    owners: tuple[type[BaseModel], ...] = ()
    for part in loc:
        models = models_in(annotation)
        if len(models) > 1 and (chosen := [each for each in models if kind_of(each) == part]):
            annotation = chosen[0]
            continue
        owners = models
        path.append(part)
        if models:
            field = next((m.model_fields[str(part)] for m in models if str(part) in m.model_fields), None)
            annotation = field.annotation if field else None
        else:
            annotation = item_of(annotation)
    return tuple(path), owners


def fields_below(model: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str, FieldInfo]]:
    """Yield every field of the model and of every model that it holds, each model once."""
    seen: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        here = waiting.pop(0)
        if here in seen:
            continue
        seen.add(here)
        for name, field in here.model_fields.items():
            yield here, name, field
            annotation = field.annotation
            while (item := item_of(annotation)) is not None:
                annotation = item
            waiting += models_in(annotation)
