"""Random sequences of mint, burn, poke, swap and collect: amounts, ticks and fees equal the contract's."""

from __future__ import annotations

from random import Random

import pytest
from contract_matrix import build, each_pool
from random_pools import Position, random_fee_protocol, random_range, random_swap, usable
from real_pool import RealPool, RealUniswap, Reverted

from jitctl.amm.full_math import MAX_UINT256, Q128
from jitctl.amm.liquidity_math import amounts_for_liquidity, max_liquidity_per_tick
from jitctl.amm.pool import Pool
from jitctl.amm.position import fee_growth_inside, fees_owed, position_key
from jitctl.amm.revert import PoolReverts
from jitctl.amm.swap_loop import swap_steps
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick

SEQUENCES_PER_POOL = 25  # 24 pools: 600 sequences


def _amounts(pool: Pool, position: Position, liquidity: int, round_up: bool) -> tuple[int, int]:
    low, high = get_sqrt_ratio_at_tick(position.lower), get_sqrt_ratio_at_tick(position.upper)
    return amounts_for_liquidity(pool.sqrt_price_x96, low, high, liquidity, round_up)


def _growth_inside(real: RealPool, pool: Pool, position: Position) -> tuple[int, int]:
    """Return our sum over what the contract stores, for both tokens."""
    lower, upper = real.tick(position.lower), real.tick(position.upper)
    return tuple(
        fee_growth_inside(
            position.lower,
            position.upper,
            pool.tick,
            real.read("u", f"feeGrowthGlobal{token}X128()")[0],
            lower[2 + token],
            upper[2 + token],
        )
        for token in (0, 1)
    )


@each_pool
def test_positions_equal_the_contract_to_the_wei(
    uniswap: RealUniswap, shape: str, fee_pips: int, seed: int
) -> None:
    rng = Random(2_000_000 + seed)
    real, ours, _ = build(uniswap, shape, fee_pips, rng)
    left_open = set()
    for turn in range(SEQUENCES_PER_POOL):
        where = f"sequence {turn} on {ours}"
        if turn % 5 == 3:
            shares = random_fee_protocol(rng)
            real.set_fee_protocol(*shares)
            ours = ours.with_fee_protocol(shares[0] | shares[1] << 4)
        position = random_range(rng, ours, random_swap(rng, ours))
        while position[:2] in left_open:
            position = random_range(rng, ours, random_swap(rng, ours))
        held = position.liquidity

        assert real.mint(*position) == _amounts(ours, position, held, True), where
        ours = ours.with_mint(*position)
        growth = _growth_inside(real, ours, position)
        owed = [0, 0]
        for _ in range(rng.randint(1, 4)):
            before = [real.read("u", f"feeGrowthGlobal{token}X128()")[0] for token in (0, 1)]
            swap = random_swap(rng, ours)
            real.swap(*swap)
            for step in swap_steps(ours, *swap):
                if step.liquidity:
                    added = ((step.fee_amount - step.protocol_fee) << 128) // step.liquidity
                    before[not swap.zero_for_one] += added
            after = [real.read("u", f"feeGrowthGlobal{token}X128()")[0] for token in (0, 1)]
            assert [value & MAX_UINT256 for value in before] == after, where
            ours = ours.with_swap(*ours.swap(*swap)[2:5])

            part = rng.choice([0, held, rng.randint(0, held)])
            growth_now = _growth_inside(real, ours, position)
            if not held:
                continue
            for token in (0, 1):
                owed[token] += fees_owed(held, growth_now[token], growth[token])
            growth = growth_now
            burned = real.burn(position.lower, position.upper, part)
            assert burned == _amounts(ours, position, part, False), where
            owed = [fees + principal for fees, principal in zip(owed, burned, strict=True)]
            ours = ours.with_burn(position.lower, position.upper, part)
            held -= part
        assert real.collect(position.lower, position.upper) == tuple(value % Q128 for value in owed), where
        stored = real.read("u", "positions(bytes32)", _key_of(uniswap, position))
        assert stored == [held], where
        assert ours == real.snapshot({*ours.ticks, *position[:2]}), where
        if held:
            left_open.add(position[:2])


def _key_of(uniswap: RealUniswap, position: Position) -> str:
    return "0x" + position_key(uniswap.caller.lower(), position.lower, position.upper).hex()


@pytest.mark.parametrize("fee_pips", [500, 3000, 10000])
def test_refusals_are_the_contracts(uniswap: RealUniswap, fee_pips: int) -> None:
    """Where the contract names a reason, ours has the same code; where it names none, we refuse too."""
    rng = Random(fee_pips)
    real, ours, positions = build(uniswap, "dense", fee_pips, rng)
    spacing, price = ours.tick_spacing, ours.sqrt_price_x96
    most = max_liquidity_per_tick(spacing)
    here = usable(ours.tick, spacing)
    mints = [
        (spacing, 0, 1),
        (0, 0, 1),
        (usable(MIN_TICK, spacing) - spacing, 0, 1),
        (0, usable(MAX_TICK, spacing) + spacing, 1),
        (1, spacing, 1),
        (0, spacing, 0),
        (0, spacing, most + 1),
        (positions[1].lower, positions[1].upper + 50 * spacing, most),
        (positions[1].lower - 50 * spacing, positions[1].upper, most),
    ]
    for mint in mints:
        _both_refuse(lambda m=mint: real.mint(*m), lambda m=mint: ours.with_mint(*m))
    _both_refuse(
        lambda: real.burn(here, here + spacing, most), lambda: ours.with_burn(here, here + spacing, most)
    )
    swaps = [
        (True, 0, price - 1),
        (True, 1, price),
        (True, 1, price + 1),
        (True, 1, 4295128739),
        (False, 1, price),
        (False, 1, price - 1),
        (False, 1, 1461446703485210103287273052203988822378723970342),
    ]
    for swap in swaps:
        _both_refuse(lambda s=swap: real.swap(*s), lambda s=swap: ours.swap(*s))


def _both_refuse(real, ours) -> None:
    with pytest.raises(Reverted) as theirs:
        real()
    with pytest.raises(PoolReverts) as refused:
        ours()
    reason = str(theirs.value)
    assert reason.startswith("Revert {") or reason == refused.value.code
