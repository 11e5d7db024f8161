"""A swap on a `StepTable`: the first and the last step exactly, the whole steps between by bisection.

As in the contract, a swap stops as soon as nothing remains: not one further step is taken, not even one that
would move nothing. That decides the final tick where there is no liquidity.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from jitctl.amm.step_table import StepTable
from jitctl.amm.swap_math import compute_swap_step
from jitctl.amm.tick_bitmap import is_word_edge
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio


class Leg(NamedTuple):
    """A run of steps: where it ended and what it moved (`spent` includes the fees)."""

    sqrt_price_x96: int
    tick: int
    liquidity: int
    spent: int
    received: int
    protocol_fee: int
    ticks_crossed: int


def run_on_table(
    table: StepTable,
    sqrt_price_x96: int,
    tick: int,
    liquidity: int,
    remaining: int,
    exact_in: bool,
    limit_x96: int,
    protocol_share: int,
) -> Leg:
    """Swap from a state until `remaining` (positive) is used up or the price is at the limit.

    The direction is the table's; the limit is strictly on that side of the price. A leg that ends on the end
    of a step has crossed it.
    """
    run = _run_down if table.zero_for_one else _run_up
    return run(table, sqrt_price_x96, tick, liquidity, remaining, exact_in, limit_x96, protocol_share)


def _run_down(
    table: StepTable,
    price: int,
    tick: int,
    liquidity: int,
    remaining: int,
    exact_in: bool,
    limit: int,
    share: int,
) -> Leg:
    bounds, prices = table.bounds, table.sqrt_prices
    first = bisect_right(bounds, tick) - 1
    if first < 0:
        return Leg(limit, _tick_outside(table, limit), 0, 0, 0, 0, 0)
    boundary = prices[first]
    at, spent, received, fee = compute_swap_step(
        price,
        boundary if boundary > limit else limit,
        liquidity,
        remaining if exact_in else -remaining,
        table.fee_pips,
    )
    spent += fee
    protocol = fee // share if share else 0
    if at != boundary:
        if at == price:
            end_tick = tick
        elif first == len(bounds) - 1:
            end_tick = _tick_outside(table, at)
        else:
            end_tick = get_tick_at_sqrt_ratio(at)
        return Leg(at, end_tick, liquidity, spent, received, protocol, 0)
    remaining -= spent if exact_in else received

    lowest = 0 if limit <= prices[0] else bisect_left(prices, limit, 0, first)
    last = first
    if remaining:
        before = table.spent_before if exact_in else table.received_before
        wanted = before[first] - remaining
        reach = bisect_right(before, wanted, 0, first) - 1
        last = reach if reach >= lowest and before[reach] == wanted else max(reach + 1, lowest)
        if last < first:
            spent += table.spent_before[first] - table.spent_before[last]
            received += table.received_before[first] - table.received_before[last]
            if share:
                protocol_before = table.protocol_before(share)
                protocol += protocol_before[first] - protocol_before[last]
            remaining = before[last] - wanted
    crossed = table.initialized_before[first + 1] - table.initialized_before[last]
    liquidity = table.liquidity[last - 1] if last else 0
    at = prices[last]
    if not remaining or at == limit:
        return Leg(at, bounds[last] - 1, liquidity, spent, received, protocol, crossed)
    if not last:
        return Leg(limit, _tick_outside(table, limit), 0, spent, received, protocol, crossed)

    boundary = prices[last - 1]
    end, step_spent, step_received, fee = compute_swap_step(
        at,
        boundary if boundary > limit else limit,
        liquidity,
        remaining if exact_in else -remaining,
        table.fee_pips,
    )
    if share:
        protocol += fee // share
    if end == boundary:
        crossed += table.initialized_before[last] - table.initialized_before[last - 1]
        liquidity = table.liquidity[last - 2] if last > 1 else 0
        end_tick = bounds[last - 1] - 1
    else:
        end_tick = bounds[last] - 1 if end == at else get_tick_at_sqrt_ratio(end)
    return Leg(
        end, end_tick, liquidity, spent + step_spent + fee, received + step_received, protocol, crossed
    )


def _run_up(
    table: StepTable,
    price: int,
    tick: int,
    liquidity: int,
    remaining: int,
    exact_in: bool,
    limit: int,
    share: int,
) -> Leg:
    bounds, prices = table.bounds, table.sqrt_prices
    first = bisect_right(bounds, tick)
    top = len(bounds) - 1
    if first > top:
        return Leg(limit, _tick_outside(table, limit), 0, 0, 0, 0, 0)
    boundary = prices[first]
    at, spent, received, fee = compute_swap_step(
        price,
        boundary if boundary < limit else limit,
        liquidity,
        remaining if exact_in else -remaining,
        table.fee_pips,
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
        before = table.spent_before if exact_in else table.received_before
        wanted = before[first] + remaining
        reach = bisect_left(before, wanted, first + 1)
        last = reach if reach <= highest and before[reach] == wanted else min(reach - 1, highest)
        if last > first:
            spent += table.spent_before[last] - table.spent_before[first]
            received += table.received_before[last] - table.received_before[first]
            if share:
                protocol_before = table.protocol_before(share)
                protocol += protocol_before[last] - protocol_before[first]
            remaining = wanted - before[last]
    crossed = table.initialized_before[last + 1] - table.initialized_before[first]
    liquidity = table.liquidity[last] if last < top else 0
    at = prices[last]
    if not remaining or at == limit:
        return Leg(at, bounds[last], liquidity, spent, received, protocol, crossed)
    if last == top:
        return Leg(limit, _tick_outside(table, limit), 0, spent, received, protocol, crossed)

    boundary = prices[last + 1]
    end, step_spent, step_received, fee = compute_swap_step(
        at,
        boundary if boundary < limit else limit,
        liquidity,
        remaining if exact_in else -remaining,
        table.fee_pips,
    )
    if share:
        protocol += fee // share
    if end == boundary:
        crossed += table.initialized_before[last + 2] - table.initialized_before[last + 1]
        liquidity = table.liquidity[last + 1] if last + 1 < top else 0
        end_tick = bounds[last + 1]
    else:
        end_tick = bounds[last] if end == at else get_tick_at_sqrt_ratio(end)
    return Leg(
        end, end_tick, liquidity, spent + step_spent + fee, received + step_received, protocol, crossed
    )


def _tick_outside(table: StepTable, limit: int) -> int:
    """Return the tick after stopping at a limit where there is no liquidity: word edges are crossed."""
    tick = get_tick_at_sqrt_ratio(limit)
    if (
        table.zero_for_one
        and is_word_edge(tick, table.tick_spacing, True)
        and get_sqrt_ratio_at_tick(tick) == limit
    ):
        return tick - 1
    return tick
