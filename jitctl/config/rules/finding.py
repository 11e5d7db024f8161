"""What a rule across keys or files finds, and what it finds it in where a file is wrong elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Path = tuple[str | int, ...]
Check = TypeVar("Check", bound=Callable[..., Iterator["Finding"]])


@dataclass(frozen=True)
class Finding:
    """A broken rule at a path of one file (`jitctl`, `pools`, `strategy`, `alerts`)."""

    rule: str
    file: str
    path: Path
    message: str
    hint: str = ""


class PartIsWrongError(Exception):
    """A check asked for a part of a file that has not the right shape."""


class Parts:
    """What is right of a table that is wrong elsewhere, in the shape of its model; tables in it may be such.

    `kept` says by key which elements of a list are here, by their index in the file; `some` are the keys of
    lists and tables of which only a part is.
    """

    def __init__(
        self, parts: Mapping[str, Any], kept: Mapping[str, list[int]], some: Collection[str]
    ) -> None:
        self._parts = parts
        self._kept = kept
        self._some = some

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._parts:
            raise PartIsWrongError(name)
        return self._parts[name]

    def path_of(self, path: Path) -> Path:
        """Return a path whose indexes count the elements that are right as one into the file."""
        if len(path) < 2:
            return path
        name, second, *rest = path
        inner = self._parts.get(str(name))
        if isinstance(inner, Parts):
            return (name, *inner.path_of((second, *rest)))
        if isinstance(second, int) and name in self._kept:
            second = self._kept[str(name)][second]
        return (name, second, *rest)

    def has_all(self, names: Sequence[str]) -> bool:
        """Return whether nothing of the list or table at a path of keys is left out."""
        name, *rest = names
        inner = self._parts.get(name)
        if rest and isinstance(inner, Parts):
            return inner.has_all(rest)
        return name in self._parts and name not in self._some and not isinstance(inner, Parts)


def needs_whole(*places: str) -> Callable[[Check], Check]:
    """Mark a check that concludes from what is not in a list or table, such as `main.prices.feeds`."""

    def mark(check: Check) -> Check:
        check.needs_whole = places  # type: ignore[attr-defined]  # functions take attributes
        return check

    return mark
