"""Counters with a closed list of names, so that a metric label can never be invented at run time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Counters:
    """Counts of named outcomes; a name that was not declared raises `KeyError`."""

    __slots__ = ("_counts",)

    def __init__(self, names: Iterable[str]) -> None:
        self._counts = dict.fromkeys(names, 0)

    def add(self, name: str, amount: int = 1) -> None:
        """Count `amount` more of `name`."""
        self._counts[name] = self._counts[name] + amount

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def snapshot(self) -> Mapping[str, int]:
        """A copy of all counts, zeros included, in the order of declaration."""
        return dict(self._counts)
