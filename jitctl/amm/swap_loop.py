"""The swap as the contract does it, step by step and word by word.

This is the slow mirror: `Pool.swap` and `jit_swap` must equal it, and it must equal the contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from jitctl.amm.liquidity_math import add_delta
from jitctl.amm.swap_math import check_swap, compute_swap_step, protocol_share
from jitctl.amm.swap_result import SwapResult
from jitctl.amm.tick_bitmap import build_bitmap, next_initialized_tick_within_one_word
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio

if TYPE_CHECKING:
    from jitctl.amm.pool import Pool


class Step(NamedTuple):
    """One step: what moved at `liquidity` from `tick_before`, and the state after it.

    `fee_amount` is the whole fee, `protocol_fee` the protocol's part of it.
    """

    tick_before: int
    liquidity: int
    amount_in: int
    amount_out: int
    fee_amount: int
    protocol_fee: int
    sqrt_price_x96: int
    tick: int
    liquidity_after: int
    crossed: bool


def swap_steps(
    pool: Pool, zero_for_one: bool, amount_specified: int, sqrt_price_limit_x96: int = 0
) -> Iterator[Step]:
    """Yield every step of the swap, in the contract's order."""
    limit = check_swap(pool.sqrt_price_x96, zero_for_one, amount_specified, sqrt_price_limit_x96)
    bitmap = build_bitmap(pool.ticks, pool.tick_spacing)
    share = protocol_share(pool.fee_protocol, zero_for_one)
    price, tick, liquidity = pool.sqrt_price_x96, pool.tick, pool.liquidity
    remaining = amount_specified
    while remaining and price != limit:
        next_tick, initialized = next_initialized_tick_within_one_word(
            bitmap, tick, pool.tick_spacing, zero_for_one
        )
        next_tick = min(max(next_tick, MIN_TICK), MAX_TICK)
        next_price = get_sqrt_ratio_at_tick(next_tick)
        target = max(next_price, limit) if zero_for_one else min(next_price, limit)
        start_price, start_tick, start_liquidity = price, tick, liquidity
        price, amount_in, amount_out, fee = compute_swap_step(
            price, target, liquidity, remaining, pool.fee_pips
        )
        remaining += -(amount_in + fee) if amount_specified > 0 else amount_out
        crossed = price == next_price and initialized
        if price == next_price:
            if initialized:
                net = pool.ticks[next_tick].liquidity_net
                liquidity = add_delta(liquidity, -net if zero_for_one else net)
            tick = next_tick - 1 if zero_for_one else next_tick
        elif price != start_price:
            tick = get_tick_at_sqrt_ratio(price)
        yield Step(
            start_tick,
            start_liquidity,
            amount_in,
            amount_out,
            fee,
            fee // share if share else 0,
            price,
            tick,
            liquidity,
            crossed,
        )


def swap_reference(
    pool: Pool, zero_for_one: bool, amount_specified: int, sqrt_price_limit_x96: int = 0
) -> SwapResult:
    """Return what `Pool.swap` returns, from the plain loop."""
    spent = received = crossed = protocol_fee = 0
    step = None
    for step in swap_steps(pool, zero_for_one, amount_specified, sqrt_price_limit_x96):
        spent += step.amount_in + step.fee_amount
        received += step.amount_out
        protocol_fee += step.protocol_fee
        crossed += step.crossed
    assert step is not None  # check_swap refuses a zero amount and a limit at the price
    amount0, amount1 = (spent, -received) if zero_for_one else (-received, spent)
    return SwapResult(
        amount0, amount1, step.sqrt_price_x96, step.tick, step.liquidity_after, crossed, protocol_fee
    )
