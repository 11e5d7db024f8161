"""How often the bot of a run folder was told to stop: what was asked before a stop must not start it after.

A start is on its way for a second before anybody can see it, and a restart starts what it has stopped
itself. Whoever stops counts first and looks for a daemon then; a daemon takes its lock first and looks at
the count then: so one of the two sees the other.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from jitctl.errors import Refused

FILE_NAME = "stops"


def count_stop(run: Path) -> bool:
    """Count a stop; False where that cannot be, and the stop goes on all the same."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(run / FILE_NAME, flags, 0o640)
        try:
            if os.fstat(descriptor).st_nlink == 1:  # else it may be a link to a file of somebody else's
                # Root's, too, is for the daemon's user to write.
                os.fchown(descriptor, run.stat().st_uid, -1)
                return os.write(descriptor, b".") > 0
        finally:
            os.close(descriptor)
    return False


def stops(run: Path) -> int:
    """Return how many were counted; 0 where that cannot be told."""
    try:
        return (run / FILE_NAME).lstat().st_size
    except OSError:
        return 0


def require_no_stop_since(run: Path, seen: int) -> None:
    """Raise `Refused` if the bot was told to stop more often than `seen`."""
    if stops(run) > seen:
        raise Refused(
            "the bot was told to stop after this start was asked for", hint="repeat it if it is still right"
        )
