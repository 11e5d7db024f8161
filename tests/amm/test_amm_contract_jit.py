"""Mint, swap, burn and collect in one go: every number equal to the contract's."""

from __future__ import annotations

from random import Random

from contract_matrix import build, each_pool
from random_pools import random_fee_protocol, random_range, random_swap
from real_pool import RealUniswap

from jitctl.amm.full_math import Q128
from jitctl.amm.jit import jit_swap

CASES_PER_POOL = 50  # 24 pools: 1,200 cases


@each_pool
def test_jit_swaps_equal_the_contract_to_the_wei(
    uniswap: RealUniswap, shape: str, fee_pips: int, seed: int
) -> None:
    rng = Random(1_000_000 + seed)
    real, ours, _ = build(uniswap, shape, fee_pips, rng)
    protocol_fees = [0, 0]
    for turn in range(CASES_PER_POOL):
        if turn % 10 == 5:
            shares = random_fee_protocol(rng)
            real.set_fee_protocol(*shares)
            ours = ours.with_fee_protocol(shares[0] | shares[1] << 4)
        swap = random_swap(rng, ours)
        position = random_range(rng, ours, swap)

        expected = real.jit(*position, *swap)
        outcome = jit_swap(ours, *position, *swap)

        where = f"turn {turn}: {position} around {swap} on {ours}"
        result = outcome.swap
        token_in = not swap.zero_for_one
        protocol_fees[token_in] = (protocol_fees[token_in] + result.protocol_fee) % Q128
        assert (outcome.minted0, outcome.minted1) == (expected.minted0, expected.minted1), where
        assert (result.amount0, result.amount1) == (expected.amount0, expected.amount1), where
        assert result.liquidity == expected.liquidity_inside, where
        assert (outcome.burned0, outcome.burned1) == (expected.burned0, expected.burned1), where
        # What is owed is a uint128: at prices near the bounds the contract itself loses what is above.
        assert (outcome.burned0 + outcome.fees0) % Q128 == expected.collected0, where
        assert (outcome.burned1 + outcome.fees1) % Q128 == expected.collected1, where
        ours = ours.with_swap(result.sqrt_price_x96, result.tick, ours.ticks.liquidity_at(result.tick))
        assert (ours.sqrt_price_x96, ours.tick, ours.liquidity, *protocol_fees) == expected.state, where
    assert ours == real.snapshot({*ours.ticks, *position[:2]})
