"""Looking at a ledger without disturbing whoever writes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jitctl.ledger.failures import mapped
from jitctl.ledger.migrations import check_version


@dataclass(frozen=True, slots=True)
class Inspected:
    """The schema's version, and what SQLite's quick check finds wrong."""

    version: int
    problems: tuple[str, ...]


def inspect(path: Path) -> Inspected:
    """Read version and structure over a read-only connection.

    Raises `LedgerError` if the file cannot be read, is not a ledger, or is of a newer schema.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)) as db:
            version = check_version(db)
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        raise mapped(path, "read", error) from error
    return Inspected(version, () if found == ["ok"] else tuple(found))
