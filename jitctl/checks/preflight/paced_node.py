"""A node that is not asked everything at once: a question waits its turn before its time begins to count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from jitctl.chain.rpc import NodePool

AT_ONCE = 16


class PacedNode:
    """Satisfies the `Node` of `chain` and `execution`; `timeout_s` bounds every question, whoever asks."""

    def __init__(self, nodes: NodePool, timeout_s: float) -> None:
        self._nodes = nodes
        self._timeout_s = timeout_s
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout_s: float | None = None,
        only: str | None = None,
    ) -> Any:
        """As `NodePool.call`; an adapter's own `timeout_s` is made for the engine and does not count."""
        async with self._turn:
            return await self._nodes.call(method, params, timeout_s=self._timeout_s, only=only)

    async def close(self) -> None:
        await self._nodes.close()
