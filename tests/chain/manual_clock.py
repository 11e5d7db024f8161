"""A clock that moves only when a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable


class ManualClock:
    def __init__(self) -> None:
        self.now_ns = 1_000_000_000
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_s(self) -> float:
        return 1_700_000_000 + self.now_ns / 1e9

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_ns + int(seconds * 1e9), next(self._order), future))
        await future

    def advance(self, seconds: float) -> None:
        """Move time and wake who waited for less."""
        self.now_ns += int(seconds * 1e9)
        while self._sleepers and self._sleepers[0][0] <= self.now_ns:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    async def advance_until(self, condition: Callable[[], bool], step_s: float = 0.5) -> None:
        """Let time pass in steps, with real I/O in between, until the condition holds."""
        async with asyncio.timeout(20):
            while not condition():
                self.advance(step_s)
                await asyncio.sleep(0.002)


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait for something that real sockets will bring about."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)
