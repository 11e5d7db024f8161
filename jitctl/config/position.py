"""Where a key stands in a TOML or JSON text, so that an error can name its line and column.

Both scanners expect text that its parser has already accepted; they skip values and remember keys.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import NamedTuple

Path = tuple[str | int, ...]


class Position(NamedTuple):
    """Line and column, both from 1."""

    line: int
    column: int


class Positions:
    """Positions by path; asking for an absent path gives its nearest known parent."""

    def __init__(self, text: str, offsets: dict[Path, int]) -> None:
        self._text = text
        self._offsets = offsets

    def of(self, path: Path) -> Position:
        while path and path not in self._offsets:
            path = path[:-1]
        return position_at(self._text, self._offsets.get(path, 0))


def position_at(text: str, offset: int) -> Position:
    """Return the position of a character offset."""
    return Position(text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1)


def locate_toml(text: str) -> Positions:
    return Positions(text, _TomlScan(text).run())


def locate_json(text: str) -> Positions:
    scan = _JsonScan(text)
    scan.value(())
    return Positions(text, scan.offsets)


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
    def value(self, path: Path) -> None:
        self.skip(_BLANK)
        super().value(path)

    def pair(self, path: Path) -> None:
        start = self.at
        key = (*path, self.skip(_STRING)[1:-1])
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
        keys = self.dotted()
        self.at += 2 if is_array else 1
        path: Path = ()
        for key in keys[:-1]:
            path = self.latest((*path, key))
        path = (*path, keys[-1])
        if is_array:
            self.offsets.setdefault(path, start)
            self.arrays[path] = self.arrays.get(path, -1) + 1
        path = self.latest(path)
        self.offsets.setdefault(path, start)
        return path

    def latest(self, path: Path) -> Path:
        """Inside an array of tables a header speaks of its newest table."""
        return (*path, self.arrays[path]) if path in self.arrays else path

    def dotted(self) -> list[str]:
        keys = []
        while True:
            self.skip(_SPACE)
            if self.peek() in ("'", '"'):
                keys.append(self.skip(_STRING)[1:-1])
            else:
                keys.append(self.skip(_BARE_KEY))
            self.skip(_SPACE)
            if self.peek() != ".":
                return keys
            self.at += 1

    def pair(self, path: Path) -> None:
        start = self.at
        for key in self.dotted():
            path = (*path, key)
            self.offsets.setdefault(path, start)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)
