"""logs/jit-bot.log: JSON lines with fixed event names, written and rotated by the keeper alone."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jitctl.control.redact import redact

ROTATE_BYTES = 64 << 20
KEEP_FILES = 10
RECENT_KEPT = 20
"""The latest warnings and errors, for status."""
LEVELS = ("debug", "info", "warning", "error")


class Telemetry:
    """The log. Writing never raises: a full disk costs lines (`lost`), not the bot."""

    def __init__(
        self,
        path: Path,
        *,
        mirror: bool = False,
        rotate_bytes: int = ROTATE_BYTES,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._mirror = mirror
        self._rotate_bytes = rotate_bytes
        self._wall_s = wall_s
        self._descriptor: int | None = None
        self._size = 0
        self.lost = 0
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT_KEPT)

    def log(
        self,
        event: str,
        *,
        level: str = "info",
        source: str = "keeper",
        time_s: float = 0.0,
        **fields: Any,
    ) -> None:
        """Write one line; `fields` are redacted, `event` is a fixed name."""
        self.record(event, fields, level=level, source=source, time_s=time_s)

    def record(
        self, event: str, fields: Mapping[str, Any], *, level: str, source: str, time_s: float = 0.0
    ) -> None:
        """As `log`, for fields of somebody else's naming: none may hide what every line begins with."""
        stamp = time_s or self._wall_s()
        head = {"time": _iso(stamp), "level": level, "source": source, "event": event}
        body = {**head, **{key: value for key, value in redact(dict(fields)).items() if key not in head}}
        if level in ("warning", "error"):
            self.recent.append(body)
        line = json.dumps(body, ensure_ascii=False, default=str).encode() + b"\n"
        self._append(line)
        if self._mirror:
            try:
                os.write(sys.stderr.fileno(), line)
            except OSError:
                self._mirror = False

    def _append(self, line: bytes) -> None:
        try:
            if self._descriptor is None or self._size + len(line) > self._rotate_bytes:
                self._reopen()
            assert self._descriptor is not None
            self._size += os.write(self._descriptor, line)
        except OSError:
            self.lost += 1

    def _reopen(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        if self._path.exists() and self._path.stat().st_size >= self._rotate_bytes // 2:
            self._rotate()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        """jit-bot.log becomes jit-bot.1.log and so on; cleaning looks for `*.log`."""
        for number in range(KEEP_FILES - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.stem}.{number}{self._path.suffix}")

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _iso(stamp: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp)) + f".{int(stamp % 1 * 1000):03d}Z"
