"""What the executor keeps of a position and what the pool itself holds, word for word, at one block.

What is not exactly of the promised shape is a `NodeError`, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitctl.amm.position import position_key
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK
from jitctl.chain.lens import Node, signed, view
from jitctl.chain.quantities import data
from jitctl.contracts import calls
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError

_POSITIONS = bytes.fromhex("514ea4bf")
"""The selector of a v3 pool's `positions(bytes32)`."""
_KEPT_WORDS = 8
_POOL_WORDS = 5
_BELOW_LIQUIDITY = 1 << 128
_BELOW_AMOUNT = 1 << 104
_BELOW_BLOCK = 1 << 31


@dataclass(frozen=True, slots=True)
class KeptPosition:
    """The executor's record of a pool: its open position, or its latest one, or zeros."""

    open: bool
    tick_lower: int
    tick_upper: int
    liquidity: int
    amount0: int
    amount1: int
    block_number: int

    @property
    def has_range(self) -> bool:
        """False where no position was ever opened."""
        return self.tick_lower < self.tick_upper


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """What a pool holds at the executor's name in one range; owed amounts are in the tokens' base units."""

    liquidity: int
    owed0: int
    owed1: int

    @property
    def is_empty(self) -> bool:
        return not (self.liquidity or self.owed0 or self.owed1)


class ExecutorPositions:
    """Reads pinned to a block; all raise `NodeError` or `TimedOut`. `timeout_s` bounds each read."""

    def __init__(self, node: Node, executor: Address) -> None:
        self._node = node
        self._executor = executor

    async def code(self, at: Hash32, *, timeout_s: float) -> bytes:
        """The executor's code; raises `NodeError` where there is none."""
        parameters = [self._executor, {"blockHash": at}]
        found = await self._node.call("eth_getCode", parameters, timeout_s=timeout_s)
        code = data(found, "code", self._executor)
        if not code:
            raise NodeError(
                f"there is no contract at {self._executor}", hint="correct [executor] address in jitctl.toml"
            )
        return code

    async def kept(self, pool: Address, at: Hash32, *, timeout_s: float) -> KeptPosition:
        """What the executor's `openPosition` says of a pool."""
        calldata = calls.open_position(pool)
        answer = await view(self._node, self._executor, calldata, at, timeout_s=timeout_s)
        return _kept(_words(answer, _KEPT_WORDS, "openPosition"))

    async def held(
        self, pool: Address, lower: int, upper: int, at: Hash32, *, timeout_s: float
    ) -> HeldPosition:
        """What the pool itself holds for the executor between two ticks."""
        calldata = _POSITIONS + position_key(self._executor, lower, upper)
        answer = await view(self._node, pool, calldata, at, timeout_s=timeout_s)
        liquidity, _, _, owed0, owed1 = _words(answer, _POOL_WORDS, "positions")
        if max(liquidity, owed0, owed1) >= _BELOW_LIQUIDITY:
            raise NodeError("positions answers with amounts that no pool holds")
        return HeldPosition(liquidity, owed0, owed1)

    async def reserved_wei(self, at: Hash32, *, timeout_s: float) -> int:
        """What the executor keeps of its loss budget: more than 0 while a position is open in any pool."""
        answer = await view(self._node, self._executor, calls.SELECTORS["reserved"], at, timeout_s=timeout_s)
        return _words(answer, 1, "reserved")[0]


def _words(answer: bytes, count: int, what: str) -> list[int]:
    if len(answer) != 32 * count:
        raise NodeError(
            f"{what} answers {len(answer)} bytes, not {32 * count}", hint="check [executor] address"
        )
    return [int.from_bytes(answer[start : start + 32], "big") for start in range(0, len(answer), 32)]


def _kept(words: list[int]) -> KeptPosition:
    flag, lower, upper = words[0], signed(words[1]), signed(words[2])
    kept = KeptPosition(flag == 1, lower, upper, *words[3:7])
    never = not any(words[:7])
    ranged = MIN_TICK <= lower < upper <= MAX_TICK and kept.liquidity > 0
    sized = (
        kept.liquidity < _BELOW_LIQUIDITY
        and max(kept.amount0, kept.amount1) < _BELOW_AMOUNT
        and kept.block_number < _BELOW_BLOCK
    )
    if flag > 1 or not sized or not (never or ranged):
        raise NodeError("openPosition answers with what no position is", hint="check [executor] address")
    return kept
