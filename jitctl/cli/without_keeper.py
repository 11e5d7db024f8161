"""Stopping the signer when the keeper does not answer: by the data folder, as whoever runs the command."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jitctl.errors import TimedOut
from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.durable import read_record
from jitctl.safety.keeper_lock import keeper_process
from jitctl.safety.stopping import Stopped

if TYPE_CHECKING:
    from jitctl.config.locate import Folders

PATIENCE_S = 0.55
"""How long the engine may keep the barrier once the flag is up: no longer than a live one does."""


def data_in_use(folders: Folders) -> Path:
    """Return the data folder of the daemon that was started last: the files may name another now."""
    named = (read_record(folders.pid_file) or {}).get("data")
    return Path(named) if isinstance(named, str) else folders.data


def engine_lives(folders: Folders) -> bool:
    """Whether the engine that signs for this installation runs, whatever became of its keeper."""
    signer = SubmitBarrier(data_in_use(folders)).signer()
    return signer is not None and signer.is_alive()


def stop_directly(
    verb: str, stop: Callable[..., Stopped], folders: Folders, reason: str, keeper: str
) -> dict[str, Any]:
    """Return the reply of `pause_now` or `halt_now`, done here; `keeper` says what is wrong with the keeper.

    Raises `TimedOut`, "requested, not confirmed", where the caller lacks the right or the signer cannot be
    ended.
    """
    began_s, data_dir = time.monotonic(), data_in_use(folders)
    process = keeper_process(folders.run)
    hint = "jitctl start brings it back"
    if process is not None and process.is_alive():
        hint = f"end the daemon, and its engine with it: kill -9 {process.pid}; then {hint}"
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
        "hint": hint, "forced": stopped.killed is not None,
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
