"""Range and size against brute force on the exact simulator; the closed form against its textbook case."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from fractions import Fraction
from math import sqrt

import pytest
from brute_force import BoundedBruteForce, BruteForce, ExistingTicks
from strategy_cases import Q96, SwapCase, hard_case, long_case, random_case, sparse_case

from jitctl.amm.jit import jit_swap
from jitctl.domain.plan import Capital, Propose, Skip, SkipReason
from jitctl.strategy.candidates import find_candidates
from jitctl.strategy.flow import Flow
from jitctl.strategy.jit import evaluate
from jitctl.strategy.limits import PoolLimits, StrategyParams
from jitctl.strategy.sizing import Caps, Sizer

FULL = bool(os.environ.get("JITCTL_FULL"))
LEAST_SHARE = Fraction(999, 1000)
NOW_S = 1_700_000_001.0
NOTHING_WEI = 10**6
"""Profits below this many wei are rounding."""


def decide(
    case: SwapCase,
    tick_gas_wei: int = 0,
    range_ticks: int | None = None,
    bid_min_share_bps: int = 0,
    **more,
) -> Skip | Propose:
    """Evaluate for value less the cost of new ticks: no floor, no bid, no other gas, no margins."""
    params = StrategyParams(
        min_profit_wei=0,
        max_notional_wei=case.max_notional_wei,
        mint_gas_units=0,
        burn_gas_units=0,
        tick_init_gas_units=1 if tick_gas_wei else 0,
        bid_min_share_bps=bid_min_share_bps,
        unbundle_risk_bps=0,
        contract_margin_bps=0,
        pool_limits={case.spec.address: PoolLimits(max_range_ticks=range_ticks)},
    )
    return evaluate(case.view, case.swap_tx, params, case.capital, case.marks, NOW_S, tick_gas_wei, **more)


def hold_against(case: SwapCase, brute: BruteForce, tick_gas_wei: int = 0, **more) -> bool:
    """Assert that the decision reaches the brute force's best; True if there was anything to gain."""
    decision = decide(case, tick_gas_wei, **more)
    best, lower, upper, liquidity = brute.best()
    found = f"seed {case.seed}: brute force {best} wei with {liquidity} in [{lower}, {upper}]"
    if isinstance(decision, Skip):
        assert best <= NOTHING_WEI, f"{found}, skipped {decision}"
        return False
    plan = decision.plan
    mine = plan.value_wei - plan.gas_cost_wei
    again = brute.value(plan.tick_lower, plan.tick_upper, plan.liquidity)
    assert again == mine, f"seed {case.seed}: planned {mine}, the simulator and the caps say {again}"
    share = f"{found}, ours {mine} with {plan.liquidity} in [{plan.tick_lower}, {plan.tick_upper}]"
    assert mine >= best * LEAST_SHARE, share
    return True


@pytest.mark.parametrize("block", range(40 if FULL else 7))
def test_no_range_and_size_does_better(block):
    compared = 0
    for seed in range(block * 100, block * 100 + 100):
        case = random_case(seed)
        compared += hold_against(case, BruteForce(case))
    assert compared >= 72  # so that 700 cases compare more than 500


@pytest.mark.parametrize("block", range(20 if FULL else 2))
def test_cost_of_new_ticks_is_weighed(block):
    for seed in range(10_000 + block * 100, 10_000 + block * 100 + 100):
        case = random_case(seed)
        hold_against(case, BruteForce(case, gas_wei_per_new_tick=10**15), 10**15)


@pytest.mark.parametrize("block", range(20 if FULL else 2))
def test_long_swaps_and_gaps_without_liquidity(block):
    for seed in range(20_000 + block * 60, 20_000 + block * 60 + 60):
        case = hard_case(seed)
        if case is not None:
            hold_against(case, BruteForce(case, max_width=6, max_cells=160))


@pytest.mark.parametrize("block", range(20 if FULL else 2))
def test_the_contracts_bounds_bind(block):
    for seed in range(30_000 + block * 80, 30_000 + block * 80 + 80):
        case = random_case(seed)
        rng = random.Random(seed)
        twap_tick = case.pool.tick + rng.randint(-30, 30)
        loss_wei = int(case.max_notional_wei * 10 ** rng.uniform(-3.5, -1))
        range_ticks = case.pool.tick_spacing * rng.choice((3, 8, 10_000))
        hold_against(
            case,
            BoundedBruteForce(case, twap_tick, loss_wei, range_ticks),
            range_ticks=range_ticks,
            twap_ticks={case.spec.address: twap_tick},
            loss_budget_left_wei=loss_wei,
        )


@pytest.mark.parametrize("block", range(10 if FULL else 1))
def test_ticks_that_exist_far_off_are_worth_a_wide_range(block):
    """Few ticks exist, and new ones are dear: the best range may be as wide as the gaps between them."""
    wide = 0
    for seed in range(40_000 + block * 25, 40_000 + block * 25 + 25):
        case = sparse_case(seed)
        tick_gas_wei = int(10 ** random.Random(seed).uniform(-4, -1.5) * case.max_notional_wei / 1000)
        hold_against(case, ExistingTicks(case, gas_wei_per_new_tick=tick_gas_wei), tick_gas_wei)
        decision = decide(case, tick_gas_wei)
        if isinstance(decision, Propose):
            wide += decision.plan.tick_upper - decision.plan.tick_lower > 7 * case.pool.tick_spacing
    assert wide


@pytest.mark.parametrize("block", range(10 if FULL else 1))
def test_swaps_over_more_cells_than_are_worth_trying_with_a_closer_look(block):
    compared = 0
    for seed in range(50_000 + block * 40, 50_000 + block * 40 + 40):
        case = long_case(seed)
        if case is not None:
            compared += hold_against(case, BruteForce(case, max_width=3, max_cells=130))
    assert compared > 4


@pytest.mark.parametrize("block", range(10 if FULL else 3))
def test_the_bid_does_not_choose_the_range(block):
    """A tip capped by small fees must not make the range with small fees look better."""
    proposed = 0
    for seed in range(block * 100, block * 100 + 100):
        case = random_case(seed)
        free = decide(case)
        bidding = decide(case, bid_min_share_bps=5_000)
        if isinstance(free, Propose) and isinstance(bidding, Propose):
            proposed += 1
            assert bidding.plan.value_wei == free.plan.value_wei, f"seed {seed}"
    assert proposed > 60


def _plain(seed: int = 3) -> SwapCase:
    """A pool with one position only, so that the textbook formula holds; the swap stays in its cell."""
    for candidate in range(seed, seed + 2_000):
        case = random_case(candidate)
        end = case.pool.swap(case.zero_for_one, case.amount_specified)
        spacing = case.pool.tick_spacing
        if (
            len(case.pool.ticks) == 2
            and case.amount_specified > 0
            and not case.sqrt_price_limit_x96
            and end.tick // spacing == case.pool.tick // spacing
            and case.pool.sqrt_price_x96 != end.sqrt_price_x96
        ):
            return case
    raise AssertionError("no such case among the seeds")


def _j_star(case: SwapCase, rho: float) -> float:
    """The formula of docs/economics.md, written down once more by hand."""
    pool = case.pool
    root = pool.sqrt_price_x96 / Q96
    s = 1 / root if case.zero_for_one else root
    fee = pool.fee_pips / 1e6
    nibble = pool.fee_protocol % 16 if case.zero_for_one else pool.fee_protocol >> 4
    g = fee * (1 - (1 / nibble if nibble else 0)) / (1 - fee)
    y = (1 - fee) * case.amount_specified
    x0 = y / (s * pool.liquidity)
    w = sqrt(rho * (1 + x0) / (1 + g)) - 1
    return pool.liquidity * (x0 / w - 1)


@pytest.mark.parametrize("seed", [3, 90, 400, 900])
def test_interior_size_is_the_textbook_one(seed):
    case = _plain(seed)
    flow = Flow(case.pool, case.zero_for_one, case.amount_specified)
    x0 = flow.end / flow.start - 1
    # Between "never enter" and "all that limits allow", which are (1 + g)(1 + x0) and (1 + g)/(1 + x0).
    rho = 1 + flow.gain
    sized = Sizer(flow, rho * flow.start**2, Caps(1e40, 1e40)).size(0, 1)
    assert sized is not None
    assert sized.liquidity == pytest.approx(_j_star(case, rho), rel=1e-5)
    assert x0 > 0


@pytest.mark.parametrize("seed", [3, 90, 400, 900])
def test_three_regimes(seed):
    case = _plain(seed)
    flow = Flow(case.pool, case.zero_for_one, case.amount_specified)
    x0 = flow.end / flow.start - 1
    caps = Caps(1e24, 1e24)

    def at(rho: float) -> Sizer:
        return Sizer(flow, rho * flow.start**2, caps)

    never = (1 + flow.gain) * (1 + x0)
    everything = (1 + flow.gain) / (1 + x0)
    assert at(never * (1 + x0) * 1.0001).informed()
    assert at(never * 1.0001).size(0, 1) is None
    low = at(everything * 0.9999)
    assert low.size(0, 1).liquidity == pytest.approx(low.max_liquidity(0, 1))
    between = at((never + everything) / 2).size(0, 1)
    assert 0 < between.liquidity < low.max_liquidity(0, 1)


@pytest.mark.parametrize("seed", range(40))
def test_model_and_simulator_agree(seed):
    """The model's profit is the simulator's up to rounding, so its maximum is too."""
    case = replace(random_case(seed), sqrt_price_limit_x96=0)
    flow = Flow(case.pool, case.zero_for_one, case.amount_specified)
    mark = case.marks.weth_wei_per_base_unit[case.spec.quote_token.address]
    mark0, mark1 = (Fraction(1), mark) if case.spec.weth_is_token0 else (mark, Fraction(1))
    mark_in, mark_out = (mark0, mark1) if case.zero_for_one else (mark1, mark0)
    moved = case.pool.swap(case.zero_for_one, case.amount_specified)
    taken, given = (moved.amount0, -moved.amount1) if case.zero_for_one else (moved.amount1, -moved.amount0)
    sizer = Sizer(flow, float(mark_out / mark_in), Caps(30.0 * taken, 30.0 * given))
    for sized in find_candidates(sizer)[:4]:
        liquidity = int(sized.liquidity)
        out = jit_swap(
            case.pool, sized.tick_lower, sized.tick_upper, liquidity, case.zero_for_one, case.amount_specified
        )
        exact = (out.burned0 + out.fees0 - out.minted0) * mark0 + (
            out.burned1 + out.fees1 - out.minted1
        ) * mark1
        rounding = 6 * float(max(mark0, mark1))
        assert sized.value_in * float(mark_in) == pytest.approx(float(exact), rel=2e-5, abs=rounding)
        assert sized.adds_ticks == out.adds_ticks


def test_single_sided_ranges_are_used_when_only_the_output_token_is_held():
    """The far side needs only what the victim buys."""
    seen = 0
    for seed in range(120):
        case = random_case(seed)
        spec = case.spec
        token_in = (spec.token0 if case.zero_for_one else spec.token1).address
        capital = Capital({**case.capital.available, token_in: 0})
        decision = decide(replace(case, capital=capital))
        if isinstance(decision, Propose):
            plan = decision.plan
            assert (plan.expected_mint0 if case.zero_for_one else plan.expected_mint1) == 0
            seen += 1
        else:
            assert decision.reason in (
                SkipReason.NO_CAPITAL,
                SkipReason.UNPROFITABLE,
                SkipReason.INFORMED,
                SkipReason.TOO_SMALL,
            )
    assert seen > 20
