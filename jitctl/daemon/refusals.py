"""Refused calls on their way into the audit trail: every one counted, at most one record a second each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jitctl.daemon.audit import Audit
from jitctl.daemon.telemetry import Telemetry

EVERY_S = 1.0
MAX_KEYS = 256


class Refusal(NamedTuple):
    """One call that was not let through; equal ones within a second share a record."""

    who: str
    uid: int | None
    role: str
    door: str
    verb: str
    outcome: str


OTHERS = Refusal("others", None, "", "", "", "permission_denied")
"""Stands for callers beyond `MAX_KEYS` at a time."""


@dataclass
class _Tally:
    first_wall_s: float
    count: int = 0


class Refusals:
    """Tallies that are written in the background, together, so that no flood delays anybody else."""

    def __init__(
        self,
        audit: Audit,
        telemetry: Telemetry,
        *,
        every_s: float = EVERY_S,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._audit = audit
        self._telemetry = telemetry
        self._every_s = every_s
        self._wall_s = wall_s
        self._tallies: dict[Refusal, _Tally] = {}
        self._ending = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def note(self, refusal: Refusal) -> None:
        """Count one refused call; it is on disk within a second or so, unless the disk is full."""
        if refusal not in self._tallies and len(self._tallies) >= MAX_KEYS:
            refusal = OTHERS
        self._tallies.setdefault(refusal, _Tally(self._wall_s())).count += 1
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_while_any())

    async def _write_while_any(self) -> None:
        while self._tallies and not self._ending.is_set():
            taken = self._take()
            self._settle(taken, await asyncio.to_thread(self._write, taken))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._every_s)

    async def flush(self) -> None:
        """Write what is left; for the end of the daemon."""
        self._ending.set()
        if self._writer is not None:
            await asyncio.wait({self._writer})
        self._ending.clear()
        taken = self._take()
        self._settle(taken, self._write(taken))

    def _take(self) -> dict[Refusal, _Tally]:
        taken, self._tallies = self._tallies, {}
        return taken

    def _write(self, taken: dict[Refusal, _Tally]) -> bool:
        return self._audit.record_all(_record(refusal, tally) for refusal, tally in taken.items())

    def _settle(self, taken: dict[Refusal, _Tally], written: bool) -> None:
        for refusal, tally in taken.items():
            if written:
                self._telemetry.log("request_refused", level="warning", **_record(refusal, tally))
                continue
            # Kept, and merged: a flood on a full disk may not push out what an operator did.
            later = self._tallies.get(refusal)
            self._tallies[refusal] = _Tally(tally.first_wall_s, tally.count + (later.count if later else 0))


def _record(refusal: Refusal, tally: _Tally) -> dict[str, Any]:
    return {"time": round(tally.first_wall_s, 3), **refusal._asdict(), "leftOut": tally.count - 1}
