"""Closing: conditional in the block of the mint, unconditional later, and never to be blocked."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from executor_world import (
    BUILDER,
    ETH,
    GUARDIAN,
    OPERATOR,
    OWNER,
    STRANGER,
    ExecutorPool,
    Reverted,
    Rules,
    World,
)

from jitctl.contracts import calls
from jitctl.domain.values import Address

LIQUIDITY = 10**24
VICTIM_IN = 10 * ETH
RULES = Rules()


def move(before: tuple[int, int], after: tuple[int, int]) -> tuple[int, int]:
    return after[0] - before[0], after[1] - before[1]


def assert_flat(pool: ExecutorPool, lower: int = -10, upper: int = 10) -> None:
    assert not pool.position()[0]
    assert pool.liquidity_of(lower, upper) == (0, 0, 0)
    assert pool.world.reserved == 0


@pytest.mark.parametrize("zero_for_one", [True, False])
def test_mint_victim_burn(pool: ExecutorPool, zero_for_one: bool) -> None:
    world, before, builder = pool.world, pool.balances(), pool.world.evm.get_balance(BUILDER)
    minted = pool.mint(-10, 10, LIQUIDITY)
    pool.swap(zero_for_one, VICTIM_IN)
    burned = pool.burn(min_fees=1, tip=10**15)
    assert burned["sameBlock"] and burned["tipWei"] == 10**15 and burned["lossWei"] == 0
    fees = burned["fees0"] if zero_for_one else burned["fees1"]
    share = Fraction(LIQUIDITY, LIQUIDITY + 10**22)
    assert fees == pytest.approx(float(VICTIM_IN * Fraction(5, 10_000) * share), rel=1e-6)
    assert (burned["fees1"] if zero_for_one else burned["fees0"]) == 0
    tip = (10**15, 0) if pool.weth_is_token0 else (0, 10**15)
    assert move(before, pool.balances()) == (
        burned["collected0"] - minted["amount0"] - tip[0],
        burned["collected1"] - minted["amount1"] - tip[1],
    )
    assert world.evm.get_balance(BUILDER) - builder == 10**15
    assert world.evm.get_balance(world.executor) == 0 and world.spent == 0
    assert_flat(pool)


def test_fees_below_the_minimum_revert_in_the_mints_block(pool: ExecutorPool) -> None:
    pool.mint(-10, 10, LIQUIDITY)
    with pytest.raises(Reverted, match="fees below minimum"):
        pool.burn(min_fees=1)
    pool.swap(True, VICTIM_IN)
    with pytest.raises(Reverted, match="fees below minimum"):
        pool.burn(min_fees=VICTIM_IN // 1_000)
    fees = pool.burn(min_fees=VICTIM_IN // 2_500)
    assert fees["fees0"] > 0


def test_a_price_outside_the_band_reverts_in_the_mints_block(pool: ExecutorPool) -> None:
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(True, VICTIM_IN)
    price = pool.sqrt_price
    for band in ((price + 1, 2**160 - 1), (0, price - 1)):
        with pytest.raises(Reverted, match="price outside band"):
            pool.burn(band=band)
    pool.burn(band=(price, price))


def test_the_tip_is_at_most_the_owners_share_of_the_fees(pool: ExecutorPool) -> None:
    pool.allow(replace(RULES, max_tip_bps=2_500))
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(True, VICTIM_IN)
    checkpoint = pool.world.evm.snapshot()
    fees = pool.burn()["fees0"]
    pool.world.evm.revert(checkpoint)
    with pytest.raises(Reverted, match="tip over share"):
        pool.burn(tip=fees // 4 + 1)
    assert pool.burn(tip=fees // 4)["tipWei"] == fees // 4


@pytest.mark.parametrize("jump", [-150, 150])
def test_the_tip_is_at_most_the_fees_at_the_blocks_first_price(pool: ExecutorPool, jump: int) -> None:
    """Fees in the token that a lagging mean overvalues are not paid out as if they were worth it."""
    pool.allow(replace(RULES, max_tip_bps=10_000))
    pool.move_to(jump)
    pool.world.next_block()
    begin = pool.tick // 10 * 10
    pool.mint(begin - 20, begin + 20, LIQUIDITY // 10)
    reserve = pool.world.reserved
    token_is_cheap = (jump < 0) != pool.weth_is_token0
    pool.swap(not pool.weth_is_token0, VICTIM_IN)
    checkpoint = pool.world.evm.snapshot()
    burned = pool.burn()
    pool.world.evm.revert(checkpoint)
    fees = burned["fees1" if pool.weth_is_token0 else "fees0"]
    assert burned["fees0"] + burned["fees1"] == fees
    at_first = int(fees * Fraction(10_001, 10_000) ** -abs(jump)) if token_is_cheap else fees
    with pytest.raises(Reverted, match="tip over share"):
        pool.burn(tip=at_first + fees // 1_000)
    assert pool.burn(tip=at_first - fees // 1_000)["tipWei"] > 0
    assert pool.world.spent <= reserve


def test_no_tip_from_principal_however_large_the_position(pool: ExecutorPool) -> None:
    pool.mint(-10, 10, LIQUIDITY)
    with pytest.raises(Reverted, match="tip over share"):
        pool.burn(tip=1)
    with pytest.raises(Reverted):
        pool.burn(tip=2**256 - 1)


def test_a_builder_that_refuses_ether_is_a_named_outcome(pool: ExecutorPool) -> None:
    world = pool.world
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(True, VICTIM_IN)
    world.set_coinbase(world.trader)
    with pytest.raises(Reverted, match="tip refused"):
        pool.burn(tip=10**12)
    pool.burn(tip=0)
    assert_flat(pool)


def test_later_it_closes_without_conditions_and_without_tip(pool: ExecutorPool) -> None:
    pool.mint(-10, 10, LIQUIDITY)
    pool.world.next_block()
    builder = pool.world.evm.get_balance(BUILDER)
    burned = pool.burn(min_fees=10**30, band=(1, 2), tip=10**18)
    assert not burned["sameBlock"] and burned["tipWei"] == 0
    assert pool.world.evm.get_balance(BUILDER) == builder
    assert_flat(pool)


@pytest.mark.parametrize("later", [False, True], ids=["same_block", "later"])
@pytest.mark.parametrize("sender", [OPERATOR, GUARDIAN, OWNER], ids=["operator", "guardian", "owner"])
def test_a_lone_mint_is_closed_flat_and_its_loss_recorded(
    pool: ExecutorPool, sender: Address, later: bool
) -> None:
    world = pool.world
    pool.move_to(100)
    before = pool.balances()
    minted = pool.mint(50, 90, 10**23)
    pool.move_to(0)
    if later:
        world.next_block(50)
    closed = pool.close(sender=sender)
    events = dict(world.events())
    assert move(before, pool.balances()) == (
        closed["collected0"] - minted["amount0"],
        closed["collected1"] - minted["amount1"],
    )
    # The mean price is 1, where both tokens are worth the same.
    lost = sum(before) - sum(pool.balances())
    assert lost > 0 and 0 <= closed["lossWei"] - lost <= 4
    assert events["LossRecorded"]["lossWei"] == closed["lossWei"]
    assert closed["lossWei"] <= world.spent == events["LossRecorded"]["spentWei"] < closed["lossWei"] + 10**9
    assert closed["by"] == sender and not world.halted
    assert_flat(pool, 50, 90)


def test_strangers_close_nothing(pool: ExecutorPool) -> None:
    pool.mint(-10, 10, LIQUIDITY)
    with pytest.raises(Reverted, match="not allowed"):
        pool.close(sender=STRANGER)
    for sender in (STRANGER, GUARDIAN, OWNER):
        with pytest.raises(Reverted, match="not operator"):
            pool.burn(sender=sender)


def test_nothing_open_is_said(pool: ExecutorPool) -> None:
    for close in (pool.close, pool.burn):
        with pytest.raises(Reverted, match="nothing open"):
            close()
    pool.mint(-10, 10, LIQUIDITY)
    pool.close()
    for close in (pool.close, pool.burn):
        with pytest.raises(Reverted, match="nothing open"):
            close()


def test_halting_does_not_stop_closing(world: World) -> None:
    first, second, third = (world.new_pool() for _ in range(3))
    for pool in (first, second, third):
        pool.mint(-10, 10, LIQUIDITY // 10)
    world.call(GUARDIAN, world.executor, calls.halt())
    first.burn()
    second.close(sender=GUARDIAN)
    world.next_block()
    third.burn()
    for pool in (first, second, third):
        assert_flat(pool)
    assert world.halted


def test_the_owners_changes_do_not_stop_closing(pool: ExecutorPool) -> None:
    world = pool.world
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(True, VICTIM_IN)
    pool.allow(replace(RULES, allowed=False, max_tip_bps=0, max_spot_ticks=0, max_notional_wei=0))
    world.owner_calls(calls.set_budget(0))
    with pytest.raises(Reverted, match="tip over share"):
        pool.burn(tip=1)
    assert pool.burn()["lossWei"] == 0
    assert_flat(pool)


def test_a_dismissed_operators_position_is_closed_by_the_guardian(pool: ExecutorPool) -> None:
    pool.mint(-10, 10, LIQUIDITY)
    pool.world.owner_calls(calls.set_operator(OPERATOR, False))
    with pytest.raises(Reverted, match="not allowed"):
        pool.close()
    pool.close(sender=GUARDIAN)
    assert_flat(pool)


def test_the_budget_used_up_halts_but_closes(pool: ExecutorPool) -> None:
    world = pool.world
    pool.move_to(100)
    pool.mint(50, 90, 10**23)
    reserve = world.reserved
    world.owner_calls(calls.set_budget(reserve // 2))
    pool.move_to(0)
    pool.close()
    assert ("Halted", {"by": world.executor}) in world.events()
    assert world.halted and world.spent > reserve // 2
    assert_flat(pool, 50, 90)


class TestGifts:
    """Anybody may add liquidity to a position in a pool at our name."""

    @pytest.mark.parametrize("when", ["before", "between"])
    def test_they_do_not_change_what_burn_returns(self, pool: ExecutorPool, when: str) -> None:
        gift = 10**21
        if when == "before":
            pool.provide(-10, 10, gift, pool.world.executor)
        minted = pool.mint(-10, 10, LIQUIDITY)
        if when == "between":
            pool.provide(-10, 10, gift, pool.world.executor)
        burned = pool.burn()
        assert minted["amount0"] - burned["collected0"] in (0, 1)
        assert minted["amount1"] - burned["collected1"] in (0, 1)
        assert pool.world.reserved == 0 and not pool.position()[0]
        assert pool.liquidity_of(-10, 10) == (gift, 0, 0)

    @pytest.mark.parametrize("sender", [OPERATOR, GUARDIAN, OWNER], ids=["operator", "guardian", "owner"])
    def test_sweep_brings_home_what_is_left(self, pool: ExecutorPool, sender: Address) -> None:
        world = pool.world
        pool.provide(-10, 10, 10**21, world.executor)
        pool.swap(True, VICTIM_IN)
        pool.provide(-10, 10, 1, world.executor)  # Now tokens are owed as well.
        before = pool.balances()
        assert pool.liquidity_of(-10, 10)[1] > 0
        pool.mint(-10, 10, LIQUIDITY)
        with pytest.raises(Reverted, match="already open"):
            world.call(sender, world.executor, calls.sweep(pool.address, -10, 10))
        pool.burn()
        world.call(sender, world.executor, calls.sweep(pool.address, -10, 10))
        assert dict(world.events())["Swept"]["by"] == sender
        assert sum(pool.balances()) - sum(before) > ETH // 2
        assert_flat(pool)

    def test_close_brings_home_ours_and_theirs(self, pool: ExecutorPool) -> None:
        before = pool.balances()
        pool.mint(-10, 10, LIQUIDITY)
        pool.provide(-10, 10, 10**21, pool.world.executor)
        pool.close(sender=GUARDIAN)
        gained = move(before, pool.balances())
        assert gained[0] > 0 and gained[1] > 0
        assert_flat(pool)

    def test_strangers_sweep_nothing_and_only_known_pools_are_swept(self, pool: ExecutorPool) -> None:
        world = pool.world
        with pytest.raises(Reverted, match="not allowed"):
            world.call(STRANGER, world.executor, calls.sweep(pool.address, -10, 10))
        with pytest.raises(Reverted, match="pool not known"):
            world.call(OPERATOR, world.executor, calls.sweep(world.trader, -10, 10))


class TestReorg:
    """The bundle's block is replaced by another that takes mint and victim from the public pool."""

    def test_on_another_parent_the_mint_reverts(self, pool: ExecutorPool) -> None:
        world = pool.world
        block, parent = world.number, world.parent_hash
        checkpoint = world.evm.snapshot()
        pool.mint(-10, 10, LIQUIDITY, block=block, parent=parent)
        pool.swap(True, VICTIM_IN)
        pool.burn()
        world.evm.revert(checkpoint)
        world.number += 1  # The block of that height has another parent; so has every later one.
        world._set_block()
        with pytest.raises(Reverted, match="wrong block"):
            pool.mint(-10, 10, LIQUIDITY, block=block, parent=parent)
        with pytest.raises(Reverted, match="wrong parent"):
            pool.mint(-10, 10, LIQUIDITY, block=world.number, parent=parent)
        pool.swap(True, VICTIM_IN)
        with pytest.raises(Reverted, match="nothing open"):
            pool.burn()
        assert_flat(pool)

    @pytest.mark.parametrize("order", ["mint_victim", "victim_mint"])
    @pytest.mark.parametrize("burn_in", ["same_block", "later"])
    def test_on_the_same_parent_it_ends_flat(self, pool: ExecutorPool, order: str, burn_in: str) -> None:
        world = pool.world
        before = pool.balances()
        checkpoint = world.evm.snapshot()
        pool.mint(-10, 10, LIQUIDITY)
        pool.swap(True, VICTIM_IN)
        burn_fees = pool.burn()["fees0"] - 1
        world.evm.revert(checkpoint)
        if order == "mint_victim":
            pool.mint(-10, 10, LIQUIDITY)
            pool.swap(True, VICTIM_IN)
        else:
            pool.swap(True, VICTIM_IN)
            pool.mint(-10, 10, LIQUIDITY)
        if burn_in == "later":
            world.next_block()
            pool.burn(min_fees=burn_fees, tip=10**14)
        elif order == "mint_victim":
            pool.burn(min_fees=burn_fees, tip=10**14)
        else:
            with pytest.raises(Reverted, match="fees below minimum"):
                pool.burn(min_fees=burn_fees, tip=10**14)
            pool.close()
        assert_flat(pool)
        assert sum(before) - sum(pool.balances()) <= 4 + world.spent
