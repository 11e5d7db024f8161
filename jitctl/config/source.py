"""One file of the configuration: its bytes as read once, what they say, and where each key stands."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jitctl.config import position
from jitctl.config.locate import MARKER
from jitctl.config.pending_set import read_pending
from jitctl.config.problems import Problem

STEMS = ("jitctl", "pools", "strategy", "alerts")
"""Our files, each as .toml or .json."""
READS = 10
"""How often a folder that changes while it is read is read anew."""


@dataclass(frozen=True)
class Text:
    """A file's bytes, and its name: where the operator knows it, even where they were kept elsewhere."""

    path: Path
    data: bytes


Texts = Mapping[str, Text]
"""The files of one configuration by stem."""


@dataclass(frozen=True)
class Source:
    """A file that its parser accepts."""

    name: str
    positions: position.Positions
    data: dict[str, Any]


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
        problems.append(Problem("JC003", str(folder / MARKER), 1, 1, "", f"cannot be read: {error}"))
    for stem in STEMS:
        candidates = (folder / f"{stem}.toml", folder / f"{stem}.json")
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
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


def read_text(path: Path) -> Text | Problem:
    """Return a file's bytes, or why they cannot be read."""
    try:
        return Text(path, path.read_bytes())
    except OSError as error:
        return Problem("JC003", str(path), 1, 1, "", f"cannot be read: {error.strerror or error}")


def parse(text: Text) -> Source | Problem:
    """Return what a file says, or why it says nothing."""
    name, is_json = str(text.path), text.path.suffix == ".json"
    try:
        body = text.data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = text.data[: error.start].decode("utf-8")
        line, column = position.position_at(before, len(before))
        return Problem("JC003", name, line, column, "", "cannot be read: this is no UTF-8")
    try:
        data: Any = json.loads(body) if is_json else tomllib.loads(body)
    except json.JSONDecodeError as error:
        return Problem("JC002", name, error.lineno, error.colno, "", f"not JSON: {error.msg}")
    except tomllib.TOMLDecodeError as error:
        return _toml_error(name, body, str(error))
    except (ValueError, RecursionError) as error:
        return _beyond(name, error)
    if not isinstance(data, dict):
        return Problem("JC002", name, 1, 1, "", "expected an object at the top")
    try:
        return Source(name, (position.locate_json if is_json else position.locate_toml)(body), data)
    except RecursionError as error:
        return _beyond(name, error)


def _beyond(name: str, error: Exception) -> Problem:
    """The parsers' own limits: a number of thousands of digits, brackets nested hundreds deep."""
    return Problem("JC003", name, 1, 1, "", f"cannot be read: {error}")


def _toml_error(name: str, text: str, message: str) -> Problem:
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)", message)
    line, column = text.count("\n") + 1, 1
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    if found:
        message = message[: found.start()]
    return Problem("JC002", name, line, column, "", f"not TOML: {message}")
