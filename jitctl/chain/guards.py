"""The executor contract's own limits, read at a block."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jitctl.chain.lens import Node, signed, view
from jitctl.contracts import calls
from jitctl.domain.chain import Head
from jitctl.domain.guards import GuardReading
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError

_POOLS = bytes.fromhex("a4063dbc")
_RESERVED = bytes.fromhex("fe60d12c")
_OBSERVE = bytes.fromhex("883bdbfd")


class ExecutorGuards:
    """The TWAP windows are the contract's own, read once a pool and again when a TWAP cannot be read."""

    def __init__(self, node: Node, *, executor: Address) -> None:
        self._node = node
        self._executor = executor
        self._windows_s: dict[Address, int] = {}

    async def read(self, pools: Sequence[Address], head: Head) -> GuardReading:
        """Read at `head`; a pool without rules or without a TWAP is left out.

        Raises `NodeError` or `TimedOut`.
        """
        budget, ticks = await asyncio.gather(
            self._budget_left_wei(head.hash),
            asyncio.gather(*(self._twap_tick(each, head.hash) for each in pools)),
        )
        known = {pool: tick for pool, tick in zip(pools, ticks, strict=True) if tick is not None}
        return GuardReading(twap_ticks=known, loss_budget_left_wei=budget)

    async def _budget_left_wei(self, at: Hash32) -> int:
        budget, spent, reserved = await asyncio.gather(
            *(
                self._uint(selector, at)
                for selector in (calls.SELECTORS["budget"], calls.SELECTORS["spent24h"], _RESERVED)
            )
        )
        return max(0, budget - spent - reserved)

    async def _uint(self, selector: bytes, at: Hash32) -> int:
        answer = await view(self._node, self._executor, selector, at)
        if len(answer) != 32:
            raise NodeError(
                f"{self._executor} does not answer as an executor", hint="check [executor] address"
            )
        return int.from_bytes(answer, "big")

    async def _twap_tick(self, pool: Address, at: Hash32) -> int | None:
        window_s = self._windows_s.get(pool) or await self._window_s(pool, at)
        if not window_s:
            return None
        arguments = b"".join(each.to_bytes(32, "big") for each in (32, 2, window_s, 0))
        try:
            raw = await view(self._node, pool, _OBSERVE + arguments, at)
        except NodeError as error:
            if error.rpc_code is None:
                raise
            # `OLD`: the pool does not remember that far back.
            self._windows_s.pop(pool, None)
            return None
        words = [int.from_bytes(raw[start : start + 32], "big") for start in range(0, len(raw), 32)]
        if len(words) < 5 or words[0] != 64 or words[2] != 2:
            raise NodeError(f"{pool} does not answer observe")
        self._windows_s[pool] = window_s
        return (signed(words[4]) - signed(words[3])) // window_s

    async def _window_s(self, pool: Address, at: Hash32) -> int:
        answer = await view(self._node, self._executor, _POOLS + bytes(12) + bytes.fromhex(pool[2:]), at)
        if len(answer) != 7 * 32:
            raise NodeError(
                f"{self._executor} does not answer as an executor", hint="check [executor] address"
            )
        return int.from_bytes(answer[96:128], "big")
