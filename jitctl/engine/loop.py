"""The loop: one input at a time, by precedence, to the desk that knows what it means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jitctl.domain.chain import PendingTx
from jitctl.engine.events import EngineInput
from jitctl.engine.inbox import Inbox

YIELD_EVERY = 16
"""Inputs taken in a row before the event loop's other tasks get their turn."""


class Loop:
    """Runs until `stopped()`. What a handler raises goes to `on_failure`, with what it was given."""

    def __init__(
        self,
        inbox: Inbox,
        handlers: Mapping[type, Callable[[Any], Awaitable[None] | None]],
        stopped: Callable[[], bool],
        on_failure: Callable[[EngineInput, Exception], None],
    ) -> None:
        self._inbox = inbox
        self._handlers = handlers
        self._stopped = stopped
        self._on_failure = on_failure

    async def run(self) -> None:
        """Take inputs until stopped."""
        taken = 0
        while not self._stopped():
            event = await self._inbox.get()
            try:
                done = self._handlers[type(event)](event)
                if done is not None:
                    await done
            except Exception as error:
                # Whatever one input does to us, the operator's next command must still be answered.
                self._on_failure(event, error)
            taken += 1
            if taken % YIELD_EVERY == 0 or not isinstance(event, PendingTx):
                await asyncio.sleep(0)
