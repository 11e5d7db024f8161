"""Tick and price conversions, read off the contract's `initialize`."""

from __future__ import annotations

from random import Random

import pytest
from contract_matrix import FULL
from real_pool import RealUniswap, Reverted

from jitctl.amm.revert import PoolReverts
from jitctl.amm.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
)

SEED = 3
COUNT = 20_000 if FULL else 1000


def test_prices_and_ticks_are_the_contracts(uniswap: RealUniswap) -> None:
    """The least price of a tick and the price below it, at bounds, powers of two and random ticks."""
    print("seed", SEED)
    rng = Random(SEED)
    ticks = {MIN_TICK, MIN_TICK + 1, -1, 0, 1, MAX_TICK - 1, MAX_TICK}
    ticks |= {sign << bit for bit in range(20) for sign in (1, -1)}
    ticks |= {rng.randint(MIN_TICK, MAX_TICK) for _ in range(COUNT)}
    prices = {rng.randint(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1) >> rng.randint(0, 120) for _ in range(COUNT)}
    prices |= {get_sqrt_ratio_at_tick(tick) for tick in ticks} | {MAX_SQRT_RATIO - 1}
    prices |= {price - 1 for price in prices}
    real = uniswap.new_pool(500, 0)
    for price in sorted(prices):
        if not MIN_SQRT_RATIO <= price < MAX_SQRT_RATIO:
            continue
        blank = uniswap.evm.snapshot()
        real.initialize(price)
        assert real.slot0()[1] == get_tick_at_sqrt_ratio(price), price
        uniswap.evm.revert(blank)
    for tick in ticks - {MAX_TICK, MIN_TICK}:
        # With the contract agreeing on both sides above, this pins the ratio itself to the last bit.
        assert get_tick_at_sqrt_ratio(get_sqrt_ratio_at_tick(tick)) == tick
        assert get_tick_at_sqrt_ratio(get_sqrt_ratio_at_tick(tick) - 1) == tick - 1


@pytest.mark.parametrize("price", [0, MIN_SQRT_RATIO - 1, MAX_SQRT_RATIO, 2**160 - 1])
def test_prices_outside_the_bounds_are_refused_alike(uniswap: RealUniswap, price: int) -> None:
    real = uniswap.new_pool(500, 0)
    with pytest.raises(Reverted, match=r"^R$"):
        real.initialize(price)
    with pytest.raises(PoolReverts, match=r"^R:"):
        get_tick_at_sqrt_ratio(price)
