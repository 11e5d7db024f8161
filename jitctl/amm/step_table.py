"""Swap steps worked out ahead: whole steps do not depend on where a swap started, so they are summed once.

In one direction the places where steps end are fixed: initialised ticks and the edges of bitmap words. What a
whole step between two of them takes and gives, with each rounding of the contract's, is kept as prefix sums.
A swap then computes only its first and its last step; the whole steps between are found by bisection.

Both directions keep their boundaries in ascending order. Beyond the outermost initialised ticks there is no
liquidity, steps move nothing, and nothing needs to be kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from jitctl.amm.swap_math import ONE_IN_PIPS, compute_swap_step
from jitctl.amm.tick_bitmap import WORD_BITS, is_word_edge
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio
from jitctl.amm.tick_table import TickTable


class Leg(NamedTuple):
    """A run of steps: where it ended and what it moved (`spent` includes the fees)."""

    sqrt_price_x96: int
    tick: int
    liquidity: int
    spent: int
    received: int
    protocol_fee: int
    ticks_crossed: int


class StepTable:
    """All whole steps in one direction. Immutable once built; shared by every snapshot with these ticks.

    Step i lies between boundaries i and i + 1, at `liquidity[i]`. `spent_before[i]` and `received_before[i]`
    sum steps 0..i-1, `initialized_before[i]` counts initialised boundaries among 0..i-1.
    """

    __slots__ = (
        "_protocol_before",
        "bounds",
        "fee_pips",
        "fees",
        "initialized_before",
        "liquidity",
        "received",
        "received_before",
        "spent",
        "spent_before",
        "sqrt_prices",
        "ticks",
        "zero_for_one",
    )

    def __init__(self, ticks: TickTable, fee_pips: int, zero_for_one: bool) -> None:
        self.ticks = ticks
        self.fee_pips = fee_pips
        self.zero_for_one = zero_for_one
        self.bounds = _boundaries(ticks.ordered, ticks.tick_spacing, zero_for_one)
        self.sqrt_prices = [get_sqrt_ratio_at_tick(tick) for tick in self.bounds]
        self.liquidity = [ticks.liquidity_at(tick) for tick in self.bounds[:-1]]
        self.spent, self.received, self.fees = _whole_steps(
            self.sqrt_prices, self.liquidity, fee_pips, zero_for_one
        )
        self.spent_before = list(accumulate(self.spent, initial=0))
        self.received_before = list(accumulate(self.received, initial=0))
        self.initialized_before = list(accumulate((tick in ticks for tick in self.bounds), initial=0))
        self._protocol_before: dict[int, list[int]] = {}

    def run(
        self,
        sqrt_price_x96: int,
        tick: int,
        liquidity: int,
        remaining: int,
        exact_in: bool,
        limit_x96: int,
        protocol_share: int,
    ) -> Leg:
        """Swap from a state until `remaining` (positive) is used up or the price is at the limit.

        The limit is strictly on the swap's side of the price. A leg that ends on a boundary has crossed it.
        """
        if self.zero_for_one:
            return self._run_down(
                sqrt_price_x96, tick, liquidity, remaining, exact_in, limit_x96, protocol_share
            )
        return self._run_up(sqrt_price_x96, tick, liquidity, remaining, exact_in, limit_x96, protocol_share)

    def _run_down(
        self,
        price: int,
        tick: int,
        liquidity: int,
        remaining: int,
        exact_in: bool,
        limit: int,
        share: int,
    ) -> Leg:
        bounds, prices = self.bounds, self.sqrt_prices
        first = bisect_right(bounds, tick) - 1
        if first < 0:
            return Leg(limit, self._tick_outside(limit), 0, 0, 0, 0, 0)
        boundary = prices[first]
        at, spent, received, fee = compute_swap_step(
            price,
            boundary if boundary > limit else limit,
            liquidity,
            remaining if exact_in else -remaining,
            self.fee_pips,
        )
        spent += fee
        protocol = fee // share if share else 0
        if at != boundary:
            if at == price:
                end_tick = tick
            elif first == len(bounds) - 1:
                end_tick = self._tick_outside(at)
            else:
                end_tick = get_tick_at_sqrt_ratio(at)
            return Leg(at, end_tick, liquidity, spent, received, protocol, 0)
        remaining -= spent if exact_in else received

        lowest = 0 if limit <= prices[0] else bisect_left(prices, limit, 0, first)
        last = first
        if remaining:
            before = self.spent_before if exact_in else self.received_before
            wanted = before[first] - remaining
            reach = bisect_right(before, wanted, 0, first) - 1
            last = reach if reach >= lowest and before[reach] == wanted else max(reach + 1, lowest)
            if last < first:
                spent += self.spent_before[first] - self.spent_before[last]
                received += self.received_before[first] - self.received_before[last]
                if share:
                    protocol_before = self.protocol_before(share)
                    protocol += protocol_before[first] - protocol_before[last]
                remaining = before[last] - wanted
        crossed = self.initialized_before[first + 1] - self.initialized_before[last]
        liquidity = self.liquidity[last - 1] if last else 0
        at = prices[last]
        if not remaining or at == limit:
            return Leg(at, bounds[last] - 1, liquidity, spent, received, protocol, crossed)
        if not last:
            return Leg(limit, self._tick_outside(limit), 0, spent, received, protocol, crossed)

        boundary = prices[last - 1]
        end, step_spent, step_received, fee = compute_swap_step(
            at,
            boundary if boundary > limit else limit,
            liquidity,
            remaining if exact_in else -remaining,
            self.fee_pips,
        )
        if share:
            protocol += fee // share
        if end == boundary:
            crossed += self.initialized_before[last] - self.initialized_before[last - 1]
            liquidity = self.liquidity[last - 2] if last > 1 else 0
            end_tick = bounds[last - 1] - 1
        else:
            end_tick = bounds[last] - 1 if end == at else get_tick_at_sqrt_ratio(end)
        return Leg(
            end, end_tick, liquidity, spent + step_spent + fee, received + step_received, protocol, crossed
        )

    def _run_up(
        self,
        price: int,
        tick: int,
        liquidity: int,
        remaining: int,
        exact_in: bool,
        limit: int,
        share: int,
    ) -> Leg:
        bounds, prices = self.bounds, self.sqrt_prices
        first = bisect_right(bounds, tick)
        top = len(bounds) - 1
        if first > top:
            return Leg(limit, self._tick_outside(limit), 0, 0, 0, 0, 0)
        boundary = prices[first]
        at, spent, received, fee = compute_swap_step(
            price,
            boundary if boundary < limit else limit,
            liquidity,
            remaining if exact_in else -remaining,
            self.fee_pips,
        )
        spent += fee
        protocol = fee // share if share else 0
        if at != boundary:
            end_tick = tick if at == price else get_tick_at_sqrt_ratio(at)
            return Leg(at, end_tick, liquidity, spent, received, protocol, 0)
        remaining -= spent if exact_in else received

        highest = top if limit >= prices[top] else bisect_right(prices, limit, first) - 1
        last = first
        if remaining:
            before = self.spent_before if exact_in else self.received_before
            wanted = before[first] + remaining
            reach = bisect_left(before, wanted, first + 1)
            last = reach if reach <= highest and before[reach] == wanted else min(reach - 1, highest)
            if last > first:
                spent += self.spent_before[last] - self.spent_before[first]
                received += self.received_before[last] - self.received_before[first]
                if share:
                    protocol_before = self.protocol_before(share)
                    protocol += protocol_before[last] - protocol_before[first]
                remaining = wanted - before[last]
        crossed = self.initialized_before[last + 1] - self.initialized_before[first]
        liquidity = self.liquidity[last] if last < top else 0
        at = prices[last]
        if not remaining or at == limit:
            return Leg(at, bounds[last], liquidity, spent, received, protocol, crossed)
        if last == top:
            return Leg(limit, self._tick_outside(limit), 0, spent, received, protocol, crossed)

        boundary = prices[last + 1]
        end, step_spent, step_received, fee = compute_swap_step(
            at,
            boundary if boundary < limit else limit,
            liquidity,
            remaining if exact_in else -remaining,
            self.fee_pips,
        )
        if share:
            protocol += fee // share
        if end == boundary:
            crossed += self.initialized_before[last + 2] - self.initialized_before[last + 1]
            liquidity = self.liquidity[last + 1] if last + 1 < top else 0
            end_tick = bounds[last + 1]
        else:
            end_tick = bounds[last] if end == at else get_tick_at_sqrt_ratio(end)
        return Leg(
            end, end_tick, liquidity, spent + step_spent + fee, received + step_received, protocol, crossed
        )

    def protocol_before(self, share: int) -> list[int]:
        """Return prefix sums of the protocol's part of each whole step's fee; kept per denominator."""
        sums = self._protocol_before.get(share)
        if sums is None:
            sums = list(accumulate((fee // share for fee in self.fees), initial=0))
            self._protocol_before[share] = sums
        return sums

    def _tick_outside(self, limit: int) -> int:
        """Return the tick after stopping at a limit where there is no liquidity: word edges are crossed."""
        tick = get_tick_at_sqrt_ratio(limit)
        if (
            self.zero_for_one
            and is_word_edge(tick, self.ticks.tick_spacing, True)
            and get_sqrt_ratio_at_tick(tick) == limit
        ):
            return tick - 1
        return tick


def _boundaries(ordered: Sequence[int], tick_spacing: int, zero_for_one: bool) -> list[int]:
    """Return the sorted ends of steps from the lowest to the highest initialised tick."""
    if not ordered:
        return []
    word_ticks = WORD_BITS * tick_spacing
    edge = 0 if zero_for_one else word_ticks - tick_spacing
    lowest, highest = ordered[0], ordered[-1]
    first_edge = lowest + (edge - lowest) % word_ticks
    return sorted({*ordered, *range(first_edge, highest, word_ticks)})


def _whole_steps(
    sqrt_prices: Sequence[int], liquidity: Sequence[int], fee_pips: int, zero_for_one: bool
) -> tuple[list[int], list[int], list[int]]:
    """Return (spent, received, fee) of the steps between consecutive prices, rounded as on chain."""
    spent, received, fees = [], [], []
    kept_pips = ONE_IN_PIPS - fee_pips
    low = sqrt_prices[0] if sqrt_prices else 0
    for active, high in zip(liquidity, sqrt_prices[1:], strict=True):
        token1 = active * (high - low)
        token0 = token1 << 96
        if zero_for_one:
            amount_in = -(-token0 // (low * high))
            received.append(token1 >> 96)
        else:
            amount_in = -(-token1 >> 96)
            received.append(token0 // (low * high))
        fee = -(-amount_in * fee_pips // kept_pips)
        spent.append(amount_in + fee)
        fees.append(fee)
        low = high
    return spent, received, fees
