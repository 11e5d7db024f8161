"""Slots by the wall clock: one block each, at the second that the clock says."""

from __future__ import annotations

import asyncio
import time
from math import ceil

from jitctl.devnet.devchain import DevChain
from jitctl.errors import JitError

MANUAL_STEP_S = 12


def step_s(slot_seconds: float | None) -> int:
    """Return how many whole seconds a block is after its parent; never less than really pass."""
    return MANUAL_STEP_S if slot_seconds is None else max(1, ceil(slot_seconds))


class SlotClock:
    """Builds a block each `slot_seconds` while running; None: only when asked."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._task: asyncio.Task[None] | None = None
        self.slot_seconds: float | None = None

    def set(self, slot_seconds: float | None) -> None:
        """Change the pace; ValueError unless positive or None."""
        if slot_seconds is not None and slot_seconds <= 0:
            raise ValueError("slot seconds must be positive")
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.slot_seconds = slot_seconds
        self._chain.step_s = step_s(slot_seconds)
        if slot_seconds is not None:
            self._task = asyncio.create_task(self._run(slot_seconds))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self, slot_seconds: float) -> None:
        due = time.monotonic()
        while True:
            # A slot that is missed stays missed: no burst of blocks to catch up.
            due = max(due + slot_seconds, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            try:
                await self._chain.slot(self._timestamp_s())
            except JitError as error:
                self._chain.last_failure = error.message

    def _timestamp_s(self) -> int:
        """Return the newest slot's time that is not in the future, if it is after the parent's."""
        parent_s, step = self._chain.head.timestamp_s, self._chain.step_s
        return parent_s + step * max(1, int((time.time() - parent_s) // step))
