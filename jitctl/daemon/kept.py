"""Answers that cost something, made at most once a second for all who ask: one at a time, and few kept."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
KEPT = 16


class Kept(Generic[T]):
    """The newest answer to each question, `fresh_s` long."""

    def __init__(self, fresh_s: float, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._fresh_s = fresh_s
        self._monotonic_s = monotonic_s
        self._answers: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._one = asyncio.Lock()

    async def get(self, question: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to `question`, a fresh one, or what `make` returns or raises."""
        async with self._one:
            kept = self._answers.get(question)
            if kept is not None and self._monotonic_s() - kept[0] < self._fresh_s:
                return kept[1]
            answer = await make()
            self._answers[question] = (self._monotonic_s(), answer)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
            return answer
