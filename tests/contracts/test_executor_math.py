"""The executor's arithmetic, held against the exact Python mirror and against fractions."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from executor_world import Reverted, World, compiled

from jitctl.amm.sqrt_price_math import get_amount0_delta, get_amount1_delta
from jitctl.amm.tick_math import MAX_TICK, get_sqrt_ratio_at_tick

Q96 = 1 << 96
PRICE_TICK = 332_000


class Probe:
    def __init__(self) -> None:
        self.world = World()
        self.address = self.world.deploy(compiled("MathProbe"))

    def sqrt_price(self, tick: int) -> int:
        return self.world.read(self.address, "sqrtPrice(int24)", "uint256", tick)

    def worth(self, amount0: int, amount1: int, price: int, weth_is_token0: bool, up: bool) -> int:
        signature = "worth(uint256,uint256,uint256,bool,bool)"
        return self.world.read(
            self.address, signature, "uint256", amount0, amount1, price, weth_is_token0, up
        )

    def bound(self, minted: int, liquidity: int, lower: int, upper: int, price: int, weth0: bool) -> int:
        signature = "bound(uint256,uint256,int24,int24,uint256,bool)"
        arguments = (minted, liquidity, lower, upper, price, weth0)
        return self.world.read(self.address, signature, "uint256", *arguments)


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe()


def test_the_price_of_a_tick_is_the_pools_to_the_bit(probe: Probe) -> None:
    rng = random.Random(7)
    powers = [1 << bit for bit in range(20) if 1 << bit <= MAX_TICK]
    ticks = [0, MAX_TICK, *powers, *(rng.randint(0, MAX_TICK) for _ in range(500))]
    for tick in ticks:
        for signed in (tick, -tick):
            assert probe.sqrt_price(signed) == get_sqrt_ratio_at_tick(signed), signed


@pytest.mark.parametrize("tick", [MAX_TICK + 1, -MAX_TICK - 1])
def test_a_tick_without_a_price_is_refused(probe: Probe, tick: int) -> None:
    with pytest.raises(Reverted, match="no such tick"):
        probe.sqrt_price(tick)


@pytest.mark.parametrize("weth_is_token0", [False, True])
def test_worth_is_rounded_to_the_side_asked_for(probe: Probe, weth_is_token0: bool) -> None:
    rng = random.Random(11)
    for _ in range(500):
        price = get_sqrt_ratio_at_tick(rng.randint(-PRICE_TICK, PRICE_TICK))
        amount0, amount1 = (rng.randrange(1 << rng.randint(1, 112)) for _ in range(2))
        rate = Fraction(price, Q96) ** 2
        exact = amount0 + amount1 / rate if weth_is_token0 else amount0 * rate + amount1
        down = probe.worth(amount0, amount1, price, weth_is_token0, False)
        up = probe.worth(amount0, amount1, price, weth_is_token0, True)
        step = Fraction(Q96, price) if weth_is_token0 else Fraction(price, Q96)
        assert exact - (2 + step) < down <= exact <= up < exact + 2 + step


@pytest.mark.parametrize("weth_is_token0", [False, True])
@pytest.mark.parametrize("tick", [-PRICE_TICK, 0, PRICE_TICK])
def test_no_gift_is_too_large_to_be_valued(probe: Probe, tick: int, weth_is_token0: bool) -> None:
    price = get_sqrt_ratio_at_tick(tick)
    most = probe.worth(2**112 - 1, 2**112 - 1, price, weth_is_token0, False)
    assert probe.worth(2**128 - 1, 2**128 - 1, price, weth_is_token0, False) == most


def amounts(liquidity: int, lower: int, upper: int, price: int, up: bool) -> tuple[int, int]:
    """What a pool asks for (up) or pays (down) for a position at a price."""
    low, high = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
    at = min(max(price, low), high)
    return get_amount0_delta(at, high, liquidity, up), get_amount1_delta(low, at, liquidity, up)


@pytest.mark.parametrize("weth_is_token0", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_end_price_costs_more_than_the_bound(probe: Probe, seed: int, weth_is_token0: bool) -> None:
    rng = random.Random(seed)
    for _ in range(250):
        twap = rng.randint(-PRICE_TICK + 3_000, PRICE_TICK - 3_000)
        lower = twap + rng.randint(-2_000, 1_500)
        upper = lower + rng.randint(1, 500)
        liquidity = rng.randrange(1, 1 << rng.randint(20, 80))
        price = get_sqrt_ratio_at_tick(twap)
        begin = get_sqrt_ratio_at_tick(twap + rng.randint(-2_500, 2_500))
        minted = probe.worth(*amounts(liquidity, lower, upper, begin, True), price, weth_is_token0, True)
        bound = probe.bound(minted, liquidity, lower, upper, price, weth_is_token0)
        worst = -1
        edges = [get_sqrt_ratio_at_tick(tick) for tick in (lower, upper)]
        near = [price + rng.randint(-(1 << 40), 1 << 40) for _ in range(3)]
        anywhere = [rng.randint(*sorted((edges[0] // 2, edges[1] * 2))) for _ in range(6)]
        for end in (price, *edges, *near, *anywhere):
            paid = amounts(liquidity, lower, upper, end, False)
            worst = max(worst, minted - probe.worth(*paid, price, weth_is_token0, False))
        assert worst <= bound
        # It is no guess either: closing at the worst price loses all of it but the roundings.
        unit = probe.worth(
            0 if weth_is_token0 else 1, 1 if weth_is_token0 else 0, price, weth_is_token0, True
        )
        assert bound - worst <= 4 * unit + 16 + (1 << 26)


def test_at_the_mean_price_a_range_around_it_puts_nothing_at_stake(probe: Probe) -> None:
    liquidity, price = 10**24, get_sqrt_ratio_at_tick(0)
    minted = probe.worth(*amounts(liquidity, -10, 10, price, True), price, False, True)
    assert minted > 900 * 10**18
    assert probe.bound(minted, liquidity, -10, 10, price, False) < 32
