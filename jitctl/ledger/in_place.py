"""Whether the ledger's files are still those that were opened.

SQLite goes on writing into a file that has been removed or replaced, without a word: what it acknowledges
then is lost at the next start. An operator who restores over a running bot does that, and so does whoever
breaks SQLite's locks: another process then takes itself for the last one and removes the write-ahead log.
"""

from __future__ import annotations

from pathlib import Path

from jitctl.errors import LedgerError


class InPlace:
    """The identity of an open ledger and of its write-ahead log."""

    def __init__(self, path: Path) -> None:
        """Remember the files as they are now; both are open, and written at least once."""
        self._opened = {each: _identity(each) for each in (path, path.with_name(path.name + "-wal"))}

    def require(self) -> None:
        """Raise `LedgerError` unless the paths still lead to the files that were opened."""
        for path, opened in self._opened.items():
            found = _identity(path)
            if opened is None:
                # A full disk had no room for it at the start.
                self._opened[path] = found
            elif found != opened:
                raise LedgerError(
                    f"{path} was {'removed' if found is None else 'replaced'} while the engine had it open",
                    hint="stop the bot; see to who did that; then start it, or restore the last good backup",
                )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"cannot see {path}: {error.strerror or error}") from None
    return found.st_dev, found.st_ino
