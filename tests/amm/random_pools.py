"""Random pools of named shapes, and random swaps and ranges that look for their corners."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from jitctl.amm.pool import Pool
from jitctl.amm.revert import PoolReverts
from jitctl.amm.swap_loop import swap_steps
from jitctl.amm.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
)

SPACING_OF_FEE = {100: 1, 500: 10, 3000: 60, 10000: 200}


class Position(NamedTuple):
    lower: int
    upper: int
    liquidity: int


class Shape(NamedTuple):
    """The price to start at and who provides liquidity where."""

    sqrt_price_x96: int
    positions: list[Position]


class Swap(NamedTuple):
    zero_for_one: bool
    amount: int
    limit: int


def usable(tick: int, spacing: int) -> int:
    """Return the nearest usable tick at or below."""
    most = MAX_TICK // spacing * spacing
    return max(-most, min(most, tick // spacing * spacing))


def _positions(rng: Random, spacing: int, centre: int, count: int, reach: int, width: int) -> list[Position]:
    found = []
    while len(found) < count:
        lower = usable((centre + rng.randint(-reach, reach)) * spacing, spacing)
        upper = usable(lower + rng.randint(1, width) * spacing, spacing)
        if lower < upper:
            found.append(Position(lower, upper, int(10 ** rng.uniform(12, 23))))
    return found


def _price_in(rng: Random, tick: int) -> int:
    low, high = get_sqrt_ratio_at_tick(tick), get_sqrt_ratio_at_tick(tick + 1)
    return rng.choice([low, high - 1, rng.randint(low, high - 1)])


def dense(rng: Random, spacing: int) -> Shape:
    """Many neighbouring positions around the price, over a full-range one."""
    centre = rng.randint(-100_000, 100_000) // spacing
    edge = MAX_TICK // spacing * spacing
    positions = [Position(-edge, edge, 10**18), *_positions(rng, spacing, centre, 30, 40, 12)]
    return Shape(_price_in(rng, centre * spacing + rng.randint(-5, 5)), positions)


def sparse(rng: Random, spacing: int) -> Shape:
    """A few islands, words apart, with nothing between them."""
    centre = rng.randint(-1000, 1000)
    positions = [
        island
        for _ in range(5)
        for island in _positions(rng, spacing, centre + rng.randint(-900, 900), 2, 5, rng.choice([2, 300]))
    ]
    return Shape(_price_in(rng, positions[0].lower + rng.randint(0, spacing)), positions)


def word_edges(rng: Random, spacing: int) -> Shape:
    """Ticks on, before and after the edges of bitmap words; the price too."""
    word = rng.randint(-3, 3)
    spaced = [(word + offset) * 256 + by for offset in (-1, 0, 1, 2) for by in (-1, 0, 1)]
    positions = []
    for _ in range(8):
        lower, upper = sorted(rng.sample(spaced, 2))
        positions.append(Position(lower * spacing, upper * spacing, int(10 ** rng.uniform(14, 22))))
    return Shape(_price_in(rng, rng.choice(spaced) * spacing + rng.choice([0, 0, -1, 1])), positions)


def one_position(rng: Random, spacing: int) -> Shape:
    """A single position and a price in or beside it."""
    lower = usable(rng.randint(-300_000, 300_000), spacing)
    position = Position(lower, lower + rng.choice([1, 3, 400]) * spacing, int(10 ** rng.uniform(3, 27)))
    return Shape(_price_in(rng, lower + rng.randint(-spacing, 2 * spacing)), [position])


def extreme(rng: Random, spacing: int) -> Shape:
    """Near the lowest or the highest price there is, where roundings are coarse."""
    side = rng.choice([-1, 1])
    centre = side * (MAX_TICK // spacing - rng.choice([30, 600]))
    positions = _positions(rng, spacing, centre, 6, 25, 40)
    tick = min(MAX_TICK - 2, max(MIN_TICK + 2, centre * spacing))
    return Shape(_price_in(rng, tick), positions)


def dust(rng: Random, spacing: int) -> Shape:
    """Liquidity so thin that single units decide."""
    centre = rng.randint(-50, 50)
    positions = [
        position._replace(liquidity=int(10 ** rng.uniform(0, 6)))
        for position in _positions(rng, spacing, centre, 12, 20, 30)
    ]
    return Shape(_price_in(rng, centre * spacing), positions)


SHAPES: dict[str, Callable[[Random, int], Shape]] = {
    shape.__name__: shape for shape in (dense, sparse, word_edges, one_position, extreme, dust)
}


def random_fee_protocol(rng: Random) -> tuple[int, int]:
    """Return the shares of token0 and token1: off, one side, both."""
    return rng.choice([(0, 0), (4, 0), (0, 6), (4, 4), (10, 5), (rng.randint(4, 10), rng.randint(4, 10))])


def _random_limit(rng: Random, pool: Pool, zero_for_one: bool) -> int:
    most = MAX_SQRT_RATIO - 1 if not zero_for_one else MIN_SQRT_RATIO + 1
    if rng.random() < 0.4:
        return most
    sign = -1 if zero_for_one else 1
    word = 256 * pool.tick_spacing
    tick = rng.choice(
        [
            pool.tick + sign * rng.randint(0, 3 * pool.tick_spacing),
            pool.tick + sign * int(10 ** rng.uniform(0, 5)),
            rng.choice(pool.ticks.ordered or [0]),
            (pool.tick // word + sign * rng.randint(0, 3)) * word,
            (pool.tick // word + sign * rng.randint(0, 3)) * word - pool.tick_spacing,
        ]
    )
    limit = get_sqrt_ratio_at_tick(max(MIN_TICK, min(MAX_TICK, tick))) + rng.choice([0, 0, 0, 1, -1])
    beyond = limit < pool.sqrt_price_x96 if zero_for_one else limit > pool.sqrt_price_x96
    return limit if beyond and MIN_SQRT_RATIO < limit < MAX_SQRT_RATIO else most


def random_swap(rng: Random, pool: Pool) -> Swap:
    """Return a swap that the contract accepts: either way, exact in or out, sometimes landing on a step."""
    zero_for_one = rng.random() < 0.5
    if rng.random() < 0.15 and pool.ticks:  # come back towards the liquidity
        zero_for_one = pool.tick > pool.ticks.ordered[len(pool.ticks) // 2]
    if pool.sqrt_price_x96 <= MIN_SQRT_RATIO + 1:
        zero_for_one = False
    elif pool.sqrt_price_x96 >= MAX_SQRT_RATIO - 1:
        zero_for_one = True
    limit = _random_limit(rng, pool, zero_for_one)
    amount = rng.choice([1, -1]) * max(1, int(10 ** rng.uniform(0, rng.choice([3, 18, 26]))))
    if rng.random() < 0.4:
        amount = _landing(rng, pool, zero_for_one, amount, limit)
    return Swap(zero_for_one, amount, limit)


def _landing(rng: Random, pool: Pool, zero_for_one: bool, amount: int, limit: int) -> int:
    """Return an amount that ends exactly on some step of the swap, or a unit beside it."""
    everything = 10**40 if amount > 0 else -(10**40)
    try:
        steps = list(swap_steps(pool, zero_for_one, everything, limit))[:60]
    except PoolReverts:
        return amount
    steps = steps[: rng.randint(1, len(steps))]
    if amount > 0:
        landing = sum(step.amount_in + step.fee_amount for step in steps)
    else:
        landing = -sum(step.amount_out for step in steps)
    return landing + rng.choice([0, 0, 1, -1]) or amount


def random_range(rng: Random, pool: Pool, swap: Swap) -> Position:
    """Return a range around the price, on either side of it, where the swap ends, or far and wide."""
    spacing = pool.tick_spacing
    end = pool.swap(*swap).tick
    towards = -1 if swap.zero_for_one else 1
    anchor = rng.choice([pool.tick, pool.tick, end, rng.choice(pool.ticks.ordered or [0])])
    lower = anchor + spacing * rng.choice([0, 0, towards, -towards, -2, 2, rng.randint(-400, 400)])
    width = rng.choice([1, 1, 1, 2, 3, 20, 300, 2000])
    lower = usable(lower, spacing)
    upper = usable(lower + width * spacing, spacing)
    if lower == upper:
        lower -= spacing
    scale = pool.liquidity or 10**15
    return Position(lower, upper, max(1, int(scale * 10 ** rng.uniform(-3, 4))) % 10**29)
