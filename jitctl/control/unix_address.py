"""A Unix socket's address that fits: the kernel takes 107 bytes, folders may be deeper."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

LIMIT_BYTES = 100


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Yield an address of `path` for bind or connect; a long one goes through an open folder's number."""
    if len(os.fsencode(path)) < LIMIT_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
