"""The ledger's only writer of events: the engine's truth on disk, in SQLite.

A durable call commits at once (WAL, `synchronous=FULL`: one fsync). Everything else waits in memory for
the next commit, in order, so that a pending transaction that comes to nothing costs the disk nothing.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from jitctl.domain.attempt_state import UNSETTLED_STATES, AttemptEvent, AttemptState, move
from jitctl.domain.bundle import RelayReply
from jitctl.domain.records import (
    AttemptChange,
    AttemptRecord,
    EngineRecord,
    Flow,
    IntendedClose,
    KnownNonce,
    StoredAttempt,
)
from jitctl.domain.values import Address, Hash32
from jitctl.errors import LedgerError
from jitctl.ledger.failures import check_hint, mapped
from jitctl.ledger.in_place import InPlace
from jitctl.ledger.migrations import migrate
from jitctl.ledger.rows import (
    INSERT_ATTEMPT,
    RESULT_COLUMNS,
    attempt_row,
    change_columns,
    engine_record,
    engine_row,
    stored_attempt,
    to_json,
)
from jitctl.ledger.write_ahead_log import WriteAheadLog

MAX_WAITING = 10_000
"""Statements kept in memory while the disk refuses; beyond it the call that adds one fails."""
LATE_BURN_BLOCKS = 256
LATE_CLOSE_BLOCKS = 50_000
"""How long after the mint a burn or a close is looked for."""
CLOSES_READ = 1_000
"""The latest intended closes that a new run recognises; a close is rare."""
BUSY_MS = 250
"""How long a commit waits for a maintenance verb, which holds the lock for 5 ms at a time."""

_Statement = tuple[str, tuple[object, ...]]
_INSERT_EVENT = "INSERT INTO events (time_s, type, data) VALUES (?, ?, ?)"


class LedgerStore:
    """Satisfies `engine.ports.Ledger`; one per data folder, used from one thread."""

    def __init__(
        self, path: Path, now_s: Callable[[], float] = time.time, *, max_waiting: int = MAX_WAITING
    ) -> None:
        """Open or create, and migrate; `LedgerError` if it is damaged, not ours, or of a newer schema."""
        self.path = path
        self._waiting: list[_Statement] = []
        self._max_waiting = max_waiting
        self._closed = False
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            migrate(self._db, now_s())
            self._log = WriteAheadLog(self._db)
            self._in_place = InPlace(path)
            self._states = {
                row["id"]: AttemptState(row["state"])
                for row in self._db.execute(
                    "SELECT id, state FROM attempts WHERE state NOT IN ('SETTLED', 'ABANDONED')"
                )
            }
        except sqlite3.Error as error:
            raise mapped(path, "open", error) from error

    def engine(self) -> EngineRecord | None:
        row = self._query("SELECT * FROM engine").fetchone()
        return None if row is None else engine_record(row)

    def save_engine(self, record: EngineRecord) -> None:
        data = {
            "state": record.state.value,
            "crisis": record.crisis.value,
            "mode": record.mode.value,
            "who": record.who,
            "why": record.why,
            "crisis_who": record.crisis_who,
            "crisis_why": record.crisis_why,
        }
        self._commit(
            [
                ("INSERT OR REPLACE INTO engine VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", engine_row(record)),
                (_INSERT_EVENT, (record.time_s, "engine_state", to_json(data))),
            ]
        )

    def open_attempt(self, record: AttemptRecord) -> None:
        if record.attempt_id in self._states:
            raise LedgerError(f"attempt {record.attempt_id} is already in the ledger")
        plan = record.plan
        data = {
            "attempt": record.attempt_id, "state": AttemptState.PLANNED.value, "victim": plan.victim_hash,
            "pool": plan.pool, "target_block": plan.target_block, "bid_wei": plan.bid_wei,
            "net_wei": plan.net_wei,
        }  # fmt: skip
        self._wait(
            (INSERT_ATTEMPT, attempt_row(record)),
            (_INSERT_EVENT, (record.planned_s, "attempt", to_json(data))),
        )
        self._states[record.attempt_id] = AttemptState.PLANNED

    def move_attempt(
        self, attempt_id: str, event: AttemptEvent, change: AttemptChange, *, durable: bool = False
    ) -> AttemptState:
        before = self._state(attempt_id)
        after = move(before, event)
        columns = change_columns(change)
        if event is AttemptEvent.REORGED_OUT:
            columns |= dict.fromkeys((*RESULT_COLUMNS, "outcome"))
        statements: list[_Statement] = [
            (
                f"UPDATE attempts SET state = ?, {_assignments(columns)} WHERE id = ? AND state = ?",  # noqa: S608 - column names are ours
                (after.value, *columns.values(), attempt_id, before.value),
            ),
            (_INSERT_EVENT, (change.time_s, "attempt", _attempt_event(attempt_id, after, change))),
        ]
        if durable:
            self._commit(statements)
        else:
            self._wait(*statements)
        if after in UNSETTLED_STATES:
            self._states[attempt_id] = after
        else:
            del self._states[attempt_id]
        return after

    def amend_attempt(self, attempt_id: str, change: AttemptChange) -> None:
        columns = change_columns(change)
        self._wait(
            (
                f"UPDATE attempts SET {_assignments(columns)} WHERE id = ?",  # noqa: S608 - column names are ours
                (*columns.values(), attempt_id),
            ),
            (_INSERT_EVENT, (change.time_s, "attempt_amended", _attempt_event(attempt_id, None, change))),
        )

    def unsettled(self) -> tuple[StoredAttempt, ...]:
        self.flush()
        rows = self._query(
            "SELECT * FROM attempts WHERE state NOT IN ('SETTLED', 'ABANDONED') ORDER BY planned_s, id"
        )
        return tuple(stored_attempt(row) for row in rows)

    def add_relay_replies(
        self, attempt_id: str, verb: str, replies: Sequence[RelayReply], time_s: float
    ) -> None:
        for reply in replies:
            row = (
                attempt_id,
                verb,
                reply.relay,
                reply.outcome,
                reply.detail[:1000],
                reply.elapsed_ms,
                time_s,
            )
            self._wait(
                (
                    "INSERT INTO relay_replies (attempt_id, verb, relay, outcome, detail, elapsed_ms, time_s)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
            )

    def add_flows(self, flows: Sequence[Flow]) -> None:
        for flow in flows:
            row = (
                flow.block_number, flow.block_hash, flow.tx_hash, flow.log_index, flow.account, flow.token,
                str(flow.amount), flow.kind.value, flow.counterparty,
            )  # fmt: skip
            # A block that comes back after a reorg brings the same flows again.
            self._wait(("INSERT OR REPLACE INTO flows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row))

    def drop_flows(self, block_hash: Hash32) -> None:
        self._wait(("DELETE FROM flows WHERE block_hash = ?", (block_hash,)))

    def keep_flows(self, block_number: int, block_hash: Hash32) -> None:
        self._wait(
            ("DELETE FROM flows WHERE block_number = ? AND block_hash <> ?", (block_number, block_hash))
        )

    def legs_mined_in(self, block_number: int) -> frozenset[Hash32]:
        self.flush()
        # A burn or a close may be mined after the mint, whose block is the attempt's.
        rows = self._query(
            "SELECT mint_tx, burn_tx, close_tx FROM attempts WHERE block_number BETWEEN ? AND ?"
            " UNION ALL SELECT mint_tx, burn_tx, close_tx FROM attempts"
            " WHERE block_number BETWEEN ? AND ? AND close_tx IS NOT NULL",
            (
                block_number - LATE_BURN_BLOCKS, block_number,
                block_number - LATE_CLOSE_BLOCKS, block_number - LATE_BURN_BLOCKS - 1,
            ),
        ).fetchall()  # fmt: skip
        return frozenset(Hash32(tx_hash) for row in rows for tx_hash in tuple(row) if tx_hash is not None)

    def intend_close(self, close: IntendedClose, time_s: float) -> None:
        told = {
            "pool": close.pool, "operator": close.operator, "nonce": close.nonce, "tx": close.tx_hash,
            "attempt": close.attempt_id,
        }  # fmt: skip
        row = (close.tx_hash, close.operator, close.nonce, close.pool, close.attempt_id, time_s)
        self._commit(
            [
                ("INSERT OR REPLACE INTO closes VALUES (?, ?, ?, ?, ?, ?)", row),
                (_INSERT_EVENT, (time_s, "close_intended", to_json(told))),
            ]
        )

    def intended_closes(self) -> tuple[IntendedClose, ...]:
        rows = self._query(
            "SELECT tx_hash, operator, nonce, pool, attempt_id FROM closes ORDER BY time_s DESC LIMIT ?",
            (CLOSES_READ,),
        )
        return tuple(IntendedClose(*row) for row in reversed(rows.fetchall()))

    def sent_with(self, operator: Address, nonce: int) -> tuple[Hash32, ...]:
        self.flush()
        rows = self._query(
            "SELECT mint_tx AS hash, planned_s AS time_s FROM attempts"
            " WHERE operator = ? AND nonce = ? AND mint_tx IS NOT NULL"
            " UNION ALL SELECT burn_tx, planned_s FROM attempts"
            " WHERE operator = ? AND nonce = ? AND burn_tx IS NOT NULL AND mint_tx IS NOT NULL"
            " UNION ALL SELECT tx_hash, time_s FROM closes WHERE operator = ? AND nonce = ?"
            " ORDER BY time_s DESC",
            (operator, nonce, operator, nonce - 1, operator, nonce),
        )
        return tuple(Hash32(row["hash"]) for row in rows)

    def followed(self) -> tuple[int, int] | None:
        self.flush()
        rows = self._query("SELECT value FROM meta WHERE key = 'followed'").fetchall()
        if not rows:
            return None
        first, last = json.loads(rows[0]["value"])
        return int(first), int(last)

    def save_followed(self, first: int, last: int) -> None:
        self._wait(("INSERT OR REPLACE INTO meta VALUES ('followed', ?)", (to_json([first, last]),)))

    def add_skips(self, counts: Mapping[tuple[int, str, str], int]) -> None:
        for (hour_s, pool, reason), count in counts.items():
            self._wait(
                (
                    "INSERT INTO skips VALUES (?, ?, ?, ?) ON CONFLICT (hour_s, pool, reason)"
                    " DO UPDATE SET count = count + excluded.count",
                    (hour_s, pool, reason, count),
                )
            )

    def lanes(self) -> Mapping[Address, KnownNonce]:
        self.flush()
        return {
            Address(row["operator"]): KnownNonce(row["next_nonce"], row["block_number"])
            for row in self._query("SELECT * FROM lanes")
        }

    def save_lane(self, operator: Address, next_nonce: int, block_number: int) -> None:
        self._wait(("INSERT OR REPLACE INTO lanes VALUES (?, ?, ?)", (operator, next_nonce, block_number)))

    def record(self, event_type: str, data: Mapping[str, object], time_s: float) -> None:
        self._wait((_INSERT_EVENT, (time_s, event_type, to_json(dict(data)))))

    def flush(self) -> None:
        if self._waiting:
            self._commit([])
        self._log.empty_if_long()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._db.close()

    def __enter__(self) -> LedgerStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _state(self, attempt_id: str) -> AttemptState:
        known = self._states.get(attempt_id)
        if known is not None:
            return known
        self.flush()
        row = self._query("SELECT state FROM attempts WHERE id = ?", (attempt_id,)).fetchone()
        if row is None:
            raise LedgerError(f"attempt {attempt_id} is not in the ledger")
        return AttemptState(row["state"])

    def _wait(self, *statements: _Statement) -> None:
        if len(self._waiting) + len(statements) > self._max_waiting:
            self.flush()
        self._waiting.extend(statements)

    def _commit(self, statements: list[_Statement]) -> None:
        """Write what waits and then `statements`, in one transaction; what waits is kept if it fails."""
        self._in_place.require()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for sql, values in (*self._waiting, *statements):
                    done = self._db.execute(sql, values)
                    if sql.startswith("UPDATE attempts") and done.rowcount != 1:
                        raise LedgerError(
                            "an attempt's row is not in the state that the engine left it in",
                            hint=f"something else wrote to the ledger: {check_hint(self.path)}",
                        )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise mapped(self.path, "write", error) from error
        self._waiting.clear()
        self._log.commits += 1

    def _query(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise mapped(self.path, "read", error) from error


def _assignments(columns: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = ?" for name in columns)


def _attempt_event(attempt_id: str, state: AttemptState | None, change: AttemptChange) -> str:
    columns = change_columns(change)
    columns.pop("updated_s")
    for name in ("simulated", "latencies_ms"):
        if name in columns:
            columns[name] = getattr(change, name)
    told = {"attempt": attempt_id} | ({"state": state.value} if state else {})
    return to_json(told | columns)
