"""One file of the configuration: its bytes as read once, what they say, and where each key stands."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jitctl.config import position
from jitctl.config.locate import MARKER
from jitctl.config.pending_set import read_pending
from jitctl.config.plain_file import read_plain
from jitctl.config.problems import Problem, dotted
from jitctl.config.toml_errors import toml_error

STEMS = ("jitctl", "pools", "strategy", "alerts")
"""Our files, each as .toml or .json."""
READS = 10
"""How often a folder that changes while it is read is read anew."""


@dataclass(frozen=True)
class Text:
    """A file's bytes, and its name: where the operator knows it, even where they were kept elsewhere.

    `form` is `toml` or `json`; the name's suffix says so where it is empty.
    """

    path: Path
    data: bytes
    form: str = ""

    @property
    def is_json(self) -> bool:
        return (self.form or self.path.suffix.removeprefix(".")) == "json"


Texts = Mapping[str, Text]
"""The files of one configuration by stem."""


@dataclass(frozen=True)
class Source:
    """A file that its parser accepts; `flaws` are what is wrong with it as a whole all the same."""

    name: str
    positions: position.Positions
    data: dict[str, Any]
    flaws: tuple[Problem, ...] = ()


def read_texts(folder: Path) -> tuple[dict[str, Text], list[Problem]]:
    """Return the files of a folder by stem, absent ones left out, and what cannot be read.

    It is one state of the folder, also while the files are being replaced as one step.
    """
    for _ in range(READS):
        before = _marks(folder)
        found = _read_once(folder)
        if _marks(folder) == before:
            return found
    problem = Problem("JC003", str(folder), 1, 1, "", "cannot be read: its files keep changing")
    return found[0], [*found[1], problem]


def _marks(folder: Path) -> list[tuple[int, ...] | None]:
    """Return what changes when a file of the folder is replaced or written."""
    names = (MARKER, *(f"{stem}{end}" for stem in STEMS for end in (".toml", ".json")))
    found: list[tuple[int, ...] | None] = []
    for name in names:
        try:
            seen = (folder / name).stat()
        except OSError:
            found.append(None)
        else:
            found.append((seen.st_ino, seen.st_mtime_ns, seen.st_size))
    return found


def _read_once(folder: Path) -> tuple[dict[str, Text], list[Problem]]:
    texts: dict[str, Text] = {}
    problems: list[Problem] = []
    pending = None
    try:
        pending = read_pending(folder)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problems.append(Problem("JC003", str(folder / MARKER), 1, 1, "", f"cannot be read: {why}"))
    for stem in STEMS:
        candidates = (folder / f"{stem}.toml", folder / f"{stem}.json")
        # A link that leads nowhere is no absent file: alerts.toml would silently be its defaults.
        path = next((candidate for candidate in candidates if _is_there(candidate)), None)
        place = (path, path) if path is not None else None
        if pending is not None:
            place = pending.place(folder, stem)
        if place is None:
            continue
        text = read_text(place[1])
        if isinstance(text, Problem):
            problems.append(replace(text, file=str(place[0])))
        else:
            texts[stem] = Text(place[0], text.data)
    return texts, problems


def _is_there(path: Path) -> bool:
    """Whether something has this name; what may not be looked at is there, and its reading says why."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_text(path: Path) -> Text | Problem:
    """Return a file's bytes, or why they cannot be read."""
    try:
        return Text(path, read_plain(path))
    except OSError as error:
        return Problem("JC003", str(path), 1, 1, "", f"cannot be read: {error.strerror or error}")


def parse(text: Text) -> Source | Problem:
    """Return what a file says, or why it says nothing."""
    name, is_json = str(text.path), text.is_json
    if text.data.startswith(_BOMS):
        message = "the file begins with a byte order mark"
        return Problem("JC003", name, 1, 1, "", message, "save it as UTF-8 without a BOM")
    try:
        body = text.data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = text.data[: error.start].decode("utf-8")
        line, column = position.position_at(before, len(before))
        return Problem("JC003", name, line, column, "", "cannot be read: this is no UTF-8")
    if not body.strip():
        return Problem("JC008", name, 1, 1, "", "the file is empty")
    try:
        return _parse_json(name, body) if is_json else _parse_toml(name, body)
    except (ValueError, RecursionError) as error:
        return _beyond(name, error)


def _parse_toml(name: str, body: str) -> Source | Problem:
    try:
        data = tomllib.loads(body)
    except tomllib.TOMLDecodeError as error:
        return toml_error(name, body, str(error))
    return Source(name, position.locate_toml(body), data, tuple(_cut_off(name, body)))


def _parse_json(name: str, body: str) -> Source | Problem:
    try:
        data = json.loads(body, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        return Problem("JC002", name, error.lineno, error.colno, "", f"not JSON: {error.msg}")
    except _NoNumberError as error:
        found = re.search(r'(?:"(?:\\.|[^"\\])*"|[^"])*?(' + re.escape(str(error)) + ")", body)
        line, column = position.position_at(body, found.start(1) if found else 0)
        return Problem("JC002", name, line, column, "", f"not JSON: {error} is no number of JSON")
    if not isinstance(data, dict):
        return Problem("JC002", name, 1, 1, "", "expected an object at the top")
    positions, again = position.scan_json(body)
    flaws = [
        Problem("JC004", name, *each.position, dotted(each.path), f"given before, in line {each.first.line}")
        for each in again
    ]
    if _HALF.search(body):
        flaws += [
            Problem("JC003", name, *positions.of(path), dotted(path), "half of a surrogate pair is no text")
            for path in _halves(data, ())
        ]
    return Source(name, positions, data, tuple(flaws))


_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
HEADER = 'ends with "# end of file"'
"""A TOML file with these words in a comment at its top is whole only with the line below."""
LAST_LINE = "# end of file"


class _NoNumberError(Exception):
    """NaN or Infinity, which Python's parser would take."""


def _no_number(text: str) -> None:
    raise _NoNumberError(text)


def _cut_off(name: str, body: str) -> Iterator[Problem]:
    """Yield JC006, JC007 and JC009: signs that the end of a file is missing, or may be and would not show."""
    lines = body.rstrip().split("\n")
    leading = itertools.takewhile(lambda line: line.startswith("#") or not line.strip(), lines)
    if any(HEADER in line for line in leading):
        ends = [number for number, line in enumerate(lines, 1) if line.strip() == LAST_LINE]
        if not ends:
            message = f"the file promises the line {LAST_LINE!r} at its end: the rest is missing"
            yield Problem("JC006", name, len(lines), 1, "", message, "write the whole file again")
        elif ends[-1] < len(lines):
            message = f"below {LAST_LINE!r} it would not be noticed if something were cut off"
            yield Problem("JC009", name, ends[-1], 1, "", message, "move that line to the end of the file")
    if not body.endswith("\n"):
        last = body.rsplit("\n", 1)[-1]
        message = "the last line has no end: it may be cut off"
        hint = "write the whole file again, or end its last line"
        yield Problem("JC007", name, body.count("\n") + 1, len(last) + 1, "", message, hint)


def _halves(value: Any, path: position.Path) -> Iterator[position.Path]:
    """Yield the paths of keys and texts that are no text."""
    if isinstance(value, dict):
        for key, item in value.items():
            if _is_half(key):
                yield (*path, key)
            else:
                yield from _halves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _halves(item, (*path, index))
    elif isinstance(value, str) and _is_half(value):
        yield path


def _is_half(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _beyond(name: str, error: Exception) -> Problem:
    """The parsers' own limits: a number of thousands of digits, brackets nested hundreds deep."""
    return Problem("JC003", name, 1, 1, "", f"cannot be read: {error}")
