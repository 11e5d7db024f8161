"""data/audit.jsonl: who asked for what, why, and what changed; each line holds the hash of the one before.

A verb that tightens goes on when its record cannot be written, and the record waits in memory until it
can be; a verb that loosens is refused then.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jitctl.control.audit_chain import GENESIS, line_hash
from jitctl.control.redact import redact
from jitctl.errors import Refused

MAX_QUEUED = 10_000
_TAIL_BYTES = 65_536


class Audit:
    """The trail of one data folder; only the keeper opens it, and any of its threads may write."""

    def __init__(self, path: Path, *, wall_s: Callable[[], float] = time.time) -> None:
        self._path = path
        self._wall_s = wall_s
        self._queued: list[dict[str, Any]] = []
        self._torn = False
        self.last_time_s = 0.0
        """When the newest record was made that this trail began with; 0 if there was none."""
        self._one_writer = threading.Lock()
        self._seq, self._last = self._tail()

    @property
    def queued(self) -> int:
        """Records that could not be written yet."""
        return len(self._queued)

    def require(self) -> None:
        """Raise `Refused` unless a record could be written now; asked before a verb that loosens."""
        try:
            with self._one_writer:
                self._write([])
                self._flush()
        except OSError as error:
            raise Refused(
                f"the audit trail {self._path} cannot be written: {error.strerror or error}",
                hint="free space or correct its rights; verbs that stop the bot work without it",
            ) from None

    def record(self, **fields: Any) -> None:
        """Append one record, durably, or keep it for later."""
        with self._one_writer:
            self._queued.append({"time": round(self._wall_s(), 3), **_legible(redact(fields))})
            del self._queued[:-MAX_QUEUED]
            try:
                self._flush()
            except OSError:
                return

    def record_all(self, records: Iterable[dict[str, Any]]) -> bool:
        """Append records that have their own `time`, with one sync; where that fails, keep none: False."""
        with self._one_writer:
            before = len(self._queued)
            self._queued += [_legible(redact(fields)) for fields in records]
            try:
                self._flush()
            except OSError:
                del self._queued[before:]
                return False
            return True

    def _flush(self) -> None:
        if not self._queued:
            return
        lines, seq, last = [], self._seq, self._last
        for fields in self._queued:
            seq += 1
            record = {"seq": seq, **fields, "prev": last}
            last = record["hash"] = line_hash(record)
            lines.append(json.dumps(record, ensure_ascii=False) + "\n")
        if self._torn:
            lines.insert(0, "\n")
        self._write(lines)
        self._torn = False
        self._queued.clear()
        self._seq, self._last = seq, last

    def _write(self, lines: list[str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o640)
        try:
            size = os.fstat(descriptor).st_size
            body = "".join(lines).encode()
            try:
                if body and os.write(descriptor, body) != len(body):
                    raise OSError(28, "the disk is full")
                os.fsync(descriptor)
            except OSError:
                # Half a line would break the chain for the next reader.
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)

    def _tail(self) -> tuple[int, str]:
        """Return the last whole record's number and hash; a line that a power cut tore is stepped over."""
        window = _TAIL_BYTES
        while True:
            try:
                with self._path.open("rb") as file:
                    size = file.seek(0, os.SEEK_END)
                    file.seek(max(0, size - window))
                    body = file.read()
            except OSError:
                return 0, GENESIS
            self._torn = bool(body) and not body.endswith(b"\n")
            for line in reversed(body.splitlines()):
                try:
                    record = json.loads(line)
                    self.last_time_s = float(record.get("time", 0))
                    return int(record["seq"]), str(record["hash"])
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue
            if window >= size:
                return 0, GENESIS
            # The last record alone is longer than that.
            window *= 16


def _legible(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a record with half characters replaced: one would keep all later records from the disk."""
    return {
        key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for key, value in fields.items()
    }
