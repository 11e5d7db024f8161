"""Read a file of ours without waiting for anybody and without filling the memory; standard library only."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_BYTES = 16 << 20
"""Ten thousand pools are 4 MB; more is a device, or not ours."""


def read_plain(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return a regular file's bytes; raises OSError, also for anything else and for a larger file.

    A pipe that nobody writes to would hold up whoever opens it for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1) or b""
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit >> 20} MiB", str(path))
    return data
