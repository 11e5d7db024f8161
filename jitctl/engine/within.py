"""A time limit on a coroutine, by the injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from jitctl.engine.ports import Clock
from jitctl.errors import TimedOut

T = TypeVar("T")


async def within(clock: Clock, seconds: float, what: str, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; `TimedOut` after `seconds`, with `work` cancelled and ended by then.

    `work` runs in the caller's own task: a task for it would cost several turns of the event loop each time.
    """
    task = asyncio.current_task()
    assert task is not None
    cancelling, expired = task.cancelling(), False

    def expire(timer: asyncio.Future[None]) -> None:
        nonlocal expired
        if not timer.cancelled():
            expired = True
            task.cancel()

    timer = asyncio.ensure_future(clock.sleep(seconds))
    timer.add_done_callback(expire)
    try:
        return await work
    except asyncio.CancelledError:
        # Only our own cancellation becomes a timeout; one from outside goes on.
        if expired and task.cancelling() <= cancelling + 1:
            raise TimedOut(f"{what} took longer than {seconds:g} s") from None
        raise
    finally:
        timer.remove_done_callback(expire)
        timer.cancel()
        if expired:
            task.uncancel()
