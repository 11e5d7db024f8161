"""External marks: what the quote tokens are worth in WETH, from price feeds or from the pools' own TWAP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.chain.lens import Node, is_revert, signed, view
from jitctl.chain.oracle import mean_tick
from jitctl.domain.chain import Head
from jitctl.domain.counters import Counters
from jitctl.domain.plan import Marks
from jitctl.domain.values import Address, Hash32, PoolSpec, Token
from jitctl.errors import NodeError, TimedOut

PRICE_COUNTS = ("read", "read_failed", "bad_answer")
READ_TIMEOUT_S = 0.8
"""For one node: of a reading's two seconds enough is left to ask another."""
_LATEST_ROUND_DATA = bytes.fromhex("feaf968c")
_DECIMALS = bytes.fromhex("313ce567")
_WETH_DECIMALS = 18
_USD_SYMBOLS = ("USDC", "USDT", "DAI")


@dataclass(frozen=True, slots=True)
class _Answer:
    usd: Fraction
    updated_at_s: int


class FeedPrices:
    """Marks from AggregatorV3 feeds in USD, one for WETH and one for each quote token.

    A token whose feed refuses or answers nonsense (not positive, never updated, an unfinished round) has no
    mark. The age is that of the oldest answer used, against the head's own time.
    """

    def __init__(
        self, node: Node, *, weth: Token, tokens: Sequence[Token], feeds: Mapping[str, Address]
    ) -> None:
        """`feeds` maps symbols to feed contracts; raises `ValueError` where one is missing."""
        self.counters = Counters(PRICE_COUNTS)
        self._node = node
        self._weth = weth
        self._decimals: dict[Address, int] = {}
        self.watch(tokens, feeds)

    def watch(self, tokens: Sequence[Token], feeds: Mapping[str, Address]) -> None:
        """Replace the tokens and their feeds, from the next reading on; `ValueError` where one is missing."""
        missing = [token.symbol for token in (self._weth, *tokens) if token.symbol not in feeds]
        if missing:
            raise ValueError(f"no price feed for {', '.join(missing)}")
        self._tokens = [token for token in tokens if token.address != self._weth.address]
        self._feeds = dict(feeds)

    async def read(self, head: Head) -> Marks:
        """Read all feeds at `head`; raises `NodeError` or `TimedOut`, also where WETH's feed has no price."""
        tokens, feeds = self._tokens, self._feeds
        try:
            weth, *others = await asyncio.gather(
                *(self._answer(feeds[token.symbol], head.hash) for token in (self._weth, *tokens))
            )
            if weth is None:
                raise NodeError("the price feed of WETH does not answer with a price")
        except (NodeError, TimedOut):
            self.counters.add("read_failed")
            raise
        marks = {self._weth.address: Fraction(1)}
        oldest_s = weth.updated_at_s
        for token, answer in zip(tokens, others, strict=True):
            if answer is not None:
                marks[token.address] = (
                    answer.usd * 10**_WETH_DECIMALS / (weth.usd * Fraction(10) ** token.decimals)
                )
                oldest_s = min(oldest_s, answer.updated_at_s)
        self.counters.add("read")
        return Marks(marks, weth.usd, "feeds", max(0.0, float(head.timestamp_s - oldest_s)), head.hash)

    async def _answer(self, feed: Address, at: Hash32) -> _Answer | None:
        try:
            if feed not in self._decimals:
                found = await view(self._node, feed, _DECIMALS, at, timeout_s=READ_TIMEOUT_S)
                decimals = int.from_bytes(found, "big")
                if decimals > 36:
                    self.counters.add("bad_answer")
                    return None
                self._decimals[feed] = decimals
            raw = await view(self._node, feed, _LATEST_ROUND_DATA, at, timeout_s=READ_TIMEOUT_S)
        except NodeError as error:
            if not is_revert(error):
                raise
            self.counters.add("bad_answer")  # the feed's own refusal
            return None
        if len(raw) != 160:
            self.counters.add("bad_answer")
            return None
        round_id, answer, _started_at, updated_at, answered_in = (
            int.from_bytes(raw[at : at + 32], "big") for at in range(0, 160, 32)
        )
        price = signed(answer)
        if price <= 0 or updated_at == 0 or answered_in < round_id:
            self.counters.add("bad_answer")
            return None
        return _Answer(Fraction(price, 10 ** self._decimals[feed]), updated_at)


class PoolTwapPrices:
    """Marks from `observe` of the watched pools: the mean tick over `window_s`.

    The first pool listed for a quote token is its source; one that does not remember that far back gives no
    mark. USD, for showing only, comes from the first of USDC, USDT and DAI that has a mark.
    """

    def __init__(self, node: Node, *, specs: Sequence[PoolSpec], window_s: int = 600) -> None:
        self.counters = Counters(PRICE_COUNTS)
        self._node = node
        self._window_s = window_s
        self.watch(specs)

    def watch(self, specs: Sequence[PoolSpec]) -> None:
        """Replace the pools, from the next reading on."""
        first: dict[Address, PoolSpec] = {}
        for spec in specs:
            first.setdefault(spec.quote_token.address, spec)
        self._specs = first

    async def read(self, head: Head) -> Marks:
        """Read all pools at `head`; raises `NodeError` or `TimedOut`, also where none has a price."""
        specs = list(self._specs.values())
        try:
            ticks = await asyncio.gather(*(self._tick(spec, head.hash) for spec in specs))
            if all(tick is None for tick in ticks):
                raise NodeError("no watched pool answers observe")
        except (NodeError, TimedOut):
            self.counters.add("read_failed")
            raise
        marks: dict[Address, Fraction] = {}
        usd_per_weth = Fraction(0)
        for spec, tick in zip(specs, ticks, strict=True):
            if tick is None:
                continue
            price1_per_0 = Fraction(get_sqrt_ratio_at_tick(tick) ** 2, 1 << 192)
            quote = 1 / price1_per_0 if spec.weth_is_token0 else price1_per_0
            marks[spec.quote_token.address] = quote
            marks[spec.weth.address] = Fraction(1)
            if not usd_per_weth and spec.quote_token.symbol in _USD_SYMBOLS:
                usd_per_weth = 10**_WETH_DECIMALS / (quote * Fraction(10) ** spec.quote_token.decimals)
        self.counters.add("read")
        return Marks(marks, usd_per_weth, "pool_twap", 0.0, head.hash)

    async def _tick(self, spec: PoolSpec, at: Hash32) -> int | None:
        try:
            return await mean_tick(self._node, spec.address, self._window_s, at, timeout_s=READ_TIMEOUT_S)
        except NodeError as error:
            if not is_revert(error):
                raise
            self.counters.add("bad_answer")
            return None
