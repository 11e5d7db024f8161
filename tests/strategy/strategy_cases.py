"""Random pools, swaps and marks for the strategy's tests; everything from a seeded generator."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from fractions import Fraction

from jitctl.amm.pool import Pool
from jitctl.amm.revert import PoolReverts
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio
from jitctl.domain.chain import Head
from jitctl.domain.plan import Capital, Marks
from jitctl.domain.swap_intent import SwapHop, SwapIntent, SwapTx
from jitctl.domain.values import ZERO_HASH, Address, Hash32, PoolSpec, Token
from jitctl.strategy.market import MarketView

USDC = Token("USDC", Address("0x" + "11" * 20), 6)
WETH = Token("WETH", Address("0x" + "cc" * 20), 18)
USDT = Token("USDT", Address("0x" + "dd" * 20), 6)
DAI = Token("DAI", Address("0x" + "ee" * 20), 18)
SENDER = Address("0x" + "5e" * 20)
TX_HASH = Hash32("0x" + "ab" * 32)
Q96 = 1 << 96

SPACINGS = {500: 10, 3000: 60, 10000: 200}


def head(number: int = 100, timestamp_s: int = 1_700_000_000) -> Head:
    return Head(
        number,
        Hash32("0x" + "01" * 32),
        Hash32("0x" + "02" * 32),
        timestamp_s,
        10**9,
        30_000_000,
        15_000_000,
        Address("0x" + "00" * 20),
    )


def pool_spec(fee_pips: int, token0: Token, token1: Token, number: int = 1) -> PoolSpec:
    return PoolSpec(
        f"{token0.symbol}/{token1.symbol}-{fee_pips}",
        Address(f"0x{number:040x}"),
        token0,
        token1,
        fee_pips,
        SPACINGS[fee_pips],
        token0 is WETH,
    )


def random_pool(
    rng: random.Random,
    fee_pips: int,
    *,
    near_tick: int,
    positions: int,
    depth: float,
    fee_protocol: int = 0,
    width_spacings: int = 40,
) -> Pool:
    """A pool with one wide position and `positions` narrower ones around its price."""
    spacing = SPACINGS[fee_pips]
    centre = near_tick // spacing
    deltas: dict[int, list[int]] = {}

    def add(lower: int, upper: int, amount: int) -> None:
        for tick, net in ((lower, amount), (upper, -amount)):
            gross_net = deltas.setdefault(tick, [0, 0])
            gross_net[0] += amount
            gross_net[1] += net

    add((centre - 40 * width_spacings) * spacing, (centre + 40 * width_spacings) * spacing, int(depth))
    for _ in range(positions):
        lower = centre + rng.randint(-width_spacings, width_spacings)
        upper = lower + rng.randint(1, width_spacings)
        add(
            lower * spacing,
            upper * spacing,
            int(depth * rng.choice((0.05, 0.3, 1.0, 3.0)) * rng.random()) + 1,
        )
    tick = near_tick + rng.randint(-spacing, spacing)
    low, high = get_sqrt_ratio_at_tick(tick), get_sqrt_ratio_at_tick(tick + 1)
    sqrt_price_x96 = rng.choice((low, rng.randint(low, high - 1), rng.randint(low, high - 1)))
    tick = get_tick_at_sqrt_ratio(sqrt_price_x96)
    table = {at: (gross, net) for at, (gross, net) in deltas.items()}
    liquidity = sum(net for at, (_, net) in table.items() if at <= tick)
    return Pool.from_state(
        fee_pips=fee_pips,
        tick_spacing=spacing,
        sqrt_price_x96=sqrt_price_x96,
        tick=tick,
        liquidity=liquidity,
        fee_protocol=fee_protocol,
        ticks=table,
    )


@dataclass(frozen=True)
class SwapCase:
    """One swap in one pool, with a mark and capital."""

    seed: int
    spec: PoolSpec
    pool: Pool
    zero_for_one: bool
    amount_specified: int
    sqrt_price_limit_x96: int
    marks: Marks
    capital: Capital
    max_notional_wei: int

    @property
    def view(self) -> MarketView:
        specs = {self.spec.address: self.spec}
        return MarketView.of(head(), specs, {self.spec.address: self.pool})

    @property
    def swap_tx(self) -> SwapTx:
        token_in, token_out = self.spec.token0.address, self.spec.token1.address
        if not self.zero_for_one:
            token_in, token_out = token_out, token_in
        exact_in = self.amount_specified > 0
        intent = SwapIntent(
            "v3",
            (SwapHop(token_in, token_out, self.spec.fee_pips),),
            exact_in,
            abs(self.amount_specified),
            0 if exact_in else 1 << 200,
            self.sqrt_price_limit_x96,
        )
        return SwapTx(TX_HASH, SENDER, 10_000_000, (intent,))


def random_case(seed: int) -> SwapCase:
    """A swap that may stay in its cell or cross dozens of ticks, either way, exact in or out, capital binding
    or not, the mark on either side of the price, protocol fee on or off."""
    rng = random.Random(seed)
    fee_pips = rng.choice((500, 3000, 10000))
    spacing = SPACINGS[fee_pips]
    weth_is_token0 = rng.random() < 0.5
    quote = rng.choice((USDC, DAI))
    decimals_gap = 18 - quote.decimals
    # About 2,500 quote tokens per WETH.
    raw_tick = 78_244 - int(decimals_gap * 23_027)
    if weth_is_token0:
        spec = pool_spec(fee_pips, WETH, Token(quote.symbol, Address("0x" + "fe" * 20), quote.decimals))
        near_tick = raw_tick
    else:
        spec = pool_spec(fee_pips, Token(quote.symbol, Address("0x" + "0a" * 20), quote.decimals), WETH)
        near_tick = -raw_tick
    # Liquidity such that one spacing of it is worth some hundred WETH.
    weth_per_spacing = 10 ** rng.uniform(0, 3)
    sqrt_p = 1.0001 ** (near_tick / 2)
    per_spacing = 1.0001 ** (spacing / 2) - 1
    depth = weth_per_spacing * 1e18 / per_spacing * (sqrt_p if weth_is_token0 else 1 / sqrt_p)
    protocol = rng.choice((0, 0, 4 | 4 << 4, 6 | 6 << 4, 10, 10 << 4))
    pool = random_pool(
        rng,
        fee_pips,
        near_tick=near_tick,
        positions=rng.choice((0, 3, 20, 60)),
        depth=depth,
        fee_protocol=protocol,
    )
    zero_for_one = rng.random() < 0.5
    swap_weth = weth_per_spacing * 10 ** rng.uniform(-1.5, 1.2)
    price1_per_0 = (pool.sqrt_price_x96 / Q96) ** 2
    exact_in = rng.random() < 0.6
    token0_amount = swap_weth * 1e18 if weth_is_token0 else swap_weth * 1e18 / price1_per_0
    token1_amount = token0_amount * price1_per_0
    amount = int(token0_amount if zero_for_one == exact_in else token1_amount)
    limit = 0
    if rng.random() < 0.15:
        away = rng.randint(1, 6 * spacing)
        limit = get_sqrt_ratio_at_tick(pool.tick - away if zero_for_one else pool.tick + 1 + away)
    end = pool.swap(zero_for_one, amount if exact_in else -amount, limit).sqrt_price_x96
    where = rng.choice((0.0, 0.0, 0.5, 1.0, rng.uniform(-1, 2)))
    sqrt_mark = pool.sqrt_price_x96 + int(where * (end - pool.sqrt_price_x96))
    squared = Fraction(sqrt_mark * sqrt_mark, 1 << 192)
    mark = 1 / squared if weth_is_token0 else squared
    plenty = rng.random() < 0.4
    scale = 1e6 if plenty else 10 ** rng.uniform(-1.5, 1)
    held_weth = int(scale * weth_per_spacing * 1e18)
    held_quote = int(held_weth * rng.choice((0.1, 1.0, 1.0)) / mark)
    if rng.random() < 0.1:
        held_quote = 0
    elif rng.random() < 0.1:
        held_weth = 0
    return SwapCase(
        seed,
        spec,
        pool,
        zero_for_one,
        amount if exact_in else -amount,
        limit,
        Marks({spec.quote_token.address: mark}, Fraction(2500), "test", 0.0, ZERO_HASH),
        Capital({WETH.address: held_weth, spec.quote_token.address: held_quote}),
        int(held_weth * rng.choice((0.5, 3.0, 100.0))) + 10**18,
    )


def hard_case(seed: int) -> SwapCase | None:
    """A longer swap, often through stretches without liquidity; None when the pool has nothing for it."""
    rng = random.Random(seed)
    case = random_case(seed)
    pool = case.pool
    if rng.random() < 0.5:
        pool = _without_floor(pool)
    amount = case.amount_specified * rng.choice((1, 3, 10, 40))
    try:
        end = pool.swap(case.zero_for_one, amount, case.sqrt_price_limit_x96)
    except PoolReverts:
        return None
    if abs(end.tick - pool.tick) > 150 * pool.tick_spacing:
        return None
    where = Fraction(rng.choice((0, 5, 9, 10)), 10)
    sqrt_mark = pool.sqrt_price_x96 + int(where * (end.sqrt_price_x96 - pool.sqrt_price_x96))
    squared = Fraction(sqrt_mark * sqrt_mark, 1 << 192)
    mark = 1 / squared if case.spec.weth_is_token0 else squared
    return replace(
        case,
        pool=pool,
        amount_specified=amount,
        marks=Marks({case.spec.quote_token.address: mark}, Fraction(2500), "test", 0.0, ZERO_HASH),
    )


def sparse_case(seed: int) -> SwapCase:
    """A short swap in a pool whose few ticks lie far apart."""
    rng = random.Random(seed)
    case = random_case(seed)
    spacing, centre = case.pool.tick_spacing, case.pool.tick // case.pool.tick_spacing
    liquidity = case.pool.liquidity
    deltas: dict[int, int] = {}
    for _ in range(rng.randint(2, 5)):
        lower, upper = (centre - rng.randint(3, 40)) * spacing, (centre + rng.randint(4, 40)) * spacing
        deltas[lower] = deltas.get(lower, 0) + liquidity
        deltas[upper] = deltas.get(upper, 0) - liquidity
    return _retargeted(_with_ticks(case, deltas), rng, rng.uniform(0.3, 5.0))


def long_case(seed: int) -> SwapCase | None:
    """A swap over 41 to 120 cells of uneven liquidity; None where the pool ends before."""
    rng = random.Random(seed)
    case = random_case(seed)
    if rng.random() < 0.5:
        case = replace(case, pool=_without_floor(case.pool))
    case = _retargeted(case, rng, rng.uniform(41.0, 120.0))
    end = case.pool.swap(case.zero_for_one, case.amount_specified)
    cells = abs(end.tick - case.pool.tick) // case.pool.tick_spacing
    return case if 40 < cells < 125 else None


def _with_ticks(case: SwapCase, deltas: dict[int, int]) -> SwapCase:
    pool = case.pool
    nets = {tick: net for tick, net in deltas.items() if net}
    ticks = {tick: (abs(net), net) for tick, net in nets.items()}
    changed = Pool.from_state(
        fee_pips=pool.fee_pips,
        tick_spacing=pool.tick_spacing,
        sqrt_price_x96=pool.sqrt_price_x96,
        tick=pool.tick,
        liquidity=sum(net for tick, net in nets.items() if tick <= pool.tick),
        fee_protocol=pool.fee_protocol,
        ticks=ticks,
    )
    return replace(case, pool=changed)


def _retargeted(case: SwapCase, rng: random.Random, cells: float) -> SwapCase:
    """The swap made as long as that many cells, with the mark somewhere on its way and plenty of capital."""
    pool = case.pool
    away = max(1, int(cells * pool.tick_spacing)) * (-1 if case.zero_for_one else 1)
    limit = get_sqrt_ratio_at_tick(pool.tick + away)
    moved = pool.swap(case.zero_for_one, 10**60, limit)
    taken = moved.amount0 if case.zero_for_one else moved.amount1
    sqrt_mark = pool.sqrt_price_x96 + int(
        Fraction(rng.choice((0, 3, 6)), 10) * (moved.sqrt_price_x96 - pool.sqrt_price_x96)
    )
    squared = Fraction(sqrt_mark * sqrt_mark, 1 << 192)
    mark = 1 / squared if case.spec.weth_is_token0 else squared
    price = 1 if (case.zero_for_one == case.spec.weth_is_token0) else mark
    size = int(taken * price) * rng.choice((1, 10, 1000)) + 10**18
    return replace(
        case,
        amount_specified=taken,
        sqrt_price_limit_x96=0,
        marks=Marks({case.spec.quote_token.address: mark}, Fraction(2500), "test", 0.0, ZERO_HASH),
        capital=Capital({WETH.address: size, case.spec.quote_token.address: int(size / mark)}),
        max_notional_wei=10 * size,
    )


def _without_floor(pool: Pool) -> Pool:
    """The pool without its one wide position, so that gaps open between the narrow ones."""
    ticks = {tick: (info.liquidity_gross, info.liquidity_net) for tick, info in pool.ticks.items()}
    lowest, highest = min(ticks), max(ticks)
    amount = ticks[lowest][0]
    if len(ticks) < 6 or ticks[lowest] != (amount, amount) or ticks[highest] != (amount, -amount):
        return pool
    del ticks[lowest], ticks[highest]
    return Pool.from_state(
        fee_pips=pool.fee_pips,
        tick_spacing=pool.tick_spacing,
        sqrt_price_x96=pool.sqrt_price_x96,
        tick=pool.tick,
        liquidity=sum(net for tick, (_, net) in ticks.items() if tick <= pool.tick),
        fee_protocol=pool.fee_protocol,
        ticks=ticks,
    )
