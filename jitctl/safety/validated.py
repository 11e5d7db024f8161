"""What production asks for: a validate-live that passed, or to have run in production with the same files."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jitctl.errors import JitError, Refused
from jitctl.safety.durable import create_record, read_record

RECORD_NAME = "validated.json"
FRESH_S = 86_400.0
SEEN_EVERY_S = 3_600.0


class ValidationRecord:
    """The last passing validation, on disk: for which configuration (the mode not counted), when, by whom.

    Beside it stands the configuration with which production runs or last ran, which proves more: it may come
    back with that one within `FRESH_S` of its end, or of when it was last seen where it was killed.
    """

    def __init__(self, data: Path, wall_s: Callable[[], float] = time.time) -> None:
        self._path = data / RECORD_NAME
        self._wall_s = wall_s
        self._seen_s = 0.0
        self._one = threading.Lock()
        """Whoever changes the record reads it first: from the keeper's loop, or a thread of its own."""

    def keep(self, config_hash: str, who: str) -> None:
        """Write that a configuration passed, durably; raises `JitError` where it cannot be written."""
        self._write({"config_hash": config_hash, "time_s": self._wall_s(), "who": who})

    def mark_running(self, config_hash: str) -> None:
        """Note that production runs with a configuration; a disk that is full is suffered."""
        with contextlib.suppress(JitError):
            self._write({"running": config_hash, "seen_s": self._wall_s(), "ended_s": None})

    def mark_seen(self) -> None:
        """Note that production still runs; to be called every `SEEN_EVERY_S`, costs nothing in between."""
        now_s = self._wall_s()
        if 0 <= now_s - self._seen_s < SEEN_EVERY_S:
            return
        self._seen_s = now_s
        self._write_while_running({"seen_s": now_s})

    def mark_ended(self) -> None:
        """Note that production ended in good order; a later end of anything else makes it no younger."""
        self._write_while_running({"ended_s": self._wall_s()})

    def require(self, config_hash: str) -> None:
        """Raise `Refused` unless this very configuration passed, or ran in production, within `FRESH_S`."""
        record = self._read()
        if record.get("running") == config_hash:
            # Of one that was killed, when it was last seen to run.
            ended_s = record.get("ended_s")
            if self._is_fresh(record.get("seen_s") if ended_s is None else ended_s):
                return
        time_s = record.get("time_s")
        if not isinstance(time_s, int | float):
            raise Refused("production needs a passing validate-live, and there is none", hint=_HINT)
        if record.get("config_hash") != config_hash:
            raise Refused("the configuration has changed since validate-live passed", hint=_HINT)
        if not self._is_fresh(time_s):
            age_h = (self._wall_s() - time_s) / 3600
            raise Refused(f"validate-live passed {age_h:.0f} hours ago, 24 is the limit", hint=_HINT)

    def _is_fresh(self, time_s: Any) -> bool:
        return isinstance(time_s, int | float) and 0 <= self._wall_s() - time_s <= FRESH_S

    def _read(self) -> dict[str, Any]:
        return read_record(self._path) or {}

    def _write(self, change: dict[str, Any]) -> None:
        with self._one:
            self._change(self._read(), change)

    def _write_while_running(self, change: dict[str, Any]) -> None:
        with self._one, contextlib.suppress(JitError):
            record = self._read()
            if record.get("running") and record.get("ended_s") is None:
                self._change(record, change)

    def _change(self, record: dict[str, Any], change: dict[str, Any]) -> None:
        try:
            create_record(self._path, record | change)
        except OSError as error:
            raise JitError(f"cannot write {self._path}: {error.strerror or error}") from error


_HINT = (
    "run: jitctl start --mode test, then jitctl validate-live; "
    "or, if you must: jitctl start --mode production --force --reason ..."
)
