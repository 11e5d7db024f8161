"""Who did what: the audit trail, its hash chain checked from the first line to the last."""

from __future__ import annotations

import pwd
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from jitctl.control.audit_chain import Line, follow_chain
from jitctl.errors import JitError, PermissionDenied, UsageError

DENIED = "permission_denied"
FUTURE_S = 60.0
"""A record this far ahead of the clock was not written by it."""
MAX_LINE_BYTES = 1 << 20
_NEEDS_NO_REASON = frozenset({"validate-live"})
"""It changes nothing."""
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"([0-9]{1,6})([smhdw])")


@dataclass(frozen=True)
class AccessEntry:
    """One record as it is shown; `left_out` equal refusals share it, `marks` say what is odd about it."""

    line: int
    seq: int
    time: str
    who: str
    uid: int | None
    role: str
    door: str
    verb: str
    before: str
    after: str
    outcome: str
    why: str
    left_out: int = 0
    marks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AccessLog:
    """`chain` is intact, broken or absent, and `records` all there are, whatever the filters let through.

    `torn_lines` are halves of lines that the chain goes around; `anomalies` counts the marks of what matches.
    """

    file: str
    chain: str
    records: int
    matching: int = 0
    broken_at_line: int | None = None
    broken_because: str = ""
    torn_lines: list[int] = field(default_factory=list)
    anomalies: dict[str, int] = field(default_factory=dict)
    entries: list[AccessEntry] = field(default_factory=list)


@dataclass(frozen=True)
class Filter:
    """What is asked for; empty texts match everything, `since_s` is seconds of the epoch."""

    since_s: float = 0.0
    who: str = ""
    verb: str = ""
    denied: bool = False
    limit: int = 100

    def matches(self, record: dict[str, Any]) -> bool:
        return (
            _number(record.get("time")) >= self.since_s
            and self.who in ("", str(record.get("who")), str(record.get("uid")))
            and self.verb in ("", str(record.get("verb")))
            and (not self.denied or record.get("outcome") == DENIED)
        )


def known_uid(uid: int) -> bool:
    """Whether this machine has a user of that number."""
    try:
        pwd.getpwuid(uid)
    except (KeyError, OverflowError, ValueError):
        return False
    return True


def since(text: str, now_s: float) -> float:
    """Return the moment that `24h`, `7d` or an ISO date and time (UTC unless it says) means; `UsageError`."""
    if not text:
        return 0.0
    if ago := _AGO.fullmatch(text):
        return now_s - int(ago[1]) * _UNITS_S[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no moment", hint="as 24h, 7d, 2026-01-31 or 2026-01-31T08:00"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def access_log(
    path: Path,
    wanted: Filter,
    *,
    now_s: float | None = None,
    is_known: Callable[[int], bool] = known_uid,
) -> AccessLog:
    """Return the newest records that are wanted, oldest first, and the state of the whole chain.

    Raises `PermissionDenied` where the trail may not be read, `JitError` where it cannot be.
    """
    now_s = time.time() if now_s is None else now_s
    entries: deque[AccessEntry] = deque(maxlen=wanted.limit)
    anomalies: Counter[str] = Counter()
    torn: list[int] = []
    records = matching = 0
    broken: Line | None = None
    try:
        with path.open("rb") as file:
            for line in follow_chain(_lines(file)):
                if line.record is None:
                    torn.append(line.number)
                    continue
                records += 1
                if line.fault and broken is None:
                    broken = line
                if wanted.matches(line.record):
                    entry = _entry(line, line.record, now_s, is_known)
                    matching += 1
                    anomalies.update(entry.marks)
                    entries.append(entry)
    except FileNotFoundError:
        return AccessLog(str(path), "absent", 0)
    except PermissionError:
        hint = "ask as the daemon's user, as a member of its group, or with sudo"
        raise PermissionDenied(f"you may not read {path}", hint=hint) from None
    except OSError as error:
        raise JitError(f"cannot read {path}: {error.strerror or error}") from None
    return AccessLog(
        file=str(path),
        chain="broken" if broken else "intact",
        records=records,
        matching=matching,
        broken_at_line=broken.number if broken else None,
        broken_because=broken.fault if broken else "",
        torn_lines=torn,
        anomalies=dict(anomalies),
        entries=list(entries),
    )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE_BYTES):
        yield line


def _entry(line: Line, record: dict[str, Any], now_s: float, is_known: Callable[[int], bool]) -> AccessEntry:
    moment_s, uid = _number(record.get("time")), record.get("uid")
    uid = uid if type(uid) is int else None
    outcome, why = str(record.get("outcome", "")), str(record.get("why", ""))
    marks = {
        "chain broken": bool(line.fault),
        "gap before": line.missing > 0,
        "denied": outcome == DENIED,
        "unknown uid": uid is not None and not is_known(uid),
        "no reason": outcome != DENIED and not why.strip() and record.get("verb") not in _NEEDS_NO_REASON,
        "in the future": moment_s > now_s + FUTURE_S,
    }
    return AccessEntry(
        line=line.number,
        seq=int(record["seq"]),
        time=_iso(moment_s),
        uid=uid,
        outcome=outcome,
        why=why,
        left_out=int(_number(record.get("leftOut"))),
        marks=[mark for mark, holds in marks.items() if holds],
        **{name: str(record.get(name, "")) for name in ("who", "role", "door", "verb", "before", "after")},
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0.0


def _iso(moment_s: float) -> str:
    try:
        return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "unreadable"
