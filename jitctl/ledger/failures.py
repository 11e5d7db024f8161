"""What SQLite refuses, as errors that say what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from jitctl.errors import LedgerError

_HINTS = {
    "SQLITE_FULL": "the disk is full: free space; trading stays paused until the ledger can be written",
    "SQLITE_IOERR_SHMSIZE": "the disk is most likely full: free space, then repeat this",
    "SQLITE_BUSY": "another process holds the ledger for too long: look for a running maintenance job",
    "SQLITE_CANTOPEN": "check that the data folder exists and belongs to the daemon's user",
    "SQLITE_READONLY": "check that the data folder is mounted writable and belongs to the daemon's user",
}


def check_hint(path: Path) -> str:
    """Return how a ledger is checked by hand."""
    return f"check it: sqlite3 {path} 'PRAGMA integrity_check'"


def mapped(path: Path, what: str, error: sqlite3.Error) -> LedgerError:
    """Return the error for what could not be done (`open`, `read`, `write`) to the ledger at `path`."""
    name = getattr(error, "sqlite_errorname", "")
    hint = next((text for key, text in _HINTS.items() if name.startswith(key)), check_hint(path))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        hint = f"{check_hint(path)}, then restore the last good backup"
    return LedgerError(f"cannot {what} the ledger {path}: {error}", hint=hint)
