"""What a rule across keys or files finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A broken rule at a path of one file (`jitctl`, `pools`, `strategy`, `alerts`)."""

    rule: str
    file: str
    path: tuple[str | int, ...]
    message: str
    hint: str = ""
