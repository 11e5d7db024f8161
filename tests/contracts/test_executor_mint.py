"""Opening: every guard has its name, and only what passes all of them opens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from executor_world import ETH, GUARDIAN, OPERATOR, OWNER, STRANGER, ExecutorPool, Reverted, Rules, World

from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.contracts import calls
from jitctl.domain.values import Address, Hash32

LIQUIDITY = 10**22
RULES = Rules()


def test_it_opens_and_remembers(pool: ExecutorPool) -> None:
    world, before = pool.world, pool.balances()
    minted = pool.mint(-10, 20, LIQUIDITY)
    after = pool.balances()
    assert (before[0] - after[0], before[1] - after[1]) == (minted["amount0"], minted["amount1"])
    assert minted["pool"] == pool.address and minted["liquidity"] == LIQUIDITY
    value = minted["amount0"] + minted["amount1"]
    expected = (True, -10, 20, LIQUIDITY, minted["amount0"], minted["amount1"], world.number, value)
    assert pool.position() == expected
    assert pool.liquidity_of(-10, 20)[0] == LIQUIDITY


@pytest.mark.parametrize("sender", [STRANGER, GUARDIAN, OWNER], ids=["stranger", "guardian", "owner"])
def test_only_operators_open(pool: ExecutorPool, sender: Address) -> None:
    with pytest.raises(Reverted, match="not operator"):
        pool.mint(-10, 10, LIQUIDITY, sender=sender)


def test_a_dismissed_operator_opens_nothing(pool: ExecutorPool) -> None:
    pool.world.owner_calls(calls.set_operator(OPERATOR, False))
    with pytest.raises(Reverted, match="not operator"):
        pool.mint(-10, 10, LIQUIDITY)


@pytest.mark.parametrize("off", [-1, 1])
def test_only_in_its_block(pool: ExecutorPool, off: int) -> None:
    with pytest.raises(Reverted, match="wrong block"):
        pool.mint(-10, 10, LIQUIDITY, block=pool.world.number + off)


def test_only_on_its_parent(pool: ExecutorPool) -> None:
    with pytest.raises(Reverted, match="wrong parent"):
        pool.mint(-10, 10, LIQUIDITY, parent=Hash32("0x" + "11" * 32))


def test_a_mint_kept_back_does_not_fit_the_next_block(pool: ExecutorPool) -> None:
    block, parent = pool.world.number, pool.world.parent_hash
    pool.world.next_block()
    with pytest.raises(Reverted, match="wrong block"):
        pool.mint(-10, 10, LIQUIDITY, block=block, parent=parent)


def test_only_inside_the_band(pool: ExecutorPool) -> None:
    price = pool.sqrt_price
    for band in ((price + 1, 2**160 - 1), (0, price - 1)):
        with pytest.raises(Reverted, match="price outside band"):
            pool.mint(-10, 10, LIQUIDITY, band=band)
    pool.mint(-10, 10, LIQUIDITY, band=(price, price))


def test_only_up_to_the_maxima(pool: ExecutorPool) -> None:
    world = pool.world
    checkpoint = world.evm.snapshot()
    minted = pool.mint(-10, 20, LIQUIDITY)
    world.evm.revert(checkpoint)
    amount0, amount1 = minted["amount0"], minted["amount1"]
    for maxima in ((amount0 - 1, amount1), (amount0, amount1 - 1)):
        with pytest.raises(Reverted, match="amount over maximum"):
            pool.mint(-10, 20, LIQUIDITY, max0=maxima[0], max1=maxima[1])
    pool.mint(-10, 20, LIQUIDITY, max0=amount0, max1=amount1)


def test_only_in_allowed_pools(world: World, pool: ExecutorPool) -> None:
    pool.allow(replace(RULES, allowed=False))
    with pytest.raises(Reverted, match="pool not allowed"):
        pool.mint(-10, 10, LIQUIDITY)
    stranger = ExecutorPool(world, pool.address, pool.token, pool.weth_is_token0)
    stranger.address = STRANGER
    with pytest.raises(Reverted, match="pool not allowed"):
        stranger.mint(-10, 10, LIQUIDITY)


def test_not_while_halted(pool: ExecutorPool) -> None:
    pool.world.call(GUARDIAN, pool.world.executor, calls.halt())
    with pytest.raises(Reverted, match="halted"):
        pool.mint(-10, 10, LIQUIDITY)
    pool.world.owner_calls(calls.unhalt())
    pool.mint(-10, 10, LIQUIDITY)


def test_one_position_a_pool(pool: ExecutorPool) -> None:
    pool.mint(-10, 10, LIQUIDITY)
    for lower, upper in ((-10, 10), (-20, 20)):
        with pytest.raises(Reverted, match="already open"):
            pool.mint(lower, upper, LIQUIDITY)


def test_several_pools_in_one_block_and_none_while_one_is_left_open(world: World) -> None:
    pools = [world.new_pool(weth_is_token0=side) for side in (False, True, False)]
    for each in pools:
        each.mint(-10, 10, LIQUIDITY)
    for each in pools:
        each.burn()
    assert world.reserved == 0
    pools[0].mint(-10, 10, LIQUIDITY)
    world.next_block()
    with pytest.raises(Reverted, match="left open"):
        pools[1].mint(-10, 10, LIQUIDITY)
    pools[0].close()
    pools[1].mint(-10, 10, LIQUIDITY)


@pytest.mark.parametrize("side", [-1, 1])
def test_the_spot_price_must_be_near_the_mean(pool: ExecutorPool, side: int) -> None:
    pool.move_to(side * (RULES.max_spot_ticks + 2))
    with pytest.raises(Reverted, match="spot far from twap"):
        pool.mint(-10, 10, LIQUIDITY)
    pool.move_to(side * (RULES.max_spot_ticks - 1))
    pool.mint(-10, 10, LIQUIDITY)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_mean_that_lags_the_market_is_refused_even_at_a_price_put_back_to_it(
    pool: ExecutorPool, side: int
) -> None:
    pool.move_to(side * 500)
    pool.world.next_block()
    with pytest.raises(Reverted, match="market far from twap"):
        pool.mint(-10, 10, LIQUIDITY)
    # The thief trades the price back to the mean, to buy from us what the market pays 5% more for.
    pool.move_to(0)
    with pytest.raises(Reverted, match="market far from twap"):
        pool.mint(-10, 10, LIQUIDITY)


def test_the_range_must_be_near_the_mean(pool: ExecutorPool) -> None:
    edge = RULES.max_range_ticks
    for lower, upper in ((-edge - 10, 10), (-10, edge + 10), (edge, edge + 10), (-edge - 10, -edge)):
        with pytest.raises(Reverted, match="range far from twap"):
            pool.mint(lower, upper, LIQUIDITY)
    pool.mint(-edge, edge, LIQUIDITY)


def test_the_notional_is_limited_in_weth(pool: ExecutorPool) -> None:
    checkpoint = pool.world.evm.snapshot()
    minted = pool.mint(-10, 10, LIQUIDITY)
    pool.world.evm.revert(checkpoint)
    value = minted["amount0"] + minted["amount1"]
    pool.allow(replace(RULES, max_notional_wei=value - 1))
    with pytest.raises(Reverted, match="notional over limit"):
        pool.mint(-10, 10, LIQUIDITY)
    pool.allow(replace(RULES, max_notional_wei=value))
    pool.mint(-10, 10, LIQUIDITY)


def test_what_could_be_lost_must_fit_the_budget(pool: ExecutorPool) -> None:
    pool.world.owner_calls(calls.set_budget(ETH))
    pool.move_to(150)
    small, large = 10**21, 3 * 10**23
    # Above the price nothing can be lost at the mean price, whatever the size: it would sell dearer.
    pool.mint(160, 200, large)
    pool.close()
    # Between the mean and the price: all of it would be bought 1.2% too dear if the price falls back.
    pool.mint(100, 140, small)
    assert 0 < pool.world.reserved < ETH
    pool.close()
    with pytest.raises(Reverted, match="loss budget"):
        pool.mint(100, 140, large)


def test_a_spike_across_the_end_of_a_block_is_refused(pool: ExecutorPool) -> None:
    world = pool.world
    for _ in range(200):
        pool.swap(True, ETH)
        pool.move_to(0)
        world.next_block()
    pool.move_to(200_000)
    world.next_block()
    # 12 s of 200,000 ticks in 30 minutes: the mean is 1,300 ticks off, and so the price is put there.
    pool.move_to(1_330)
    with pytest.raises(Reverted, match="twap unsteady"):
        pool.mint(1_320, 1_340, LIQUIDITY)


def test_a_pool_without_a_window_of_history_is_refused(world: World) -> None:
    pool = world.new_pool(cardinality=1)
    pool.swap(True, ETH)
    world.next_block()
    with pytest.raises(Reverted, match="OLD"):
        pool.mint(-10, 10, LIQUIDITY)


def test_a_price_beyond_what_can_be_valued_is_refused(world: World) -> None:
    pool = world.new_pool(tick=400_000, depth=10**10)
    with pytest.raises(Reverted, match="price out of reach"):
        pool.mint(399_990, 400_010, 10**15)


def test_amounts_too_large_to_keep_are_refused(world: World) -> None:
    pool = world.new_pool(rules=Rules(max_notional_wei=2**128 - 1), tick=-300_000)
    world.owner_calls(calls.set_budget(10**24))
    world.give(pool.token, world.executor, 1 << 120)
    side = 10 if pool.token == pool.token0 else -20
    with pytest.raises(Reverted, match="amount too large"):
        pool.mint(-300_000 + side, -300_000 + side + 10, 1 << 108)


@pytest.mark.parametrize("liquidity", [0, 2**127])
def test_the_pool_has_its_own_limits(pool: ExecutorPool, liquidity: int) -> None:
    with pytest.raises(Reverted):
        pool.mint(-10, 10, liquidity)


@pytest.mark.parametrize("tick", [-3_000, 77, 120_000, -200_000])
@pytest.mark.parametrize("weth_is_token0", [False, True])
def test_value_is_the_amounts_at_the_mean_price(world: World, tick: int, weth_is_token0: bool) -> None:
    pool = world.new_pool(weth_is_token0=weth_is_token0, tick=tick, depth=10**18)
    lower = tick // 10 * 10 - 20
    minted = pool.mint(lower, lower + 50, 10**17)
    rate = (get_sqrt_ratio_at_tick(tick) / 2**96) ** 2
    amount0, amount1 = minted["amount0"], minted["amount1"]
    value = amount0 + amount1 / rate if weth_is_token0 else amount0 * rate + amount1
    assert pool.position()[7] == pytest.approx(value, rel=1e-9)
