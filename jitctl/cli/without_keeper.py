"""Stopping the signer when the keeper does not answer: by the data folder, as whoever runs the command."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jitctl.errors import TimedOut
from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.stopping import Stopped

PATIENCE_S = 0.4
"""How long the engine may finish a submission; it has known of the flag since before that."""


def engine_lives(data_dir: Path) -> bool:
    """Whether the engine that signs for this data folder runs, whatever became of its keeper."""
    signer = SubmitBarrier(data_dir).signer()
    return signer is not None and signer.is_alive()


def stop_directly(
    verb: str, stop: Callable[..., Stopped], data_dir: Path, reason: str, keeper: str
) -> dict[str, Any]:
    """Return the reply of `pause_now` or `halt_now`, done here; `keeper` says what is wrong with the keeper.

    Raises `TimedOut`, "requested, not confirmed", where the caller lacks the right or the signer cannot be
    ended.
    """
    began_s = time.monotonic()
    done = {"pause": "paused", "emergency-stop": "halted"}[verb]
    try:
        stopped = stop(data_dir, person(), reason or f"{verb}; {keeper}", time.time(), patience_s=PATIENCE_S)
    except TimedOut as error:
        raise TimedOut(
            f"{keeper}; {error.message}",
            hint=f"as the daemon's user or as root, repeat this, or rename {data_dir}/ARMED to HALTED",
        ) from None
    how = (
        "the engine held the barrier and was ended" if stopped.killed else "the barrier was taken without it"
    )
    return {
        "verb": verb, "changed": stopped.changed or stopped.killed is not None, "stateBefore": "",
        "state": "STOPPED" if stopped.killed else done.upper(), "message": f"{done}: {keeper}; {how}",
        "hint": "end what hangs with: jitctl stop, then jitctl start", "forced": stopped.killed is not None,
        "elapsedMs": round((time.monotonic() - began_s) * 1000, 3),
        "outstandingBundles": None, "lastTargetBlock": None,
    }  # fmt: skip


def person() -> str:
    """Return who runs this command: the one behind sudo where the kernel knows, else the user."""
    import pwd

    uid = os.getuid()
    try:
        login = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        login = uid
    try:
        return pwd.getpwuid(uid if login == 0xFFFFFFFF else login).pw_name
    except KeyError:
        return f"uid {uid}"
