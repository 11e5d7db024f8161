"""Liquidity: its bounds, the amounts it stands for, and the most that given amounts can be."""

from __future__ import annotations

from jitctl.amm.full_math import MAX_UINT128
from jitctl.amm.revert import PoolReverts
from jitctl.amm.sqrt_price_math import get_amount0_delta, get_amount1_delta
from jitctl.amm.tick_math import MAX_TICK


def add_delta(liquidity: int, delta: int) -> int:
    """Return liquidity + delta; `PoolReverts` "LS" below zero, "LA" above a uint128."""
    result = liquidity + delta
    if result < 0:
        raise PoolReverts("LS", f"liquidity {liquidity} cannot lose {-delta}")
    if result > MAX_UINT128:
        raise PoolReverts("LA", f"liquidity {liquidity} cannot gain {delta}")
    return result


def max_liquidity_per_tick(tick_spacing: int) -> int:
    """Return the gross liquidity that one tick may carry, so that the sum over all ticks fits a uint128."""
    highest = MAX_TICK // tick_spacing  # ticks are usable from -highest to highest spacings
    return MAX_UINT128 // (2 * highest + 1)


def amounts_for_liquidity(
    sqrt_price_x96: int, sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity: int, round_up: bool
) -> tuple[int, int]:
    """Return (amount0, amount1) of a position in [a, b]: `round_up` as mint asks, else as burn pays."""
    if sqrt_ratio_a_x96 > sqrt_ratio_b_x96:
        sqrt_ratio_a_x96, sqrt_ratio_b_x96 = sqrt_ratio_b_x96, sqrt_ratio_a_x96
    if sqrt_price_x96 <= sqrt_ratio_a_x96:
        return get_amount0_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity, round_up), 0
    if sqrt_price_x96 < sqrt_ratio_b_x96:
        return (
            get_amount0_delta(sqrt_price_x96, sqrt_ratio_b_x96, liquidity, round_up),
            get_amount1_delta(sqrt_ratio_a_x96, sqrt_price_x96, liquidity, round_up),
        )
    return 0, get_amount1_delta(sqrt_ratio_a_x96, sqrt_ratio_b_x96, liquidity, round_up)


def liquidity_for_amounts(
    sqrt_price_x96: int, sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, amount0: int, amount1: int
) -> int:
    """Return the greatest liquidity whose mint in [a, b] asks for at most `amount0` and `amount1`.

    Exact, unlike the periphery's `LiquidityAmounts`, which rounds an intermediate product down and leaves
    part of the amounts unused. Bounded by a uint128; `PoolReverts("CURVE")` on an empty range.
    """
    if sqrt_ratio_a_x96 > sqrt_ratio_b_x96:
        sqrt_ratio_a_x96, sqrt_ratio_b_x96 = sqrt_ratio_b_x96, sqrt_ratio_a_x96
    if sqrt_ratio_a_x96 == sqrt_ratio_b_x96:
        raise PoolReverts("CURVE", "the range is empty")
    best = MAX_UINT128
    if sqrt_price_x96 < sqrt_ratio_b_x96:
        low = max(sqrt_price_x96, sqrt_ratio_a_x96)
        best = min(best, amount0 * low * sqrt_ratio_b_x96 // ((sqrt_ratio_b_x96 - low) << 96))
    if sqrt_price_x96 > sqrt_ratio_a_x96:
        high = min(sqrt_price_x96, sqrt_ratio_b_x96)
        best = min(best, (amount1 << 96) // (high - sqrt_ratio_a_x96))
    return best
