"""A lock file that only one process holds and that names it; the kernel drops the lock of one that dies."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import time
from collections.abc import Callable
from pathlib import Path

from jitctl.safety.durable import encode_record, read_record
from jitctl.safety.process_identity import ProcessIdentity

NAMING_S = 5.0
"""A winner names itself right after it has the lock; a loser gives it that long."""


def take(path: Path, about: str, mode: int) -> int | None:
    """Return the descriptor that holds the lock, or None if another process does; raises OSError.

    The lock goes with the descriptor, and so with the process.
    """
    descriptor = _open(path, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    record = {**ProcessIdentity.current().as_dict(), "user": _user(), "since_s": time.time(), "about": about}
    try:
        os.pwrite(descriptor, encode_record(record), 0)
    except OSError:
        # Another user's file (we hold the lock all the same) or a full disk: the name is a courtesy.
        return descriptor
    return descriptor


def release(descriptor: int) -> None:
    """Give the lock back: first the name, so that a process on its way out is not taken for the owner."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def owner(path: Path) -> str | None:
    """Return `pid 7 (user u, since 2026-01-01T00:00:00Z, about)` of the process that the file names.

    None where none is named, or the one that is does not live any more.
    """
    record = read_record(path) or {}
    identity = ProcessIdentity.from_dict(record)
    if identity is None or not identity.is_alive():
        return None
    since_s = record.get("since_s")
    since = ""
    if isinstance(since_s, int | float):
        since = time.strftime("since %Y-%m-%dT%H:%M:%SZ, ", time.gmtime(since_s))
    return f"pid {identity.pid} (user {record.get('user', '?')}, {since}{record.get('about', '?')})"


def winner(
    path: Path,
    *,
    monotonic_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Return who holds a lock that was just refused to us, as well as that can be told."""
    deadline_s = monotonic_s() + NAMING_S
    while (named := owner(path)) is None and monotonic_s() < deadline_s:
        sleep(0.01)
    return named or "another process"


def _open(path: Path, mode: int) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags | os.O_RDWR)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_RDWR | os.O_CREAT, mode)
        # Whatever the umask: who may not even open it would be told nothing of its owner.
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, mode)
        return descriptor
    except PermissionError:
        # A lock needs no write access: another user's file keeps us out just as well.
        return os.open(path, flags | os.O_RDONLY)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
