"""Where a key stands in a TOML or JSON text, so that an error can name its line and column.

Both scanners expect text that its parser has already accepted; they skip values and remember keys.
"""

from __future__ import annotations

import json
import re
import tomllib
from abc import ABC, abstractmethod
from bisect import bisect_right
from typing import NamedTuple

Path = tuple[str | int, ...]


class Position(NamedTuple):
    """Line and column, both from 1."""

    line: int
    column: int


class Duplicate(NamedTuple):
    """A key that one JSON object gives again: its path, where it stands, and where it stood before."""

    path: Path
    position: Position
    first: Position


class Positions:
    """Positions by path; asking for an absent path gives its nearest known parent."""

    def __init__(self, text: str, offsets: dict[Path, int]) -> None:
        self._offsets = offsets
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def of(self, path: Path) -> Position:
        while path and path not in self._offsets:
            path = path[:-1]
        return self.at(self._offsets.get(path, 0))

    def at(self, offset: int) -> Position:
        """Return the position of a character offset."""
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)


def position_at(text: str, offset: int) -> Position:
    """Return the position of a character offset."""
    return Position(text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1)


def locate_toml(text: str) -> Positions:
    return Positions(text, _TomlScan(text).run())


def locate_json(text: str) -> Positions:
    return scan_json(text)[0]


def scan_json(text: str) -> tuple[Positions, list[Duplicate]]:
    """Return where every key stands, and which ones their object gives twice."""
    scan = _JsonScan(text)
    scan.value(())
    positions = Positions(text, scan.offsets)
    return positions, [
        Duplicate(path, positions.at(offset), positions.at(first)) for path, offset, first in scan.again
    ]


_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'", re.S
)


class _Scan(ABC):
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.offsets: dict[Path, int] = {}

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def items(self, path: Path, close: str, item: str) -> None:
        """Walk `[...]` or `{...}`: `item` names the method that reads one element."""
        self.at += 1
        index = 0
        while True:
            self.skip(_BLANK)
            if self.peek() in (close, ""):
                self.at += 1
                return
            if self.peek() == ",":
                self.at += 1
                continue
            if item == "value":
                self.offsets[(*path, index)] = self.at
                self.value((*path, index))
            else:
                self.pair(path)
            index += 1

    def value(self, path: Path) -> None:
        match self.peek():
            case "[":
                self.items(path, "]", "value")
            case "{":
                self.items(path, "}", "pair")
            case '"' | "'":
                self.skip(_STRING)
            case _:
                self.skip(_SCALAR)

    @abstractmethod
    def pair(self, path: Path) -> None:
        """Skip one key and its value, and remember where the key stands."""


class _JsonScan(_Scan):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.again: list[tuple[Path, int, int]] = []
        self.objects: list[dict[str, int]] = []

    def value(self, path: Path) -> None:
        self.skip(_BLANK)
        if self.peek() == "{":
            self.objects.append({})
            super().value(path)
            self.objects.pop()
        else:
            super().value(path)

    def pair(self, path: Path) -> None:
        start = self.at
        quoted = self.skip(_STRING)
        name = json.loads(quoted) if "\\" in quoted else quoted[1:-1]
        key = (*path, name)
        known = self.objects[-1]
        if name in known:
            self.again.append((key, start, known[name]))
        known.setdefault(name, start)
        self.offsets[key] = start
        self.skip(_BLANK)
        self.at += 1  # the colon
        self.value(key)


class _TomlScan(_Scan):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.arrays: dict[Path, int] = {}

    def run(self) -> dict[Path, int]:
        prefix: Path = ()
        while True:
            self.skip(_BLANK)
            if not self.peek():
                return self.offsets
            if self.peek() == "[":
                prefix = self.header()
            else:
                self.pair(prefix)

    def header(self) -> Path:
        start = self.at
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        keys = [name for name, _ in self.dotted()]
        self.at += 2 if is_array else 1
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            self.offsets.setdefault(path, start)
            path = self.latest(path)
        path = (*path, keys[-1])
        if is_array:
            self.offsets.setdefault(path, start)
            self.arrays[path] = self.arrays.get(path, -1) + 1
            path = self.latest(path)
        # Not only where nothing is known: a table's own header may follow those of its sub-tables.
        self.offsets[path] = start
        return path

    def latest(self, path: Path) -> Path:
        """Inside an array of tables a header speaks of its newest table."""
        return (*path, self.arrays[path]) if path in self.arrays else path

    def dotted(self) -> list[tuple[str, int]]:
        """Skip a key such as `a."b c".d`; return its parts and where each begins."""
        keys = []
        while True:
            self.skip(_SPACE)
            start = self.at
            if self.peek() in ("'", '"'):
                quoted = self.skip(_STRING)
                escaped = quoted[0] == '"' and "\\" in quoted
                name = tomllib.loads(f"name = {quoted}")["name"] if escaped else quoted[1:-1]
            else:
                name = self.skip(_BARE_KEY)
            keys.append((name, start))
            self.skip(_SPACE)
            if self.peek() != ".":
                return keys
            self.at += 1

    def pair(self, path: Path) -> None:
        for name, start in self.dotted():
            path = (*path, name)
            self.offsets.setdefault(path, start)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)
