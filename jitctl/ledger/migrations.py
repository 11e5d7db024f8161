"""The ledger's schema, as numbered steps; those applied are listed in the table `migrations`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from jitctl.errors import LedgerError

APPLICATION_ID = 0x4A495443
"""`JITC` in the file's header, so that no other SQLite file is taken for a ledger."""


def _001_tables(connection: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            time_s REAL NOT NULL,
            type TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX events_by_type ON events (type, seq)",
        """CREATE TABLE attempts (
            id TEXT PRIMARY KEY,
            mode TEXT NOT NULL,
            victim_hash TEXT NOT NULL,
            pool TEXT NOT NULL,
            operator TEXT NOT NULL,
            nonce INTEGER NOT NULL,
            target_block INTEGER NOT NULL,
            parent_hash TEXT NOT NULL,
            plan TEXT NOT NULL,
            mark TEXT NOT NULL,
            weth_is_token0 INTEGER NOT NULL,
            parent_sqrt_price_x96 TEXT NOT NULL,
            planned_s REAL NOT NULL,
            updated_s REAL NOT NULL,
            state TEXT NOT NULL,
            uuid TEXT,
            mint_tx TEXT,
            burn_tx TEXT,
            close_tx TEXT,
            outcome TEXT,
            reason TEXT NOT NULL DEFAULT '',
            detail TEXT NOT NULL DEFAULT '',
            block_number INTEGER,
            block_hash TEXT,
            minted0 TEXT, minted1 TEXT,
            collected0 TEXT, collected1 TEXT,
            fees0 TEXT, fees1 TEXT,
            tip_wei TEXT,
            gas_wei TEXT,
            net_pre_wei TEXT, net_post_wei TEXT, net_mark_wei TEXT,
            markouts TEXT,
            simulated TEXT NOT NULL DEFAULT '{}',
            latencies_ms TEXT NOT NULL DEFAULT '{}'
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX attempts_by_time ON attempts (planned_s)",
        "CREATE INDEX attempts_unsettled ON attempts (planned_s) WHERE state NOT IN ('SETTLED', 'ABANDONED')",
        "CREATE INDEX attempts_by_block ON attempts (block_number) WHERE block_number IS NOT NULL",
        "CREATE INDEX attempts_by_nonce ON attempts (operator, nonce) WHERE mint_tx IS NOT NULL",
        """CREATE TABLE closes (
            tx_hash TEXT PRIMARY KEY,
            operator TEXT NOT NULL,
            nonce INTEGER NOT NULL,
            pool TEXT NOT NULL,
            attempt_id TEXT NOT NULL,
            time_s REAL NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX closes_by_nonce ON closes (operator, nonce)",
        """CREATE TABLE flows (
            block_number INTEGER NOT NULL,
            block_hash TEXT NOT NULL,
            tx_hash TEXT NOT NULL,
            log_index INTEGER NOT NULL,
            account TEXT NOT NULL,
            token TEXT NOT NULL,
            amount TEXT NOT NULL,
            kind TEXT NOT NULL,
            counterparty TEXT NOT NULL,
            PRIMARY KEY (block_hash, tx_hash, log_index, account)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX flows_by_block ON flows (block_number)",
        """CREATE TABLE skips (
            hour_s INTEGER NOT NULL,
            pool TEXT NOT NULL,
            reason TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (hour_s, pool, reason)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE relay_replies (
            id INTEGER PRIMARY KEY,
            attempt_id TEXT NOT NULL,
            verb TEXT NOT NULL,
            relay TEXT NOT NULL,
            outcome TEXT NOT NULL,
            detail TEXT NOT NULL,
            elapsed_ms REAL NOT NULL,
            time_s REAL NOT NULL
        ) STRICT""",
        "CREATE INDEX relay_replies_by_time ON relay_replies (time_s)",
        """CREATE TABLE engine (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            state TEXT NOT NULL,
            crisis TEXT NOT NULL,
            mode TEXT NOT NULL,
            who TEXT NOT NULL,
            why TEXT NOT NULL,
            time_s REAL NOT NULL
        ) STRICT""",
        """CREATE TABLE lanes (
            operator TEXT PRIMARY KEY,
            next_nonce INTEGER NOT NULL,
            block_number INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    ):
        connection.execute(statement)


def _002_crisis(connection: sqlite3.Connection) -> None:
    for column in (
        "crisis_who TEXT NOT NULL DEFAULT ''",
        "crisis_why TEXT NOT NULL DEFAULT ''",
        "crisis_time_s REAL NOT NULL DEFAULT 0",
    ):
        connection.execute(f"ALTER TABLE engine ADD COLUMN {column}")


Migration = tuple[int, str, Callable[[sqlite3.Connection], None]]

MIGRATIONS: tuple[Migration, ...] = ((1, "tables", _001_tables), (2, "crisis", _002_crisis))
"""Number, name and step; numbers rise by one, and a released step is never edited."""

SCHEMA_VERSION = MIGRATIONS[-1][0]


def applied_version(connection: sqlite3.Connection) -> int:
    """Return the number of the last step applied; 0 for an empty file. Raises `LedgerError` if not ours."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    if application_id != APPLICATION_ID or "migrations" not in tables:
        raise LedgerError(
            "the file is an SQLite database, but not a jitctl ledger",
            hint="check `paths.data` in jitctl.toml",
        )
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()[0])


def check_version(connection: sqlite3.Connection) -> int:
    """Return the applied version; `LedgerError` if it is newer than this program knows."""
    version = applied_version(connection)
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"the ledger's schema is {version}, this program knows {SCHEMA_VERSION}",
            hint="it was written by a newer jitctl: upgrade, or restore a backup taken before the upgrade",
        )
    return version


def migrate(
    connection: sqlite3.Connection, now_s: float, steps: tuple[Migration, ...] = MIGRATIONS
) -> list[str]:
    """Apply what is missing, each step in its own transaction; returns the names of those applied."""
    version = check_version(connection)
    done = []
    for number, name, step in steps:
        if number <= version:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been first.
            if applied_version(connection) < number:
                if number == 1:
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute(
                        "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
                        " applied_s REAL NOT NULL) STRICT"
                    )
                step(connection)
                connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (number, name, now_s))
                done.append(name)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    return done
