"""Ask before what cannot be taken back; never without a terminal to answer on."""

from __future__ import annotations

import sys

from jitctl.cli import render
from jitctl.errors import JitError, UsageError


def confirm(what: str, *, word: str) -> None:
    """Return if the operator types `word`; raises `JitError` if not, `UsageError` without a terminal."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"refusing to {what} without a confirmation",
            hint="pass --yes and --reason where nobody can be asked",
        )
    render.note(f"This will {what}. Type {word!r} to go on:")
    if sys.stdin.readline().strip() != word:
        raise JitError("not confirmed; nothing was done")
