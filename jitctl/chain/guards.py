"""The executor contract's own limits, read at a block."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jitctl.chain.lens import Node, is_revert, view, view_many
from jitctl.chain.oracle import mean_tick
from jitctl.contracts import calls
from jitctl.domain.chain import Head
from jitctl.domain.guards import GuardReading, PoolRules
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError

_POOLS = bytes.fromhex("a4063dbc")
_RULE_WORDS = 7
"""allowed, maxSpotTicks, maxRangeTicks, twapWindowS, maxNotionalWei, maxTipBps, WETH is token0."""


class ExecutorGuards:
    """Everything is the contract's own word at the block: the owner may change it in any."""

    def __init__(self, node: Node, *, executor: Address) -> None:
        self._node = node
        self._executor = executor

    async def read(self, pools: Sequence[Address], head: Head) -> GuardReading:
        """Read at `head`; a pool without a TWAP has no tick and may not open.

        Raises `NodeError` or `TimedOut`.
        """
        budget, halted, rules = await asyncio.gather(
            self._budget_left_wei(head.hash),
            self._uint(calls.SELECTORS["halted"], head.hash),
            view_many(
                self._node, self._executor, _POOLS, [int(each, 16) for each in pools], _RULE_WORDS, head.hash
            ),
        )
        ticks = await asyncio.gather(
            *(self._twap_tick(pool, words[3], head.hash) for pool, words in zip(pools, rules, strict=True))
        )
        return GuardReading(
            twap_ticks={pool: tick for pool, tick in zip(pools, ticks, strict=True) if tick is not None},
            loss_budget_left_wei=budget,
            rules={
                pool: PoolRules(
                    may_open=bool(words[0]) and tick is not None,
                    max_spot_ticks=words[1],
                    max_range_ticks=words[2],
                    max_notional_wei=words[4],
                    max_tip_bps=words[5],
                )
                for pool, words, tick in zip(pools, rules, ticks, strict=True)
            },
            halted=bool(halted),
        )

    async def _budget_left_wei(self, at: Hash32) -> int:
        budget, spent, reserved = await asyncio.gather(
            *(self._uint(calls.SELECTORS[name], at) for name in ("budget", "spent24h", "reserved"))
        )
        return max(0, budget - spent - reserved)

    async def _uint(self, selector: bytes, at: Hash32) -> int:
        answer = await view(self._node, self._executor, selector, at)
        if len(answer) != 32:
            raise NodeError(
                f"{self._executor} does not answer as an executor", hint="check [executor] address"
            )
        return int.from_bytes(answer, "big")

    async def _twap_tick(self, pool: Address, window_s: int, at: Hash32) -> int | None:
        if not window_s:
            return None
        try:
            return await mean_tick(self._node, pool, window_s, at)
        except NodeError as error:
            if not is_revert(error):
                raise
            # The pool does not remember that far back.
            return None
