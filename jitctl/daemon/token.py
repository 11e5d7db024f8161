"""The bearer token of the TCP door: kept in a private file, read again whenever that file has changed."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jitctl.errors import ConfigError

MIN_TOKEN_BYTES = 32
MAX_FILE_BYTES = 4096
_SETTLED_NS = 1_000_000_000
"""A file younger than this may change once more without its time stamps showing it."""


class _Stamp(NamedTuple):
    """What tells that a file is still the one that was read."""

    mtime_ns: int
    ctime_ns: int
    inode: int
    size: int

    @classmethod
    def of(cls, info: os.stat_result) -> _Stamp:
        return cls(info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_size)


class TokenFile:
    """One token file and the role that its holder has; keeps a digest of the token, never the token.

    Raises `ConfigError` where the file is unusable at the start. Later, an unusable file refuses every
    token until it is mended, and `on_change` is told once of each turn: empty text for "usable again".
    """

    def __init__(self, path: Path, role: str, on_change: Callable[[str], None]) -> None:
        self.path = path
        self.role = role
        self._on_change = on_change
        self._digest, self._stamp = _read(path)
        self._read_at_ns = time.time_ns()
        self._fault = ""

    def usable(self) -> bool:
        """Whether any token can be right now; reads the file again if it has changed."""
        try:
            if not self._fault and self._is_as_read():
                return True
            self._digest, self._stamp = _read(self.path)
            fault = ""
        except (ConfigError, OSError) as error:
            fault = error.message if isinstance(error, ConfigError) else f"{self.path}: {error.strerror}"
        self._read_at_ns = time.time_ns()
        if fault != self._fault:
            self._fault = fault
            self._on_change(fault)
        return not fault

    def accepts(self, given: bytes) -> bool:
        """Whether `given` is the token that the file holds now, in constant time."""
        return self.usable() and hmac.compare_digest(hashlib.sha256(given).digest(), self._digest)

    def _is_as_read(self) -> bool:
        settled = self._read_at_ns - self._stamp.ctime_ns > _SETTLED_NS
        return settled and _Stamp.of(self.path.stat()) == self._stamp


def _read(path: Path) -> tuple[bytes, _Stamp]:
    """Return the token's SHA-256 and the file's stamp; raises `ConfigError` for a file that is no use."""
    remedy = f"make one with: (umask 077; openssl rand -hex 32 > {path}), owned by the daemon's user"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(f"token file {path}: {error.strerror}", hint=remedy) from None
    try:
        info = os.fstat(descriptor)
        _check_private(path, info)
        content = os.read(descriptor, MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"token file {path}: {error.strerror}", hint=remedy) from None
    finally:
        os.close(descriptor)
    token = content.removesuffix(b"\n").removesuffix(b"\r")
    fault = ""
    if not token.strip():
        fault = "it is empty"
    elif b"\n" in token or b"\r" in token:
        fault = "it holds more than one line"
    elif len(content) > MAX_FILE_BYTES:
        fault = f"it is larger than {MAX_FILE_BYTES} bytes"
    elif len(token) < MIN_TOKEN_BYTES:
        fault = f"the token has {len(token)} bytes; at least {MIN_TOKEN_BYTES} are needed"
    elif any(byte <= 0x20 or byte >= 0x7F for byte in token):
        fault = "a token is printable ASCII without blanks"
    if fault:
        raise ConfigError(f"token file {path}: {fault}", hint=remedy)
    return hashlib.sha256(token).digest(), _Stamp.of(info)


def _check_private(path: Path, info: os.stat_result) -> None:
    """The check is on the opened file, not on its name."""
    if not stat.S_ISREG(info.st_mode):
        raise ConfigError(f"token file {path}: it is no regular file", hint="name a file of one line")
    if info.st_mode & 0o077:
        mode = f"{stat.S_IMODE(info.st_mode):04o}"
        raise ConfigError(f"token file {path}: others may use it (mode {mode})", hint=f"chmod 600 {path}")
    if info.st_uid not in (os.geteuid(), 0):
        raise ConfigError(
            f"token file {path}: it belongs to uid {info.st_uid}",
            hint=f"chown it to the daemon's user (uid {os.geteuid()}) or to root",
        )
