"""What a rule across keys or files finds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A broken rule at a path of one file (`jitctl`, `pools`, `strategy`, `alerts`)."""

    rule: str
    file: str
    path: tuple[str | int, ...]
    message: str
    hint: str = ""


def meant(word: str, known: Iterable[str]) -> str:
    """Return `did you mean …?` where a known name is near, else an empty text."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
