"""Swap steps worked out ahead: whole steps do not depend on where a swap started, so they are summed once.

In one direction the places where steps end are fixed: initialised ticks and the edges of bitmap words. What a
whole step between two of them takes and gives, with each rounding of the contract's, is kept as prefix sums.
A swap then computes only its first and its last step.

Both directions keep their boundaries in ascending order. Beyond the outermost initialised ticks there is no
liquidity, steps move nothing, and nothing needs to be kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import add, mul

from jitctl.amm.swap_math import ONE_IN_PIPS
from jitctl.amm.tick_bitmap import WORD_BITS
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick
from jitctl.amm.tick_table import TickTable


class StepTable:
    """All whole steps in one direction. Immutable once built; shared by every snapshot with these ticks.

    Step i lies between boundaries i and i + 1, at `liquidity[i]`. `spent_before[i]` and `received_before[i]`
    sum steps 0..i-1 (`spent` with the fee), `initialized_before[i]` counts initialised boundaries 0..i-1.
    """

    __slots__ = (
        "_protocol_before", "bounds", "fee_pips", "fees", "initialized_before", "liquidity",
        "received_before", "spent_before", "sqrt_prices", "tick_spacing", "zero_for_one",
    )  # fmt: skip

    def __init__(self, tick_spacing: int, fee_pips: int, zero_for_one: bool) -> None:
        """Make the table of a pool without ticks; `build` and `edited` make the others."""
        self.tick_spacing = tick_spacing
        self.fee_pips = fee_pips
        self.zero_for_one = zero_for_one
        self.bounds: list[int] = []
        self.sqrt_prices: list[int] = []
        self.liquidity: list[int] = []
        self.fees: list[int] = []
        self.spent_before = [0]
        self.received_before = [0]
        self.initialized_before = [0]
        self._protocol_before: dict[int, list[int]] = {}

    @classmethod
    def build(cls, ticks: TickTable, fee_pips: int, zero_for_one: bool) -> StepTable:
        """Work out all steps."""
        return cls(ticks.tick_spacing, fee_pips, zero_for_one).edited(ticks, MIN_TICK, MAX_TICK)

    def edited(self, ticks: TickTable, tick_lower: int, tick_upper: int) -> StepTable:
        """Return the table for `ticks`, which differ from this one's only within [lower, upper].

        Only steps that touch the range are worked out; the others and their sums are copied.
        """
        table = StepTable(self.tick_spacing, self.fee_pips, self.zero_for_one)
        if not ticks:
            return table
        if not self.bounds:
            tick_lower, tick_upper = MIN_TICK, MAX_TICK
        else:
            # Where an outermost tick moved, the words' edges between its old and new place come or go.
            for old, new in ((self.bounds[0], ticks.ordered[0]), (self.bounds[-1], ticks.ordered[-1])):
                if old != new:
                    tick_lower, tick_upper = min(tick_lower, old, new), max(tick_upper, old, new)
        below = bisect_left(self.bounds, tick_lower)
        above = bisect_right(self.bounds, tick_upper)
        between = _boundaries(ticks, tick_lower, tick_upper, self.zero_for_one)
        prices = [get_sqrt_ratio_at_tick(tick) for tick in between]
        table.bounds = [*self.bounds[:below], *between, *self.bounds[above:]]
        table.sqrt_prices = [*self.sqrt_prices[:below], *prices, *self.sqrt_prices[above:]]
        # The steps into and out of the range change too: their ends may have moved.
        first = max(below - 1, 0)
        last = min(below + len(between), len(table.bounds) - 1)
        liquidity = ticks.liquidity_from(table.bounds[first:last])
        fees, spent, received = _whole_steps(
            table.sqrt_prices[first : last + 1], liquidity, self.fee_pips, self.zero_for_one
        )
        table.liquidity = [*self.liquidity[:first], *liquidity, *self.liquidity[above:]]
        table.fees = [*self.fees[:first], *fees, *self.fees[above:]]
        table.spent_before = _spliced_sums(self.spent_before, first, spent, above)
        table.received_before = _spliced_sums(self.received_before, first, received, above)
        counts = ticks.count_each(between)
        table.initialized_before = _spliced_sums(self.initialized_before, below, counts, above)
        return table

    def protocol_before(self, share: int) -> list[int]:
        """Return prefix sums of the protocol's part of each whole step's fee; kept per denominator."""
        sums = self._protocol_before.get(share)
        if sums is None:
            sums = list(accumulate([fee // share for fee in self.fees], initial=0))
            self._protocol_before[share] = sums
        return sums


def _boundaries(ticks: TickTable, tick_lower: int, tick_upper: int, zero_for_one: bool) -> list[int]:
    """Return the sorted ends of steps in [lower, upper] between the outermost initialised ticks."""
    ordered = ticks.ordered
    inside = ordered[bisect_left(ordered, tick_lower) : bisect_right(ordered, tick_upper)]
    word_ticks = WORD_BITS * ticks.tick_spacing
    edge = 0 if zero_for_one else word_ticks - ticks.tick_spacing
    lowest = max(tick_lower, ordered[0])
    first_edge = lowest + (edge - lowest) % word_ticks
    edges = range(first_edge, min(tick_upper, ordered[-1]) + 1, word_ticks)
    return sorted({*inside, *edges}) if edges else inside


def _whole_steps(
    sqrt_prices: list[int], liquidity: list[int], fee_pips: int, zero_for_one: bool
) -> tuple[list[int], list[int], list[int]]:
    """Return (fee, spent, received) of whole steps between consecutive prices, as `compute_swap_step` has."""
    kept_pips = ONE_IN_PIPS - fee_pips
    upper_prices = sqrt_prices[1:]
    token1 = [
        active * (high - low) for active, low, high in zip(liquidity, sqrt_prices, upper_prices, strict=False)
    ]
    products = map(mul, sqrt_prices, upper_prices)
    if zero_for_one:
        amounts_in = [
            -(-(amount << 96) // product) for amount, product in zip(token1, products, strict=False)
        ]
        received = [amount >> 96 for amount in token1]
    else:
        amounts_in = [-(-amount >> 96) for amount in token1]
        received = [(amount << 96) // product for amount, product in zip(token1, products, strict=False)]
    fees = [-(-amount * fee_pips // kept_pips) for amount in amounts_in]
    return fees, list(map(add, amounts_in, fees)), received


def _spliced_sums(old: list[int], start: int, values: list[int], resume: int) -> list[int]:
    """Return prefix sums: the old up to `start`, then over `values`, then over old terms from `resume`."""
    sums = [*old[:start], *accumulate(values, initial=old[start])]
    shift = sums[-1] - old[resume] if resume < len(old) else 0
    return [*sums, *[total + shift for total in old[resume + 1 :]]]
