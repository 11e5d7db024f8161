"""Properties that hold for every pool, by hypothesis: shrunk examples where they do not."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jitctl.amm.full_math import MAX_UINT128
from jitctl.amm.jit import JitOutcome, jit_swap
from jitctl.amm.liquidity_math import amounts_for_liquidity, liquidity_for_amounts
from jitctl.amm.pool import Pool
from jitctl.amm.step_table import StepTable
from jitctl.amm.swap_loop import swap_reference, swap_steps
from jitctl.amm.swap_math import compute_swap_step
from jitctl.amm.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
)
from jitctl.amm.tick_table import TickTable

SPACINGS = {100: 1, 500: 10, 3000: 60, 10000: 200}

prices = st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1)
liquidities = st.integers(1, 10**27)
ranges = st.tuples(st.integers(-700, 700), st.sampled_from([1, 1, 2, 7, 256, 900]))
amounts = st.one_of(st.integers(1, 10**6), st.integers(1, 10**28))


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """A pool of up to eight positions around the middle, its price anywhere among them."""
    fee_pips = draw(st.sampled_from(sorted(SPACINGS)))
    spacing = SPACINGS[fee_pips]
    ticks: dict[int, tuple[int, int]] = {}
    for (lower, width), liquidity in draw(st.lists(st.tuples(ranges, liquidities), max_size=8)):
        for tick, net in ((lower * spacing, liquidity), ((lower + width) * spacing, -liquidity)):
            gross, before = ticks.get(tick, (0, 0))
            ticks[tick] = (gross + liquidity, before + net)
    tick = draw(st.integers(-800, 1700)) * spacing + draw(st.sampled_from([0, 0, -1, 1, 5]))
    low, high = get_sqrt_ratio_at_tick(tick), get_sqrt_ratio_at_tick(tick + 1)
    table = TickTable(spacing, ticks)
    return Pool.from_state(
        fee_pips=fee_pips,
        tick_spacing=spacing,
        sqrt_price_x96=draw(st.one_of(st.just(low), st.integers(low, high - 1))),
        tick=tick,
        liquidity=table.liquidity_at(tick),
        fee_protocol=draw(st.sampled_from([0, 4, 6 << 4, 4 | 4 << 4, 10 | 5 << 4])),
        ticks=table,
    )


def _range_of(pool: Pool, sketch: tuple[int, int]) -> tuple[int, int]:
    return sketch[0] * pool.tick_spacing, (sketch[0] + sketch[1]) * pool.tick_spacing


def _jit_reference(pool: Pool, lower: int, upper: int, liquidity: int, *swap: int) -> JitOutcome:
    """The same by really minting into the snapshot and walking the plain loop."""
    minted_into = pool.with_mint(lower, upper, liquidity)
    result = swap_reference(minted_into, *swap)
    growth, added = 0, {lower, upper} - set(pool.ticks)
    crossed = 0
    for step in swap_steps(minted_into, *swap):
        if lower <= step.tick_before < upper:
            growth += ((step.fee_amount - step.protocol_fee) << 128) // step.liquidity
        crossed += step.crossed and (step.tick + 1 if swap[0] else step.tick) in added
    fees = (growth * liquidity >> 128) & MAX_UINT128
    sqrt_lower, sqrt_upper = get_sqrt_ratio_at_tick(lower), get_sqrt_ratio_at_tick(upper)
    return JitOutcome(
        *amounts_for_liquidity(pool.sqrt_price_x96, sqrt_lower, sqrt_upper, liquidity, True),
        result,
        *((fees, 0) if swap[0] else (0, fees)),
        *amounts_for_liquidity(result.sqrt_price_x96, sqrt_lower, sqrt_upper, liquidity, False),
        crossed,
        growth,
    )


@settings(max_examples=400, deadline=None)
@given(pools(), st.booleans(), amounts, st.booleans(), st.integers(-2000, 2000))
def test_the_fast_swap_is_the_loop(
    pool: Pool, zero_for_one: bool, amount: int, exact_in: bool, limit_distance: int
) -> None:
    limit = get_sqrt_ratio_at_tick((pool.tick // pool.tick_spacing + limit_distance) * pool.tick_spacing)
    beyond = limit < pool.sqrt_price_x96 if zero_for_one else limit > pool.sqrt_price_x96
    swap = (zero_for_one, amount if exact_in else -amount, limit if beyond else 0)
    assert pool.swap(*swap) == swap_reference(pool, *swap)


@settings(max_examples=200, deadline=None)
@given(pools(), st.booleans(), st.data())
def test_the_fast_swap_is_the_loop_where_it_lands_on_a_step(
    pool: Pool, zero_for_one: bool, data: st.DataObject
) -> None:
    steps = list(swap_steps(pool, zero_for_one, data.draw(st.sampled_from([1, -1])) * 10**60))
    steps = steps[: data.draw(st.integers(1, min(40, len(steps))))]
    beside = data.draw(st.integers(-1, 1))
    for amount in (
        sum(step.amount_in + step.fee_amount for step in steps) + beside,
        -sum(step.amount_out for step in steps) + beside,
    ):
        if amount:
            assert pool.swap(zero_for_one, amount) == swap_reference(pool, zero_for_one, amount)


@settings(max_examples=300, deadline=None)
@given(pools(), ranges, liquidities, st.booleans(), amounts, st.booleans())
def test_the_fast_jit_is_mint_and_loop(
    pool: Pool, sketch: tuple[int, int], liquidity: int, zero_for_one: bool, amount: int, exact_in: bool
) -> None:
    swap = (zero_for_one, amount if exact_in else -amount, 0)
    lower, upper = _range_of(pool, sketch)
    assert jit_swap(pool, lower, upper, liquidity, *swap) == _jit_reference(
        pool, lower, upper, liquidity, *swap
    )


@settings(max_examples=150, deadline=None)
@given(pools(), st.lists(st.tuples(ranges, liquidities, st.booleans(), st.integers(0, 3)), max_size=6))
def test_edited_tables_are_built_tables(
    pool: Pool, edits: list[tuple[tuple[int, int], int, bool, int]]
) -> None:
    """Whatever is minted and burned, and whenever tables are asked for in between."""
    held = []
    for sketch, liquidity, undo, asked in edits:
        if asked & 1:
            pool.steps.towards(True)
        if asked & 2:
            pool.steps.towards(False)
        if undo and held:
            pool = pool.with_burn(*held.pop())
        else:
            held.append((*_range_of(pool, sketch), liquidity))
            pool = pool.with_mint(*held[-1])
    for zero_for_one in (True, False):
        edited = pool.steps.towards(zero_for_one)
        built = StepTable.build(TickTable(pool.tick_spacing, dict(pool.ticks)), pool.fee_pips, zero_for_one)
        for name in StepTable.__slots__:
            if not name.startswith("_"):
                assert getattr(edited, name) == getattr(built, name), name
        assert edited.protocol_before(4) == built.protocol_before(4)


@settings(max_examples=150, deadline=None)
@given(pools(), ranges, liquidities)
def test_burning_what_was_minted_leaves_nothing(pool: Pool, sketch: tuple[int, int], liquidity: int) -> None:
    position = (*_range_of(pool, sketch), liquidity)
    minted = pool.with_mint(*position)
    assert minted != pool
    assert minted.with_burn(*position) == pool
    assert minted.with_burn(*position[:2], 0) is minted


@settings(max_examples=200, deadline=None)
@given(pools(), st.booleans(), amounts)
def test_a_round_trip_never_pays(pool: Pool, zero_for_one: bool, amount: int) -> None:
    there = pool.swap(zero_for_one, amount)
    got = -(there.amount1 if zero_for_one else there.amount0)
    paid = there.amount0 if zero_for_one else there.amount1
    assume(got)
    after = pool.with_swap(*there[2:5])
    back = after.swap(not zero_for_one, got, pool.sqrt_price_x96 if after != pool else 0)
    assert -(back.amount0 if zero_for_one else back.amount1) <= paid


@settings(max_examples=200, deadline=None)
@given(pools(), st.booleans(), amounts, amounts)
def test_more_in_gives_no_less_out_and_moves_no_less(
    pool: Pool, zero_for_one: bool, amount: int, more: int
) -> None:
    small, large = pool.swap(zero_for_one, amount), pool.swap(zero_for_one, amount + more)
    if zero_for_one:
        assert -large.amount1 >= -small.amount1
        assert large.sqrt_price_x96 <= small.sqrt_price_x96
    else:
        assert -large.amount0 >= -small.amount0
        assert large.sqrt_price_x96 >= small.sqrt_price_x96


@settings(max_examples=200, deadline=None)
@given(pools(), ranges, liquidities, st.booleans(), amounts)
def test_what_the_trader_gets_someone_gave(
    pool: Pool, sketch: tuple[int, int], liquidity: int, zero_for_one: bool, amount: int
) -> None:
    """Our position never takes out more than it put in plus what the swap brought, token by token."""
    outcome = jit_swap(pool, *_range_of(pool, sketch), liquidity, zero_for_one, amount)
    assert outcome.burned0 + outcome.fees0 <= outcome.minted0 + max(outcome.swap.amount0, 0)
    assert outcome.burned1 + outcome.fees1 <= outcome.minted1 + max(outcome.swap.amount1, 0)


@settings(max_examples=300, deadline=None)
@given(prices, liquidities, st.integers(MIN_TICK, MAX_TICK), amounts, st.booleans(), st.integers(0, 999_999))
def test_a_step_stays_between_price_and_target(
    price: int, liquidity: int, target_tick: int, amount: int, exact_in: bool, fee_pips: int
) -> None:
    target = get_sqrt_ratio_at_tick(target_tick)
    remaining = amount if exact_in else -amount
    after, spent, received, fee = compute_swap_step(price, target, liquidity, remaining, fee_pips)
    assert min(price, target) <= after <= max(price, target)
    if exact_in:
        assert spent + fee <= amount
    else:
        assert received <= amount
    if after != target:
        assert (spent + fee if exact_in else received) == amount


@settings(max_examples=300, deadline=None)
@given(prices, st.integers(MIN_TICK, MAX_TICK), st.integers(MIN_TICK, MAX_TICK), amounts, amounts)
def test_liquidity_for_amounts_is_the_greatest(
    price: int, tick_a: int, tick_b: int, amount0: int, amount1: int
) -> None:
    assume(tick_a != tick_b)
    a, b = get_sqrt_ratio_at_tick(tick_a), get_sqrt_ratio_at_tick(tick_b)
    liquidity = liquidity_for_amounts(price, a, b, amount0, amount1)
    need0, need1 = amounts_for_liquidity(price, a, b, liquidity, True)
    assert need0 <= amount0
    assert need1 <= amount1
    if liquidity < MAX_UINT128:
        more0, more1 = amounts_for_liquidity(price, a, b, liquidity + 1, True)
        assert more0 > amount0 or more1 > amount1


@settings(max_examples=500, deadline=None)
@given(prices)
def test_a_price_lies_in_its_tick(price: int) -> None:
    tick = get_tick_at_sqrt_ratio(price)
    assert get_sqrt_ratio_at_tick(tick) <= price < get_sqrt_ratio_at_tick(tick + 1)
