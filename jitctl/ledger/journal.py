"""The event table as lines of JSON in `jit_bot.jsonl`, for `jq`, `grep` and archives.

Every line holds `seq`, `type`, `time`, `time_s`, `prev` (the SHA-256 of the line before it, without its
newline) and `data`. The file can be derived from the ledger again at any time; it is written behind it and
catches up at start. A closed segment is a file named by its first and last number; its last line's hash
opens the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from jitctl.domain.records import Event
from jitctl.errors import LedgerError
from jitctl.ledger.queries import LedgerReader
from jitctl.ledger.rows import to_json

JOURNAL_NAME = "jit_bot.jsonl"
NO_LINE_BEFORE = "0" * 64
"""`prev` of the very first line."""
_BATCH = 500
_TAIL_BYTES = 1 << 20
_SEGMENT = re.compile(r"jit_bot-(\d{12})-(\d{12})\.jsonl")


@dataclass(frozen=True, slots=True)
class _Tail:
    """The last whole line: its number, its hash and where it ends in the file."""

    seq: int
    line_hash: str
    end: int


class Journal:
    """Satisfies `engine.ports.Journal`; one writer per data folder."""

    def __init__(self, data_dir: Path, ledger_path: Path) -> None:
        """Mend a torn last line; `LedgerError` if the file cannot be read, or is ahead of the ledger."""
        self.path = data_dir / JOURNAL_NAME
        self._reader = LedgerReader(ledger_path)
        try:
            self._tail = self._mend()
        except OSError as error:
            raise self._cannot(error) from error
        ledger_seq = self._reader.last_seq()
        if self._tail.seq > ledger_seq:
            raise LedgerError(
                f"{self.path} ends at event {self._tail.seq}, the ledger at {ledger_seq}",
                hint="the ledger is older than its journal: restore both from one backup,"
                " or move the journal away and it is written again",
            )

    def catch_up(self) -> int:
        """Append what the ledger has and the file has not; returns the number of lines."""
        written = 0
        while True:
            events = self._reader.events(self._tail.seq, _BATCH)
            if not events:
                return written
            self._append(events)
            written += len(events)

    def close_segment(self) -> Path | None:
        """Rename the file to a closed segment, durably; None if it holds no line."""
        if self._tail.end == 0:
            return None
        try:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
                first = json.loads(file.readline())["seq"]
            segment = self.path.with_name(f"jit_bot-{first:012d}-{self._tail.seq:012d}.jsonl")
            self.path.rename(segment)
        except OSError as error:
            raise self._cannot(error) from error
        self._tail = _Tail(self._tail.seq, self._tail.line_hash, 0)
        return segment

    def _append(self, events: Iterable[Event]) -> None:
        seq, line_hash, lines = self._tail.seq, self._tail.line_hash, []
        for event in events:
            line = _line(event, line_hash)
            seq, line_hash = event.seq, hashlib.sha256(line).hexdigest()
            lines.append(line + b"\n")
        block = b"".join(lines)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                # A short write is written over by the next call: the tail has not moved.
                if os.pwrite(descriptor, block, self._tail.end) != len(block):
                    raise OSError(28, "No space left on device")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._cannot(error) from error
        self._tail = _Tail(seq, line_hash, self._tail.end + len(block))

    def _mend(self) -> _Tail:
        start = _last_of_segments(self.path.parent)
        if not self.path.exists():
            return start
        with self.path.open("r+b") as file:
            tail = _last_line(file, self.path.stat().st_size) or start
            file.truncate(tail.end)
        return tail

    def _cannot(self, error: OSError) -> LedgerError:
        return LedgerError(
            f"cannot write {self.path}: {error.strerror or error}",
            hint="the ledger holds everything; the journal catches up once it can be written",
        )


def verify_lines(
    lines: Iterable[bytes], previous_hash: str = NO_LINE_BEFORE, previous_seq: int = 0
) -> tuple[int, str]:
    """Check order and hashes of one file's lines; returns the last number and hash, to go on with the next.

    `LedgerError` names the first bad line. Numbers may skip: deleted events leave gaps.
    """
    seq, line_hash = previous_seq, previous_hash
    for number, raw in enumerate(lines, 1):
        line = raw.removesuffix(b"\n")
        try:
            parsed = json.loads(line)
            intact = raw.endswith(b"\n") and parsed["prev"] == line_hash and parsed["seq"] > seq
        except (ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            raise LedgerError(
                f"line {number} (after event {seq}) does not continue the chain",
                hint="the file was changed or cut: compare with a backup; the ledger itself is not affected",
            )
        seq, line_hash = parsed["seq"], hashlib.sha256(line).hexdigest()
    return seq, line_hash


def segments(data_dir: Path) -> list[Path]:
    """Return the closed segments, oldest first."""
    return sorted(path for path in data_dir.iterdir() if _SEGMENT.fullmatch(path.name))


def _line(event: Event, previous_hash: str) -> bytes:
    time = datetime.fromtimestamp(event.time_s, UTC).isoformat(timespec="milliseconds")
    return to_json(
        {
            "seq": event.seq, "type": event.type, "time": time.replace("+00:00", "Z"),
            "time_s": event.time_s, "prev": previous_hash, "data": event.data,
        }
    ).encode()  # fmt: skip


def _last_of_segments(data_dir: Path) -> _Tail:
    closed = segments(data_dir)
    if not closed:
        return _Tail(0, NO_LINE_BEFORE, 0)
    with closed[-1].open("rb") as file:
        tail = _last_line(file, closed[-1].stat().st_size)
    if tail is None:
        raise LedgerError(f"{closed[-1]} holds no whole line", hint="restore it from a backup")
    return _Tail(tail.seq, tail.line_hash, 0)


def _last_line(file: IO[bytes], size: int) -> _Tail | None:
    window = min(size, _TAIL_BYTES)
    file.seek(size - window)
    block = file.read(window)
    end = len(block)
    while (newline := block.rfind(b"\n", 0, end)) >= 0:
        start = block.rfind(b"\n", 0, newline) + 1
        line = block[start:newline]
        try:
            parsed = json.loads(line)
            return _Tail(parsed["seq"], hashlib.sha256(line).hexdigest(), size - window + newline + 1)
        except (ValueError, KeyError, TypeError):
            # A torn write, or blocks of zeros after a power cut: look further back.
            end = newline
    return None
