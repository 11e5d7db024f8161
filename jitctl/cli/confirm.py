"""Ask before what cannot be taken back, and say what was seen; never asks without a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

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


def seen(status: dict[str, Any]) -> dict[str, str]:
    """Return what a request to loosen adds to its body: by it a later pause or halt is told from this one."""
    return {"mark": status["latchMark"]} if status.get("latchMark") else {}


def place(config_dir: Path, running: dict[str, Any] | None = None) -> str:
    """Return the chain and the executor that a confirmation names: those that run, else the file's."""
    chain_id, executor = (running or {}).get("chainId"), (running or {}).get("executor")
    if not chain_id or not executor:
        from jitctl.config.locate import quick_place

        chain_id, executor = quick_place(config_dir)
    return f"chain {chain_id or 'unknown'} through executor {executor or 'unknown'}"
