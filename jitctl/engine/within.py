"""A time limit on a coroutine, by the injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from jitctl.engine.ports import Clock
from jitctl.errors import TimedOut

T = TypeVar("T")


async def within(clock: Clock, seconds: float, what: str, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; `TimedOut` after `seconds`, with `work` cancelled and ended by then."""
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((task, timer), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TimedOut(f"{what} took longer than {seconds:g} s")
    finally:
        timer.cancel()
        if not task.done():
            task.cancel()
        await asyncio.gather(task, timer, return_exceptions=True)
