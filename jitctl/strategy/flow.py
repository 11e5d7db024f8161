"""A victim swap as a flow along the pool's liquidity, in coordinates that always run upwards.

Let s be the square root of the price of the output token in the input token. Any swap pushes s up:
for token1 in, s is the pool's own sqrt price; for token0 in it is its inverse. In these coordinates both
directions are the same problem. Within a segment of constant liquidity L, moving from s to s' takes
L (s' - s) of the input token (after the fee) and gives L (1/s - 1/s') of the output token.

Floats: this is the model with which sizing finds its candidates. The exact simulator has the last word.
"""

from __future__ import annotations

from bisect import bisect_right
from math import inf

from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, get_sqrt_ratio_at_tick

_Q96 = float(1 << 96)
_ONE_IN_PIPS = 1_000_000
_MAX_SEGMENTS = 4_000


class Flow:
    """The swap without us: where it starts and ends, and what remains of it at every price between.

    `starts[i]`, `liquidities[i]`, `remaining[i]` describe segment i: its first s, its liquidity, and what is
    left of the swap there, in the token that the user fixed (input after fee, or output). `virtual_ends[i]`
    is where the swap would end if the segment's liquidity went on for ever. `gain` is the fee that liquidity
    earns per unit of input that moves the price: f (1 - phi) / (1 - f).
    """

    __slots__ = (
        "end", "exact_in", "gain", "grid_base", "grid_step", "liquidities", "pool", "remaining", "start",
        "starts", "virtual_ends", "zero_for_one",
    )  # fmt: skip

    def __init__(
        self, pool: Pool, zero_for_one: bool, amount_specified: int, sqrt_price_limit_x96: int = 0
    ) -> None:
        self.pool = pool
        self.zero_for_one = zero_for_one
        self.exact_in = amount_specified > 0
        fee = pool.fee_pips / _ONE_IN_PIPS
        share = pool.fee_protocol % 16 if zero_for_one else pool.fee_protocol >> 4
        kept = 1.0 - 1.0 / share if share else 1.0
        self.gain = fee * kept / (1.0 - fee)
        amount = float(abs(amount_specified))
        self.start = self.forward(pool.sqrt_price_x96)
        limit = sqrt_price_limit_x96 or (MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1)
        self.starts: list[float] = []
        self.liquidities: list[float] = []
        self.remaining: list[float] = []
        self.virtual_ends: list[float] = []
        self.end = self._follow(amount * (1.0 - fee) if self.exact_in else amount, self.forward(limit))
        spacing = pool.tick_spacing
        cell = pool.tick // spacing * spacing
        # Grid line 0 is the end of the current cell that lies behind the price, line 1 the one ahead.
        self.grid_base = cell + spacing if zero_for_one else cell
        self.grid_step = -spacing if zero_for_one else spacing

    def forward(self, sqrt_price_x96: int) -> float:
        """Return s for a pool's sqrt price."""
        return _Q96 / sqrt_price_x96 if self.zero_for_one else sqrt_price_x96 / _Q96

    def at_tick(self, tick: int) -> float:
        """Return s at a tick."""
        return self.forward(get_sqrt_ratio_at_tick(tick))

    def grid_tick(self, line: int) -> int:
        """Return the tick of a grid line (lines count in the swap's direction), kept to the usable ticks."""
        spacing = self.pool.tick_spacing
        tick = self.grid_base + line * self.grid_step
        return min(max(tick, -(-MIN_TICK // spacing) * spacing), MAX_TICK // spacing * spacing)

    def cells(self) -> int:
        """Return the number of the first grid line at or beyond the end of the swap (1 at least)."""
        low, high = 0, 1
        while self.at_tick(self.grid_tick(high)) < self.end and self.grid_tick(high) != self.grid_tick(
            high + 1
        ):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            if self.at_tick(self.grid_tick(middle)) < self.end:
                low = middle
            else:
                high = middle
        return high

    def segment_at(self, s: float) -> int:
        """Return the index of the segment that holds s."""
        return max(bisect_right(self.starts, s) - 1, 0)

    def left_at(self, s: float) -> float:
        """Return what remains of the swap at s, were we not there."""
        index = self.segment_at(s)
        return self.left_in(index, s)

    def left_in(self, index: int, s: float) -> float:
        """Return what remains at s in segment `index`."""
        start, liquidity = self.starts[index], self.liquidities[index]
        if self.exact_in:
            return self.remaining[index] - liquidity * (s - start)
        return self.remaining[index] - liquidity * (s - start) / (s * start)

    def _follow(self, amount: float, limit: float) -> float:
        pool = self.pool
        ordered = pool.ticks.ordered
        down = self.zero_for_one
        index = bisect_right(ordered, pool.tick) - (1 if down else 0)
        step = -1 if down else 1
        liquidity, s = pool.liquidity, self.start
        exact_in = self.exact_in
        for _ in range(_MAX_SEGMENTS):
            known = 0 <= index < len(ordered)
            boundary = min(self.at_tick(ordered[index]), limit) if known else limit
            depth = float(liquidity)
            self.starts.append(s)
            self.liquidities.append(depth)
            self.remaining.append(amount)
            if not liquidity:
                end = inf
            elif exact_in:
                end = s + amount / depth
            else:
                inverse = 1.0 / s - amount / depth
                end = 1.0 / inverse if inverse > 0.0 else inf
            self.virtual_ends.append(end)
            if end <= boundary:
                return end
            if boundary >= limit:
                return limit
            amount -= depth * (boundary - s) if exact_in else depth * (boundary - s) / (boundary * s)
            amount = max(amount, 0.0)
            net = pool.ticks[ordered[index]].liquidity_net
            liquidity += -net if down else net
            s = boundary
            index += step
        return s
