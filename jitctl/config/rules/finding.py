"""What a rule across keys or files finds, and what it finds it in where a file is wrong elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    """What is right of a file that is wrong elsewhere, in the shape of its model."""

    def __init__(self, parts: Mapping[str, Any], kept: Mapping[str, list[int]]) -> None:
        self._parts = parts
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._parts:
            raise PartIsWrongError(name)
        return self._parts[name]

    def path_of(self, path: Path) -> Path:
        """Return a path whose index counts the elements that are right as one into the file."""
        if len(path) > 1 and isinstance(path[1], int) and path[0] in self._kept:
            return (path[0], self._kept[str(path[0])][path[1]], *path[2:])
        return path


def needs_whole(check: Check) -> Check:
    """Mark a check that concludes from what a file does not say."""
    check.needs_whole = True  # type: ignore[attr-defined]  # functions take attributes
    return check
