"""Reading the ledger while the engine writes it: read-only connections, no lock held between calls."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jitctl.domain.records import EngineRecord, Event, Flow, FlowKind, StoredAttempt
from jitctl.domain.values import Address, Hash32
from jitctl.errors import LedgerError, PermissionDenied
from jitctl.ledger.failures import check_hint
from jitctl.ledger.migrations import SCHEMA_VERSION, check_version
from jitctl.ledger.rows import engine_record, stored_attempt

FOREVER_S = 1e12
"""A time after every record."""


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What a relay answered to a `submit` or a `cancel`; `time_s` is Unix time."""

    attempt_id: str
    verb: str
    relay: str
    outcome: str
    detail: str
    elapsed_ms: float
    time_s: float


@dataclass(frozen=True, slots=True)
class SkipCount:
    """How many pending transactions were left alone in one hour; `pool` is empty where none is meant."""

    hour_s: int
    pool: str
    reason: str
    count: int


class LedgerReader:
    """Questions to one ledger file; each call opens, asks one consistent snapshot, and closes.

    Every call raises `LedgerError` if the file is missing, damaged, not ours, or of another schema.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def engine(self) -> EngineRecord | None:
        """Return the engine's last state; None if none was ever saved."""
        rows = self._rows("SELECT * FROM engine")
        return engine_record(rows[0]) if rows else None

    def attempts(self, since_s: float = 0.0, until_s: float = FOREVER_S) -> tuple[StoredAttempt, ...]:
        """Return the attempts planned in [since, until), oldest first."""
        rows = self._rows(
            "SELECT * FROM attempts WHERE planned_s >= ? AND planned_s < ? ORDER BY planned_s, id",
            (since_s, until_s),
        )
        return tuple(map(stored_attempt, rows))

    def attempts_in_block(self, block_number: int) -> tuple[StoredAttempt, ...]:
        """Return the attempts of which something was mined in a block."""
        rows = self._rows(
            "SELECT * FROM attempts WHERE block_number = ? ORDER BY planned_s, id", (block_number,)
        )
        return tuple(map(stored_attempt, rows))

    def attempt(self, attempt_id: str) -> StoredAttempt | None:
        rows = self._rows("SELECT * FROM attempts WHERE id = ?", (attempt_id,))
        return stored_attempt(rows[0]) if rows else None

    def unsettled(self) -> tuple[StoredAttempt, ...]:
        """Return every attempt that the chain may still change, oldest first."""
        rows = self._rows(
            "SELECT * FROM attempts WHERE state NOT IN ('SETTLED', 'ABANDONED') ORDER BY planned_s, id"
        )
        return tuple(map(stored_attempt, rows))

    def outcomes(self, since_s: float = 0.0, until_s: float = FOREVER_S) -> dict[tuple[str, str], int]:
        """Return how many attempts planned in [since, until) ended in each (outcome, reason)."""
        rows = self._rows(
            "SELECT outcome, reason, count(*) AS n FROM attempts WHERE outcome IS NOT NULL"
            " AND planned_s >= ? AND planned_s < ? GROUP BY outcome, reason ORDER BY n DESC",
            (since_s, until_s),
        )
        return {(row["outcome"], row["reason"]): row["n"] for row in rows}

    def skips(self, since_s: float = 0.0, until_s: float = FOREVER_S) -> tuple[SkipCount, ...]:
        """Return the skip counts of the hours that begin in [since, until)."""
        rows = self._rows(
            "SELECT * FROM skips WHERE hour_s >= ? AND hour_s < ? ORDER BY hour_s, count DESC",
            (int(since_s), int(until_s)),
        )
        return tuple(SkipCount(row["hour_s"], row["pool"], row["reason"], row["count"]) for row in rows)

    def flows(self, first_block: int = 0, last_block: int = 1 << 62) -> tuple[Flow, ...]:
        """Return the named external flows of a range of blocks, both ends included."""
        rows = self._rows(
            "SELECT * FROM flows WHERE block_number BETWEEN ? AND ?"
            " ORDER BY block_number, tx_hash, log_index",
            (first_block, last_block),
        )
        return tuple(
            Flow(
                row["block_number"], Hash32(row["block_hash"]), Hash32(row["tx_hash"]), row["log_index"],
                Address(row["account"]), Address(row["token"]), int(row["amount"]), FlowKind(row["kind"]),
                Address(row["counterparty"]),
            )
            for row in rows
        )  # fmt: skip

    def relay_replies(self, since_s: float = 0.0, until_s: float = FOREVER_S) -> tuple[StoredReply, ...]:
        rows = self._rows(
            "SELECT * FROM relay_replies WHERE time_s >= ? AND time_s < ? ORDER BY id", (since_s, until_s)
        )
        return tuple(StoredReply(*tuple(row)[1:]) for row in rows)

    def events(
        self, after_seq: int = 0, limit: int = 1000, types: Sequence[str] | None = None
    ) -> tuple[Event, ...]:
        """Return up to `limit` events after a sequence number, of all types or the given ones."""
        chosen = "" if types is None else f" AND type IN ({','.join('?' * len(types))})"
        rows = self._rows(
            f"SELECT * FROM events WHERE seq > ?{chosen} ORDER BY seq LIMIT ?",  # noqa: S608 - only question marks vary
            (after_seq, *(types or ()), limit),
        )
        return tuple(Event(row["seq"], row["time_s"], row["type"], json.loads(row["data"])) for row in rows)

    def event_counts(self, since_s: float = 0.0, until_s: float = FOREVER_S) -> dict[str, int]:
        """Return how many events of each type there are in [since, until)."""
        rows = self._rows(
            "SELECT type, count(*) AS n FROM events WHERE time_s >= ? AND time_s < ? GROUP BY type",
            (since_s, until_s),
        )
        return {row["type"]: row["n"] for row in rows}

    def last_seq(self) -> int:
        """Return the highest sequence number ever given to an event (0 if none), deleted ones included."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        return int(rows[0]["seq"]) if rows else 0

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows of each table."""
        tables = ("events", "attempts", "flows", "skips", "relay_replies")
        with self._connection() as db:
            return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608 - fixed names

    def integrity(self) -> list[str]:
        """Return what SQLite's own check finds wrong; empty if nothing."""
        found = [str(row[0]) for row in self._rows("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def _rows(self, sql: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with self._connection() as db:
            return db.execute(sql, values).fetchall()

    def is_there(self) -> bool:
        """Return whether there is a ledger; raises `PermissionDenied` where the caller may not read it."""
        # Never opened but by SQLite: closing it drops every lock that SQLite holds on it in this process, and
        # the engine's write-ahead log is then deleted under it by whoever closes the ledger next.
        try:
            self.path.stat()
            readable = os.access(self.path, os.R_OK)
        except FileNotFoundError:
            return False
        except PermissionError:
            readable = False
        except OSError as error:
            raise LedgerError(f"cannot read the ledger {self.path}: {error.strerror or error}") from None
        if not readable:
            hint = "ask as the daemon's user, as a member of its group, or with sudo"
            raise PermissionDenied(f"you may not read {self.path}", hint=hint)
        return True

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            there = self.is_there()
        except PermissionDenied as denied:
            # To whoever works with it, the engine first of all, a fault like any other of the ledger's.
            raise LedgerError(denied.message, hint=denied.hint) from None
        if not there:
            raise LedgerError(f"there is no ledger at {self.path}", hint="it is created by the first start")
        try:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)) as db:
                db.row_factory = sqlite3.Row
                version = check_version(db)
                if version < SCHEMA_VERSION:
                    raise LedgerError(
                        f"the ledger's schema is {version}, this program reads {SCHEMA_VERSION}",
                        hint="start the daemon once: it brings the ledger up to date",
                    )
                yield db
        except sqlite3.Error as error:
            raise LedgerError(
                f"cannot read the ledger {self.path}: {error}", hint=check_hint(self.path)
            ) from error
