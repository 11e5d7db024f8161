"""External marks: what the quote tokens are worth in WETH, from price feeds or from the pools' own TWAP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.chain.clock import Clock, SystemClock
from jitctl.chain.lens import Node, signed, view
from jitctl.chain.oracle import mean_tick
from jitctl.domain.chain import Head
from jitctl.domain.counters import Counters
from jitctl.domain.plan import Marks
from jitctl.domain.values import Address, Hash32, PoolSpec, Token
from jitctl.errors import NodeError, TimedOut

PRICE_COUNTS = ("refreshes", "read_failed", "bad_answer")
_LATEST_ROUND_DATA = bytes.fromhex("feaf968c")
_DECIMALS = bytes.fromhex("313ce567")
_WETH_DECIMALS = 18
_USD_SYMBOLS = ("USDC", "USDT", "DAI")


class _MarkKeeper:
    """Holds the last marks and lets them grow old."""

    def __init__(self, source: str, clock: Clock | None) -> None:
        self.counters = Counters(PRICE_COUNTS)
        self._source = source
        self._clock = clock or SystemClock()
        self._marks: dict[Address, Fraction] = {}
        self._usd_per_weth = Fraction(0)
        self._age_s = float("inf")
        self._read_ns = 0

    def marks(self) -> Marks:
        """The last good marks with their age now; before the first refresh empty and infinitely old."""
        since_s = (self._clock.monotonic_ns() - self._read_ns) / 1e9 if self._marks else 0.0
        return Marks(dict(self._marks), self._usd_per_weth, self._source, self._age_s + since_s)

    def _keep(self, marks: dict[Address, Fraction], usd_per_weth: Fraction, age_s: float) -> None:
        self.counters.add("refreshes")
        self._marks, self._usd_per_weth, self._age_s = marks, usd_per_weth, age_s
        self._read_ns = self._clock.monotonic_ns()


@dataclass(frozen=True, slots=True)
class _Answer:
    usd: Fraction
    updated_at_s: int


class FeedPrices(_MarkKeeper):
    """Marks from AggregatorV3 feeds in USD, one for WETH and one for each quote token.

    A token whose feed answers nonsense (not positive, never updated, an unfinished round) keeps no mark.
    The age is that of the oldest answer used, against the head's own time.
    """

    def __init__(
        self,
        node: Node,
        *,
        weth: Token,
        tokens: Sequence[Token],
        feeds: Mapping[str, Address],
        clock: Clock | None = None,
    ) -> None:
        """`feeds` maps symbols to feed contracts; raises `ValueError` where one is missing."""
        super().__init__("feeds", clock)
        missing = [token.symbol for token in (weth, *tokens) if token.symbol not in feeds]
        if missing:
            raise ValueError(f"no price feed for {', '.join(missing)}")
        self._node = node
        self._weth = weth
        self._tokens = [token for token in tokens if token.address != weth.address]
        self._feeds = dict(feeds)
        self._decimals: dict[Address, int] = {}

    async def refresh(self, head: Head) -> None:
        """Read all feeds at `head`; raises `NodeError` or `TimedOut`, and then the old marks grow older."""
        try:
            weth, *others = await asyncio.gather(
                *(self._answer(token, head.hash) for token in (self._weth, *self._tokens))
            )
        except (NodeError, TimedOut):
            self.counters.add("read_failed")
            raise
        if weth is None:
            raise NodeError("the price feed of WETH does not answer with a price")
        marks = {self._weth.address: Fraction(1)}
        oldest_s = weth.updated_at_s
        for token, answer in zip(self._tokens, others, strict=True):
            if answer is not None:
                marks[token.address] = (
                    answer.usd * 10**_WETH_DECIMALS / (weth.usd * Fraction(10) ** token.decimals)
                )
                oldest_s = min(oldest_s, answer.updated_at_s)
        self._keep(marks, weth.usd, max(0.0, float(head.timestamp_s - oldest_s)))

    async def _answer(self, token: Token, at: Hash32) -> _Answer | None:
        feed = self._feeds[token.symbol]
        if feed not in self._decimals:
            decimals = int.from_bytes(await view(self._node, feed, _DECIMALS, at), "big")
            if decimals > 36:
                raise NodeError(f"the price feed of {token.symbol} says it has {decimals} decimals")
            self._decimals[feed] = decimals
        raw = await view(self._node, feed, _LATEST_ROUND_DATA, at)
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


class PoolTwapPrices(_MarkKeeper):
    """Marks from `observe` of the watched pools: the mean tick over `window_s`.

    The first pool listed for a quote token is its source. USD, for showing only, comes from the first of
    USDC, USDT and DAI that has a mark.
    """

    def __init__(
        self, node: Node, *, specs: Sequence[PoolSpec], window_s: int = 600, clock: Clock | None = None
    ) -> None:
        super().__init__("pool_twap", clock)
        self._node = node
        self._window_s = window_s
        self._specs: dict[Address, PoolSpec] = {}
        for spec in specs:
            self._specs.setdefault(spec.quote_token.address, spec)

    async def refresh(self, head: Head) -> None:
        """Read all pools at `head`; raises `NodeError` or `TimedOut`, and then the old marks grow older."""
        specs = list(self._specs.values())
        try:
            ticks = await asyncio.gather(
                *(mean_tick(self._node, spec.address, self._window_s, head.hash) for spec in specs)
            )
        except (NodeError, TimedOut):
            self.counters.add("read_failed")
            raise
        marks: dict[Address, Fraction] = {}
        usd_per_weth = Fraction(0)
        for spec, tick in zip(specs, ticks, strict=True):
            price1_per_0 = Fraction(get_sqrt_ratio_at_tick(tick) ** 2, 1 << 192)
            quote = 1 / price1_per_0 if spec.weth_is_token0 else price1_per_0
            marks[spec.quote_token.address] = quote
            marks[spec.weth.address] = Fraction(1)
            if not usd_per_weth and spec.quote_token.symbol in _USD_SYMBOLS:
                usd_per_weth = 10**_WETH_DECIMALS / (quote * Fraction(10) ** spec.quote_token.decimals)
        self._keep(marks, usd_per_weth, 0.0)
