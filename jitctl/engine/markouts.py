"""What a landed attempt's change of inventory is worth later, at the pool's own price: was the flow informed?

Each landed attempt is valued again at the next block and at the first blocks one and five minutes after its
own. A price that nobody read in time leaves its value out: after a restart, a gap, or a pool not followed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jitctl.domain.chain import Block, Head
from jitctl.domain.records import AttemptChange, Outcome
from jitctl.domain.values import Hash32
from jitctl.engine.accounting import net_wei, weth_per_quote
from jitctl.engine.attempts import Attempt
from jitctl.engine.parts import Parts

AFTER_S = {"1_min": 60, "5_min": 300}
NEXT_BLOCK = "1_block"
NAMES = (NEXT_BLOCK, *AFTER_S)
LATE_S = 30
"""A price so much later than it should be is another price."""
BLOCKS_KEPT = 256


@dataclass(slots=True)
class _Waiting:
    attempt: Attempt
    block: Head
    missing: list[str]


class Markouts:
    """Values what is due at each head whose prices are known."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._heads: dict[Hash32, Head] = {}
        self._waiting: dict[str, _Waiting] = {}

    def block_added(self, block: Block) -> None:
        """Know when a block was, so that an attempt in it can be timed."""
        self._heads[block.head.hash] = block.head
        if len(self._heads) > BLOCKS_KEPT:
            del self._heads[next(iter(self._heads))]

    def priced(self, head: Head) -> None:
        """Value what is due at `head`, which the pools describe. Raises `LedgerError`."""
        self._take_new()
        live = self._parts.follower.live
        for attempt_id, waiting in list(self._waiting.items()):
            result = waiting.attempt.result
            taken_back = result is None or result.block_hash != waiting.block.hash
            if taken_back or (not waiting.missing and attempt_id not in live):
                del self._waiting[attempt_id]
                continue
            due = [name for name in waiting.missing if _is_due(name, waiting.block, head)]
            waiting.missing = [name for name in waiting.missing if name not in due]
            self._value(waiting.attempt, [name for name in due if _in_time(name, waiting.block, head)])

    def _take_new(self) -> None:
        for attempt in self._parts.follower.live.values():
            result = attempt.result
            if attempt.outcome is not Outcome.LANDED or result is None or attempt.attempt_id in self._waiting:
                continue
            block = self._heads.get(result.block_hash)
            missing = [name for name in NAMES if name not in result.markouts_wei]
            if block is not None and missing:
                self._waiting[attempt.attempt_id] = _Waiting(attempt, block, missing)

    def _value(self, attempt: Attempt, names: list[str]) -> None:
        parts, result = self._parts, attempt.result
        pool = parts.ports.pool_book.pools().get(attempt.pool)
        if not names or pool is None or result is None:
            return
        price = weth_per_quote(pool.sqrt_price_x96, attempt.record.weth_is_token0)
        worth_wei = net_wei(result.amounts, result.gas_wei, attempt.record.weth_is_token0, price)
        attempt.result = replace(
            result, markouts_wei={**result.markouts_wei, **dict.fromkeys(names, worth_wei)}
        )
        change = AttemptChange(parts.ports.clock.wall_s(), result=attempt.result)
        parts.ports.ledger.amend_attempt(attempt.attempt_id, change)


def _is_due(name: str, block: Head, head: Head) -> bool:
    if name == NEXT_BLOCK:
        return head.number > block.number
    return head.timestamp_s >= block.timestamp_s + AFTER_S[name]


def _in_time(name: str, block: Head, head: Head) -> bool:
    if name == NEXT_BLOCK:
        return head.number == block.number + 1
    return head.timestamp_s < block.timestamp_s + AFTER_S[name] + LATE_S
