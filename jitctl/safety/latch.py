"""May the signer sign? Two files in the data folder say so, and doubt means no.

`ARMED` present and readable, and no `HALTED` beside it: armed. Anything else: halted. Halting renames
`ARMED` to `HALTED`, which works on a disk too full to create a file, makes the rename durable, and only
then writes who and why as well as it can. `PAUSED` present: paused; a spare kept from the last resume is
renamed to it for the same reason. Nobody may answer "halted" or "paused" from these files alone: the
barrier must be held (`safety/stopping.py`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jitctl.errors import JitError, Refused
from jitctl.safety.durable import create_record, fsync_directory, overwrite_record, read_record

ARMED, HALTED, PAUSED = "ARMED", "HALTED", "PAUSED"
_UNPAUSED = ".unpaused"
_TRACES_OF_USE = (ARMED, HALTED, PAUSED, "submit.lock", "ledger.db", "jit_bot.jsonl")


@dataclass(frozen=True, slots=True)
class LatchRecord:
    """Who moved the latch, why, and when (Unix time); empty and 0 where it could not be written."""

    who: str = ""
    why: str = ""
    time_s: float = 0.0


class Latch:
    """The ARMED/HALTED latch and the pause flag of one data folder; safe to use from several processes."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._armed = data_dir / ARMED
        self._halted = data_dir / HALTED
        self._paused = data_dir / PAUSED
        self._unpaused = data_dir / _UNPAUSED

    def armed(self) -> bool:
        """Whether signing is allowed; every failure to find out is a no."""
        return _certainly_absent(self._halted) and read_record(self._armed) is not None

    def paused(self) -> bool:
        """Whether the pause flag is up; every failure to find out is a yes."""
        return not _certainly_absent(self._paused)

    def halt(self, who: str, why: str, now_s: float) -> bool:
        """Make it halted, durably; False if it was halted already (whose reason is then kept).

        Raises `JitError` if the folder cannot be changed at all: then the barrier alone stops the signer.
        """
        if not self.armed() and not _certainly_absent(self._halted):
            _mark_anew(self._halted)
            return False
        record = _new_record(who, why, now_s)
        try:
            try:
                self._armed.rename(self._halted)
            except FileNotFoundError:
                if not _certainly_absent(self._halted):
                    return False
                # Halted for want of any file; leave a record of this halt if there is room for one.
                with contextlib.suppress(OSError):
                    create_record(self._halted, record)
                return False
            fsync_directory(self.data_dir)
        except OSError as error:
            raise _cannot("halt", self.data_dir, error) from error
        with contextlib.suppress(OSError):
            overwrite_record(self._halted, record)
        return True

    def clear(self, who: str, why: str, now_s: float) -> bool:
        """Arm again; False if it was armed already. The caller has verified that nothing is open.

        The pause flag is raised first, so that clearing never starts trading by itself.
        """
        if self.armed():
            return False
        self.pause(who, why, now_s)
        record = {"who": who, "why": why, "time_s": now_s}
        try:
            if read_record(self._halted) is not None:
                self._halted.rename(self._armed)
                fsync_directory(self.data_dir)
                with contextlib.suppress(OSError):
                    overwrite_record(self._armed, record)
            else:
                # Neither file, or one that is no record: a new ARMED first, then the way free for it.
                create_record(self._armed, record)
                self._halted.unlink(missing_ok=True)
                fsync_directory(self.data_dir)
        except OSError as error:
            raise _cannot("clear the halt", self.data_dir, error) from error
        return True

    def arm_initial(self, who: str, now_s: float) -> None:
        """Arm a data folder that has never been used; `Refused` where anything shows that it has.

        A used folder without `ARMED` is a halted one, and only `clear` may change that.
        """
        for name in _TRACES_OF_USE:
            if not _certainly_absent(self.data_dir / name):
                raise Refused(
                    f"{self.data_dir} is not a new data folder: it holds {name}",
                    hint="run `jitctl clear-halt --reason ...` if it is halted and you have verified it",
                )
        record = {"who": who, "why": "first start in this folder", "time_s": now_s}
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            # The spare with which the first pause works on a full disk.
            create_record(self._unpaused, record)
            create_record(self._armed, record, exclusive=True)
        except FileExistsError as error:
            raise Refused(f"{self.data_dir} was armed by another process just now") from error
        except OSError as error:
            raise _cannot("arm", self.data_dir, error) from error

    def is_new(self) -> bool:
        """Whether `arm_initial` would accept the folder."""
        return all(_certainly_absent(self.data_dir / name) for name in _TRACES_OF_USE)

    def pause(self, who: str, why: str, now_s: float) -> bool:
        """Raise the pause flag, durably; False if it was up already. Raises `JitError` if it cannot."""
        if self.paused():
            _mark_anew(self._paused)
            return False
        record = _new_record(who, why, now_s)
        try:
            try:
                self._unpaused.rename(self._paused)
                fsync_directory(self.data_dir)
                with contextlib.suppress(OSError):
                    overwrite_record(self._paused, record)
            except FileNotFoundError:
                create_record(self._paused, record)
        except OSError as error:
            raise _cannot("pause", self.data_dir, error) from error
        return True

    def resume(self) -> bool:
        """Take the pause flag down, durably; False if it was down. Raises `JitError` if it cannot."""
        try:
            self._paused.rename(self._unpaused)
            fsync_directory(self.data_dir)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _cannot("resume", self.data_dir, error) from error
        return True

    def mark(self) -> str:
        """Return what every pause and every halt changes, also one that finds it so already.

        Whoever loosens shows the mark that was there when he was asked: with another one by now somebody has
        stopped the bot since.
        """
        return "/".join(_mark(path) for path in (self._paused, self._halted))

    def halt_record(self) -> LatchRecord | None:
        """Who halted and why; None while armed."""
        return None if self.armed() else _record(self._halted)

    def pause_record(self) -> LatchRecord | None:
        """Who paused and why; None while not paused."""
        return _record(self._paused) if self.paused() else None


def _new_record(who: str, why: str, now_s: float) -> dict[str, Any]:
    return {"who": who, "why": why, "time_s": now_s, "mark": secrets.token_hex(8)}


def _mark(path: Path) -> str:
    """Return a file's mark, "" if it is absent.

    The inode's own time is part of it: a file that was made by hand, or kept its old record because a full
    disk took no new one, is told from the one before all the same.
    """
    try:
        changed_ns = path.lstat().st_ctime_ns
    except OSError:
        return ""
    return f"{(read_record(path) or {}).get('mark', '')}:{changed_ns:x}"


def _mark_anew(path: Path) -> None:
    """Change the mark of a file, and nothing else; on a broken disk nobody can loosen either."""
    with contextlib.suppress(OSError):
        os.utime(path, follow_symlinks=False)
    found = read_record(path)
    if found is not None:
        with contextlib.suppress(OSError):
            overwrite_record(path, found | {"mark": secrets.token_hex(8)})


def _record(path: Path) -> LatchRecord:
    found = read_record(path) or {}
    who, why, time_s = found.get("who"), found.get("why"), found.get("time_s")
    return LatchRecord(
        _legible(who),
        _legible(why),
        float(time_s) if isinstance(time_s, int | float) else 0.0,
    )


def _legible(text: object) -> str:
    """Return a text without half characters, which neither a ledger nor a log takes; "" for no text."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""


def _certainly_absent(path: Path) -> bool:
    try:
        path.lstat()
    except OSError as error:
        return error.errno == errno.ENOENT
    return False


def _cannot(what: str, folder: Path, error: OSError) -> JitError:
    return JitError(
        f"cannot {what}: {folder}: {error.strerror or error}",
        hint="check that the data folder is mounted, writable and owned by the daemon's user",
    )
