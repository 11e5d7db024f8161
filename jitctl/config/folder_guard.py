"""Around a replacement of files in the config folder: one at a time; errors say whether it was done."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from jitctl.config.locate import MARKER
from jitctl.errors import JitError, PermissionDenied, Refused

NOTHING = "nothing was changed"


@contextlib.contextmanager
def only_one(folder: Path) -> Generator[None]:
    """Hold the folder's lock, which the kernel drops with this process; raises `Refused` where it is held."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"somebody else is replacing the files in {folder}; {NOTHING}", hint="look, then repeat"
            ) from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def mapped_errors(folder: Path) -> Generator[None]:
    """Turn what the operating system refuses into a `JitError` that says whether anything was changed."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        done = f"; {NOTHING}"
        with contextlib.suppress(OSError):
            done = "" if (folder / MARKER).exists() else done
        message = f"the files in {folder} cannot be replaced: {where}: {error.strerror or error}{done}"
        if error.errno in (errno.EACCES, errno.EPERM):
            raise PermissionDenied(message, hint="repeat it as the files' owner, or with sudo") from None
        hints = {
            errno.ENOSPC: "the disk is full (blocks or inodes): make room, then repeat",
            errno.EDQUOT: "the quota is used up: make room, then repeat",
            errno.EROFS: "it is mounted read-only",
        }
        hint = hints.get(error.errno or 0, "")
        if not done:
            hint = f"{hint}; " * bool(hint) + "the new set counts already; repeat it to put it in its place"
        raise JitError(message, hint=hint) from None
