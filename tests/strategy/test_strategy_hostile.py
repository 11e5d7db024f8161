"""Whatever the pool, the amounts and the limits are: an answer, never an exception."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from strategy_cases import SwapCase, random_case

from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick
from jitctl.domain.plan import Capital, Marks, Propose
from jitctl.domain.values import ZERO_HASH
from jitctl.strategy.jit import evaluate
from jitctl.strategy.limits import PoolLimits, StrategyParams

AMOUNTS = (1, 2, 10, 10**6, 10**18, 10**25, 1 << 128, 1 << 200, (1 << 255) - 1)


def extreme_pool(rng: random.Random, like: Pool) -> Pool:
    kind = rng.randrange(4)
    spacing = like.tick_spacing
    tick, price, liquidity, ticks = like.tick, like.sqrt_price_x96, 0, {}
    if kind == 0:
        return like
    if kind == 1:
        tick = rng.choice((MIN_TICK, MAX_TICK - 1, -880_000, 880_000))
        price = get_sqrt_ratio_at_tick(tick)
    if kind == 2:
        furthest = MAX_TICK // spacing * spacing
        liquidity = rng.choice((1, 10**6, 10**20, 10**28))
        ticks = {-furthest: (liquidity, liquidity), furthest: (liquidity, -liquidity)}
    return Pool.from_state(
        fee_pips=like.fee_pips,
        tick_spacing=spacing,
        sqrt_price_x96=price,
        tick=tick,
        liquidity=liquidity,
        fee_protocol=like.fee_protocol,
        ticks=ticks,
    )


def extreme_case(rng: random.Random) -> SwapCase:
    case = random_case(rng.randrange(10**9))
    token = case.spec.quote_token.address
    usual = case.marks.weth_wei_per_base_unit[token]
    amount = rng.choice(AMOUNTS) * rng.choice((1, -1))
    return replace(
        case,
        pool=extreme_pool(rng, case.pool),
        amount_specified=amount if rng.random() < 0.8 else case.amount_specified,
        capital=Capital(
            {held: rng.choice((0, 1, 2, 10**6, 10**20, 1 << 200)) for held in case.capital.available}
        ),
        marks=Marks(
            {token: rng.choice((Fraction(1, 10**30), Fraction(10**30), usual))},
            Fraction(1),
            "test",
            0.0,
            ZERO_HASH,
        ),
    )


@pytest.mark.parametrize("seed", range(10))
def test_evaluate_answers_everything(seed):
    rng = random.Random(seed)
    for _ in range(150):
        case = extreme_case(rng)
        pool = case.spec.address
        params = StrategyParams(
            min_profit_wei=rng.choice((0, 1, 10**15)),
            max_notional_wei=rng.choice((0, 1, 10**18, 10**30, 10**60)),
            pool_limits={
                pool: PoolLimits(
                    rng.choice((None, 0, 10**18)), rng.choice((None, 0, 5, 100)), rng.choice((None, 1000))
                )
            },
        )
        twap = min(max(case.pool.tick + rng.randint(-50, 50), MIN_TICK), MAX_TICK)
        decision = evaluate(
            case.view,
            case.swap_tx,
            params,
            case.capital,
            case.marks,
            1_700_000_001.0,
            rng.choice((0, 7, 10**10)),
            twap_ticks=rng.choice((None, {pool: twap})),
            loss_budget_left_wei=rng.choice((None, 0, 10**18)),
        )
        if isinstance(decision, Propose):
            for plan in (decision.plan, *decision.alternatives):
                assert plan.liquidity > 0
                assert plan.net_wei >= params.min_profit_wei
                assert 0 <= plan.bid_wei <= plan.value_wei
                assert plan.amount0_max <= max(case.capital.available[case.spec.token0.address], 1)
                assert plan.amount1_max <= max(case.capital.available[case.spec.token1.address], 1)
