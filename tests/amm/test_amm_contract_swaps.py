"""Random swaps on random pools: every number equal to the contract's, one after another."""

from __future__ import annotations

from random import Random

from contract_matrix import build, each_pool
from random_pools import random_fee_protocol, random_swap
from real_pool import RealUniswap

from jitctl.amm.full_math import Q128
from jitctl.amm.swap_loop import swap_reference

SWAPS_PER_POOL = 120  # 24 pools: 2,880 swaps


@each_pool
def test_swaps_equal_the_contract_to_the_wei(
    uniswap: RealUniswap, shape: str, fee_pips: int, seed: int
) -> None:
    rng = Random(seed)
    real, ours, _ = build(uniswap, shape, fee_pips, rng)
    protocol_fees = [0, 0]
    for turn in range(SWAPS_PER_POOL):
        if turn % 20 == 10:
            shares = random_fee_protocol(rng)
            real.set_fee_protocol(*shares)
            ours = ours.with_fee_protocol(shares[0] | shares[1] << 4)
        swap = random_swap(rng, ours)

        expected = real.swap(*swap)
        result = ours.swap(*swap)

        token_in = not swap.zero_for_one
        protocol_fees[token_in] = (protocol_fees[token_in] + result.protocol_fee) % Q128
        where = f"turn {turn}: {swap} on {ours}"
        assert (result.amount0, result.amount1) == expected[:2], where
        assert (*result[2:5], *protocol_fees) == expected.state, where
        assert result == swap_reference(ours, *swap), where
        ours = ours.with_swap(*result[2:5])
    assert ours == real.snapshot(ours.ticks)
