"""The best profit that any range and size can make, by trying them on the exact simulator.

Independent of the strategy's own search: it knows no closed form and no regimes, only `jit_swap`, the caps
and the mark. Every range of one to `max_width` spacings around the whole way of the swap (two cells of margin
on either side), a geometric grid of sizes up to the caps, then golden-section search around the best of each
of the most promising ranges.
"""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

from strategy_cases import WETH, SwapCase

from jitctl.amm.jit import jit_swap
from jitctl.amm.liquidity_math import liquidity_for_amounts
from jitctl.amm.revert import PoolReverts
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick

GRID_SIZES = 30
REFINED_RANGES = 10
REFINED_STEPS = 28
GOLDEN = (sqrt(5) - 1) / 2


class BruteForce:
    def __init__(
        self, case: SwapCase, *, gas_wei_per_new_tick: int = 0, max_width: int = 4, max_cells: int = 24
    ) -> None:
        self.case = case
        self.pool = case.pool
        self.max_width = max_width
        self.max_cells = max_cells
        self.gas_wei_per_new_tick = gas_wei_per_new_tick
        mark = case.marks.weth_wei_per_base_unit[case.spec.quote_token.address]
        self.mark0, self.mark1 = (Fraction(1), mark) if case.spec.weth_is_token0 else (mark, Fraction(1))
        self.cap0 = case.capital.available[case.spec.token0.address] - 1
        self.cap1 = case.capital.available[case.spec.token1.address] - 1
        price = Fraction(case.pool.sqrt_price_x96**2, 1 << 192)
        self.spot0, self.spot1 = (
            (Fraction(1), 1 / price) if case.spec.weth_is_token0 else (price, Fraction(1))
        )
        assert WETH.address in (case.spec.token0.address, case.spec.token1.address)

    def value(self, lower: int, upper: int, liquidity: int) -> int | None:
        """Value in WETH wei before gas, less the cost of the ticks that are new."""
        case = self.case
        if liquidity < 1:
            return None
        try:
            out = jit_swap(
                self.pool,
                lower,
                upper,
                liquidity,
                case.zero_for_one,
                case.amount_specified,
                case.sqrt_price_limit_x96,
            )
        except PoolReverts:
            return None
        if out.minted0 > max(self.cap0, 0) or out.minted1 > max(self.cap1, 0):
            return None
        if out.minted0 * self.spot0 + out.minted1 * self.spot1 > case.max_notional_wei:
            return None
        gained = (out.burned0 + out.fees0 - out.minted0) * self.mark0
        gained += (out.burned1 + out.fees1 - out.minted1) * self.mark1
        new_ticks = (lower not in self.pool.ticks) + (upper not in self.pool.ticks)
        return gained.__floor__() - new_ticks * self.gas_wei_per_new_tick

    def most(self, lower: int, upper: int) -> int:
        a, b = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
        most = liquidity_for_amounts(self.pool.sqrt_price_x96, a, b, max(self.cap0, 0), max(self.cap1, 0))
        most = min(most, 10**33)
        probe = 10**24
        price = self.pool.sqrt_price_x96
        low, high = min(max(price, a), b), b
        amount0 = Fraction(probe * (1 << 96) * (high - low), low * high)
        amount1 = Fraction(probe * (low - a), 1 << 96)
        each = amount0 * self.spot0 + amount1 * self.spot1
        if each:
            most = min(most, int(Fraction(self.case.max_notional_wei * probe) / each))
        return most

    def ranges(self) -> list[tuple[int, int]]:
        case, spacing = self.case, self.pool.tick_spacing
        end = self.pool.swap(case.zero_for_one, case.amount_specified, case.sqrt_price_limit_x96).tick
        first = min(self.pool.tick, end) // spacing - 2
        last = max(self.pool.tick, end) // spacing + 3
        cells = range(first, last)
        if len(cells) > self.max_cells:
            # A long way: both ends of it whole, and every third cell between.
            cells = sorted({*range(first, first + 7), *range(last - 9, last), *range(first, last, 3)})
        return [
            (cell * spacing, (cell + width) * spacing)
            for cell in cells
            for width in range(1, self.max_width + 1)
        ]

    def best(self) -> tuple[int, int, int, int]:
        """(value, lower, upper, liquidity); value 0 when nothing gains."""
        rough = []
        for lower, upper in self.ranges():
            most = self.most(lower, upper)
            if most < 1:
                continue
            tried = []
            for step in range(GRID_SIZES):
                liquidity = int(most * 10 ** (-0.25 * step)) if step else most
                value = self.value(lower, upper, liquidity)
                if value is not None:
                    tried.append((value, liquidity))
            if tried:
                value, liquidity = max(tried)
                rough.append((value, lower, upper, liquidity, most))
        if not rough:
            return 0, 0, 0, 0
        rough.sort(reverse=True)
        return max((0, 0, 0, 0), max(self._refine(*one) for one in rough[:REFINED_RANGES]))

    def _refine(
        self, value: int, lower: int, upper: int, liquidity: int, most: int
    ) -> tuple[int, int, int, int]:
        best = (value, lower, upper, liquidity)
        low, high = liquidity / 10**0.25, min(liquidity * 10**0.25, most)

        def worth(size: float) -> int:
            nonlocal best
            got = self.value(lower, upper, int(size))
            if got is None:
                return -(10**40)
            best = max(best, (got, lower, upper, int(size)))
            return got

        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        worth_left, worth_right = worth(left), worth(right)
        for _ in range(REFINED_STEPS):
            if worth_left > worth_right:
                high, right, worth_right = right, left, worth_left
                left = high - GOLDEN * (high - low)
                worth_left = worth(left)
            else:
                low, left, worth_left = left, right, worth_right
                right = low + GOLDEN * (high - low)
                worth_right = worth(right)
        return best


class BoundedBruteForce(BruteForce):
    """With the contract's bounds as well: distance from the TWAP, and the worst loss it would reserve.

    It reserves for the worse of two prices: the TWAP and the tick that the block began with.
    """

    def __init__(self, case: SwapCase, twap_tick: int, loss_wei: int, range_ticks: int) -> None:
        super().__init__(case, max_width=8)
        self.twap_tick = twap_tick
        self.loss_wei = loss_wei
        self.range_ticks = range_ticks
        self.loss_sqrts = [get_sqrt_ratio_at_tick(tick) for tick in (twap_tick, self.pool.tick)]

    def most(self, lower: int, upper: int) -> int:
        distance = max(abs(lower - self.twap_tick), abs(upper - self.twap_tick))
        if distance > self.range_ticks:
            return 0
        most = super().most(lower, upper)
        probe = 10**24
        for mark in self.loss_sqrts:
            # Worth least where the pool's price stands at the mark, or at the range's edge next to it.
            minted = self._worth(lower, upper, probe, self.pool.sqrt_price_x96, mark)
            lost = minted - self._worth(lower, upper, probe, mark, mark)
            if lost > 0:
                most = min(most, int(Fraction(self.loss_wei * probe) / lost))
        return most

    def _worth(self, lower: int, upper: int, liquidity: int, sqrt_price_x96: int, mark_x96: int) -> Fraction:
        """What a position is worth at a mark while the pool stands at another price, in WETH wei."""
        price = Fraction(mark_x96**2, 1 << 192)
        worth0, worth1 = (Fraction(1), 1 / price) if self.case.spec.weth_is_token0 else (price, Fraction(1))
        a, b = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
        at = min(max(sqrt_price_x96, a), b)
        amount0 = Fraction(liquidity * (1 << 96) * (b - at), at * b)
        amount1 = Fraction(liquidity * (at - a), 1 << 96)
        return amount0 * worth0 + amount1 * worth1


class ExistingTicks(BruteForce):
    """With every range between two ticks that exist, or between one and a cell on the way."""

    def ranges(self) -> list[tuple[int, int]]:
        near = super().ranges()
        existing = list(self.pool.ticks)
        cells = {tick for ends in near for tick in ends}
        pairs = [(low, high) for low in existing for high in existing]
        pairs += [(low, high) for low in existing for high in cells]
        pairs += [(low, high) for low in cells for high in existing]
        return sorted({*near, *(pair for pair in pairs if pair[0] < pair[1])})
