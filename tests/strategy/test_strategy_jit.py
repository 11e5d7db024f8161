"""The decision: every reason to leave a transaction alone, and what a plan promises."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import pyrevm
import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from strategy_cases import DAI, SENDER, TX_HASH, USDC, USDT, WETH, head, pool_spec, random_pool

from jitctl.amm.jit import jit_swap
from jitctl.amm.swap_loop import swap_steps
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.contracts.build import compile_source
from jitctl.domain.engine_state import CrisisLevel
from jitctl.domain.guards import PoolRules
from jitctl.domain.plan import Capital, JitPlan, Marks, Propose, Skip, SkipReason
from jitctl.domain.swap_intent import BalanceFloor, RouterBalance, SwapHop, SwapIntent, SwapTx
from jitctl.domain.values import ZERO_HASH, Address, Hash32, Token
from jitctl.strategy.jit import evaluate, next_block_time_s
from jitctl.strategy.limits import PoolLimits, StrategyParams
from jitctl.strategy.market import MarketView, index_pairs
from jitctl.strategy.walk import Position, Walk

NOW_S = 1_700_000_001.0
BASE_FEE_WEI = 10**9
ETHER = 10**18
UNWATCHED = Token("FOO", Address("0x" + "f0" * 20), 18)

USDC_WETH = pool_spec(500, USDC, WETH, 1)
WETH_USDT = pool_spec(500, WETH, USDT, 2)
WETH_DAI = pool_spec(3000, WETH, DAI, 3)
SPECS = {spec.address: spec for spec in (USDC_WETH, WETH_USDT, WETH_DAI)}


def pools():
    rng = random.Random(7)
    raw = 78_244 - 12 * 23_027
    return {
        USDC_WETH.address: random_pool(rng, 500, near_tick=-raw, positions=30, depth=3e18),
        WETH_USDT.address: random_pool(rng, 500, near_tick=raw, positions=30, depth=3e18),
        WETH_DAI.address: random_pool(rng, 3000, near_tick=78_244, positions=30, depth=3e24),
    }


VIEW = MarketView.of(head(), SPECS, pools())


def spot(spec) -> Fraction:
    squared = Fraction(VIEW.pools[spec.address].sqrt_price_x96 ** 2, 1 << 192)
    return 1 / squared if spec.weth_is_token0 else squared


MARKS = Marks(
    {spec.quote_token.address: spot(spec) for spec in SPECS.values()}, Fraction(2500), "test", 1.0, ZERO_HASH
)
CAPITAL = Capital(
    {WETH.address: 5_000 * ETHER, USDC.address: 10**13, USDT.address: 10**13, DAI.address: 10**25}
)
PARAMS = StrategyParams(max_notional_wei=5_000 * ETHER)
IN_USDC = (SwapHop(USDC.address, WETH.address, 500),)
IN_WETH = (SwapHop(WETH.address, USDC.address, 500),)


def swap(hops=IN_WETH, amount=400 * ETHER, exact_in=True, limit=None, **more) -> SwapIntent:
    return SwapIntent(
        "v3", hops, exact_in, amount, (0 if exact_in else 1 << 200) if limit is None else limit, **more
    )


def victim(*intents: SwapIntent, gas_limit=2_000_000, **more) -> SwapTx:
    return SwapTx(TX_HASH, SENDER, gas_limit, intents or (swap(),), **more)


def decide(
    swap_tx=None, *, view=VIEW, params=PARAMS, capital=CAPITAL, marks=MARKS, base_fee=BASE_FEE_WEI, **more
):
    return evaluate(view, swap_tx or victim(), params, capital, marks, NOW_S, base_fee, **more)


class Probe:
    """The executor contract's own arithmetic, on a real EVM."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="CANCUN")
        self.evm.set_balance(SENDER, ETHER)
        source = Path(__file__).parent.parent / "contracts" / "MathProbe.vy"
        self.at = self.evm.deploy(SENDER, bytes.fromhex(compile_source(source)["bytecode"][2:]))

    def _ask(self, signature: str, *arguments: int | bool) -> int:
        types = signature[signature.index("(") + 1 : -1].split(",")
        data = keccak(signature.encode())[:4] + encode(types, arguments)
        return int.from_bytes(self.evm.message_call(SENDER, self.at, data), "big")

    def bound_wei(self, plan: JitPlan, twap_tick: int) -> int:
        """What the contract reserves for a plan's mint, in whole gwei."""
        price = get_sqrt_ratio_at_tick(twap_tick)
        weth0 = SPECS[plan.pool].weth_is_token0
        worth = "worth(uint256,uint256,uint256,bool,bool)"
        minted = self._ask(worth, plan.expected_mint0, plan.expected_mint1, price, weth0, True)
        bound = "bound(uint256,uint256,int24,int24,uint256,bool)"
        loss = self._ask(bound, minted, plan.liquidity, plan.tick_lower, plan.tick_upper, price, weth0)
        return -(-loss // 10**9) * 10**9


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe()


def reason(swap_tx=None, **more) -> SkipReason:
    decision = decide(swap_tx, **more)
    assert isinstance(decision, Skip), decision
    return decision.reason


def plan_of(swap_tx=None, **more) -> JitPlan:
    decision = decide(swap_tx, **more)
    assert isinstance(decision, Propose), decision
    return decision.plan


class TestSkips:
    def test_no_swap(self):
        assert reason(SwapTx(TX_HASH, SENDER, 21_000, ())) is SkipReason.NOT_A_SWAP

    @pytest.mark.parametrize(("deadline_s", "lands"), [(1_700_000_012, True), (1_700_000_011, False)])
    def test_deadline_against_the_next_blocks_time(self, deadline_s, lands):
        decision = decide(victim(swap(deadline_s=deadline_s)))
        assert isinstance(decision, Propose) is lands
        assert lands or decision.reason is SkipReason.EXPIRED

    def test_a_missed_slot_moves_the_next_blocks_time(self):
        assert next_block_time_s(head(timestamp_s=1_000), 1_001.0, 12.0) == 1_012
        assert next_block_time_s(head(timestamp_s=1_000), 1_012.0, 12.0) == 1_012
        assert next_block_time_s(head(timestamp_s=1_000), 1_013.5, 12.0) == 1_024

    def test_another_parent(self):
        assert reason(victim(required_parent=Hash32("0x" + "77" * 32))) is SkipReason.EXPIRED
        assert isinstance(decide(victim(required_parent=VIEW.head.hash)), Propose)

    def test_unwatched_pool(self):
        hops = (SwapHop(WETH.address, UNWATCHED.address, 500),)
        assert reason(victim(swap(hops))) is SkipReason.UNWATCHED_POOL

    def test_watched_pool_behind_an_unwatched_one(self):
        hops = (SwapHop(UNWATCHED.address, WETH.address, 500), *IN_WETH)
        assert reason(victim(swap(hops))) is SkipReason.UNWATCHED_POOL

    def test_watched_pool_in_front_of_an_unwatched_one(self):
        hops = (*IN_USDC, SwapHop(WETH.address, UNWATCHED.address, 500))
        assert plan_of(victim(swap(hops, 1_000_000 * 10**6, limit=10**30))).pool == USDC_WETH.address

    def test_exact_output_knows_amounts_from_the_far_end(self):
        known = (SwapHop(UNWATCHED.address, WETH.address, 500), *IN_WETH)
        assert plan_of(victim(swap(known, 1_000_000 * 10**6, False))).pool == USDC_WETH.address
        unknown = (*IN_USDC, SwapHop(WETH.address, UNWATCHED.address, 500))
        assert reason(victim(swap(unknown, 10**20, False))) is SkipReason.UNWATCHED_POOL

    def test_a_pool_that_an_unknown_amount_reaches_later_is_left_alone(self):
        unknown = swap((SwapHop(UNWATCHED.address, WETH.address, 500), *IN_WETH), 5)
        assert reason(victim(swap(), unknown)) is SkipReason.UNWATCHED_POOL

    def test_disabled_pool(self):
        view = MarketView(VIEW.head, {}, VIEW.pools, index_pairs(SPECS))
        assert reason(view=view) is SkipReason.POOL_DISABLED

    def test_stale_pool(self):
        others = {address: pool for address, pool in VIEW.pools.items() if address != USDC_WETH.address}
        assert reason(view=MarketView.of(VIEW.head, SPECS, others)) is SkipReason.POOL_STALE

    def test_busy_pool(self):
        assert reason(busy_pools={USDC_WETH.address}) is SkipReason.POOL_BUSY

    def test_too_small(self):
        assert reason(victim(swap(amount=ETHER // 100))) is SkipReason.TOO_SMALL

    def test_unprofitable_after_gas_or_after_the_bid(self):
        plan = plan_of()
        for floor_wei in (plan.value_wei, plan.net_wei + plan.bid_wei // 2):
            assert reason(params=replace(PARAMS, min_profit_wei=floor_wei)) is SkipReason.UNPROFITABLE
        assert reason(base_fee=5_000 * BASE_FEE_WEI) is SkipReason.TOO_SMALL

    def test_informed_flow(self):
        # WETH is sold into a pool that pays far more USDC for it than it is worth outside.
        dearer_usdc = {USDC.address: spot(USDC_WETH) * Fraction(13, 10)}
        marks = replace(MARKS, weth_wei_per_base_unit=dearer_usdc)
        assert reason(marks=marks) is SkipReason.INFORMED

    def test_no_capital(self):
        assert reason(capital=Capital({})) is SkipReason.NO_CAPITAL

    def test_stale_or_missing_mark(self):
        assert reason(marks=replace(MARKS, age_s=61.0)) is SkipReason.MARK_STALE
        assert reason(marks=replace(MARKS, weth_wei_per_base_unit={})) is SkipReason.MARK_STALE

    def test_victim_without_gas_to_spare(self):
        """Only single-sided ranges are affordable here, and they put fresh ticks in the victim's way."""
        bare = VIEW.pools[USDC_WETH.address]
        lowest, highest = min(bare.ticks), max(bare.ticks)
        flat = type(bare).from_state(
            fee_pips=500,
            tick_spacing=10,
            sqrt_price_x96=bare.sqrt_price_x96,
            tick=bare.tick,
            liquidity=bare.liquidity,
            ticks={lowest: (bare.liquidity, bare.liquidity), highest: (bare.liquidity, -bare.liquidity)},
        )
        view = MarketView.of(VIEW.head, SPECS, {**VIEW.pools, USDC_WETH.address: flat})
        capital = Capital({USDC.address: 10**13})
        free = decide(view=view, capital=capital)
        assert isinstance(free, Propose)
        assert all(plan.adds_ticks for plan in (free.plan, *free.alternatives))
        assert reason(victim(gas_limit=170_000), view=view, capital=capital) is SkipReason.VICTIM_GAS
        assert plan_of(victim(gas_limit=170_000), view=view).adds_ticks == 0

    @pytest.mark.parametrize("level", list(CrisisLevel))
    def test_crisis_levels(self, level):
        decision = decide(params=PARAMS.under(level))
        if level in (CrisisLevel.HIGH, CrisisLevel.CRITICAL):
            assert decision == Skip(SkipReason.NOT_RUNNING, decision.detail)
        else:
            assert isinstance(decision, Propose)


class TestWouldFail:
    def test_minimum_output_is_exact(self):
        output = -VIEW.pools[USDC_WETH.address].swap(False, 400 * ETHER).amount0
        assert isinstance(decide(victim(swap(limit=output))), Propose)
        assert reason(victim(swap(limit=output + 1))) is SkipReason.WOULD_FAIL

    def test_maximum_input_is_exact(self):
        wanted = 500_000 * 10**6
        spent = VIEW.pools[USDC_WETH.address].swap(False, -wanted).amount1
        assert isinstance(decide(victim(swap(amount=wanted, exact_in=False, limit=spent))), Propose)
        assert reason(victim(swap(amount=wanted, exact_in=False, limit=spent - 1))) is SkipReason.WOULD_FAIL

    def test_router_floor_over_two_swaps_with_a_portion(self):
        one, two = swap(amount=300 * ETHER), swap(amount=100 * ETHER)
        walk = Walk(VIEW, victim(one, two))
        total = sum(walk.outputs)
        kept = total - total * 25 // 10_000

        def with_floor(minimum: int) -> SwapTx:
            return victim(one, two, floors=(BalanceFloor(RouterBalance(0, (0, 1), (25,)), minimum),))

        assert isinstance(decide(with_floor(kept)), Propose)
        assert reason(with_floor(kept + 1)) is SkipReason.WOULD_FAIL

    @pytest.mark.parametrize("amount", [0, 1 << 255, 1 << 256])
    def test_amounts_no_pool_accepts(self, amount):
        assert reason(victim(swap(amount=amount))) is SkipReason.WOULD_FAIL

    def test_price_limit_on_the_wrong_side(self):
        behind = get_sqrt_ratio_at_tick(VIEW.pools[USDC_WETH.address].tick - 5)
        assert reason(victim(swap(sqrt_price_limit_x96=behind))) is SkipReason.WOULD_FAIL

    def test_more_output_than_the_pool_has(self):
        assert reason(victim(swap(amount=10**30, exact_in=False))) is SkipReason.WOULD_FAIL


class TestMultiHop:
    def test_later_hop_gets_the_earlier_ones_output(self):
        hops = (*IN_USDC, SwapHop(WETH.address, DAI.address, 3000))
        amount = 1_000_000 * 10**6
        first = VIEW.pools[USDC_WETH.address].swap(True, amount)
        walk = Walk(VIEW, victim(swap(hops, amount)))
        assert walk.visits[1].amount_specified == -first.amount1
        assert walk.outputs == [-walk.visits[1].result.amount1]

    def test_exact_output_walks_backward(self):
        hops = (*IN_USDC, SwapHop(WETH.address, DAI.address, 3000))
        wanted = 10**6 * ETHER
        last = VIEW.pools[WETH_DAI.address].swap(True, -wanted)
        walk = Walk(VIEW, victim(swap(hops, wanted, False)))
        assert [visit.pool for visit in walk.visits] == [WETH_DAI.address, USDC_WETH.address]
        assert walk.visits[1].amount_specified == -last.amount0
        assert walk.paid == [walk.visits[1].amount_in]

    def test_the_better_pool_of_a_path_is_taken(self):
        hops = (*IN_USDC, SwapHop(WETH.address, DAI.address, 3000))
        tx = victim(swap(hops, 1_000_000 * 10**6))
        both = plan_of(tx)
        nets = {
            pool: plan_of(tx, busy_pools=set(SPECS) - {pool}).net_wei
            for pool in (USDC_WETH.address, WETH_DAI.address)
        }
        assert both.net_wei == max(nets.values())
        assert nets[both.pool] == both.net_wei

    def test_carried_balance_is_what_the_first_swap_paid_out(self):
        into = swap(IN_USDC, 10**12)
        carry = RouterBalance(ETHER, (0,), (100,))
        onward = swap((SwapHop(WETH.address, DAI.address, 3000),), ETHER, carry=carry)
        walk = Walk(VIEW, victim(into, onward))
        held = ETHER + walk.outputs[0]
        assert walk.visits[1].amount_specified == held - held // 100

    def test_partial_fill_at_a_price_limit(self):
        pool = VIEW.pools[USDC_WETH.address]
        limit = get_sqrt_ratio_at_tick(pool.tick + 8)
        walk = Walk(VIEW, victim(swap(amount=10**24, sqrt_price_limit_x96=limit)))
        assert walk.paid[0] < 10**24
        assert walk.visits[0].result.sqrt_price_x96 == limit
        plan = plan_of(victim(swap(amount=10**24, sqrt_price_limit_x96=limit)))
        assert plan.net_wei > 0


class TestSeveralIntents:
    def test_two_swaps_in_one_pool_are_applied_in_order(self):
        pool = VIEW.pools[USDC_WETH.address]
        first = pool.swap(False, 300 * ETHER)
        after = pool.with_swap(first.sqrt_price_x96, first.tick, first.liquidity)
        second = after.swap(False, 200 * ETHER)
        walk = Walk(VIEW, victim(swap(amount=300 * ETHER), swap(amount=200 * ETHER)))
        assert [visit.result for visit in walk.visits] == [first, second]

    def test_a_position_over_two_swaps_earns_on_both(self):
        tx = victim(swap(amount=300 * ETHER), swap(amount=200 * ETHER))
        plan = plan_of(tx)
        pool = VIEW.pools[USDC_WETH.address]
        whole = jit_swap(pool, plan.tick_lower, plan.tick_upper, plan.liquidity, False, 500 * ETHER)
        # Two swaps are one longer swap, but for a wei of rounding here and there.
        assert plan.expected_fees1 == pytest.approx(whole.fees1, abs=4)
        assert plan.expected_burn0 == pytest.approx(whole.burned0, abs=10**4)
        assert plan.expected_mint0 == whole.minted0

    @pytest.mark.parametrize("seed", range(20))
    def test_fees_over_several_swaps_are_rounded_once(self, seed):
        """As the contract does, which knows only the growth between mint and burn."""
        rng = random.Random(seed)
        intents = tuple(swap(amount=rng.randrange(10**18, 10**20)) for _ in range(rng.randint(2, 6)))
        pool = VIEW.pools[USDC_WETH.address]
        lower = pool.tick // 10 * 10
        position = Position(USDC_WETH.address, lower, lower + 200, rng.randrange(10**15, 10**19))
        state, growth = pool.with_mint(*position[1:]), 0
        for intent in intents:
            for step in swap_steps(state, False, intent.amount):
                assert lower <= step.tick_before < lower + 200
                growth += ((step.fee_amount - step.protocol_fee) << 128) // step.liquidity
            state = state.with_swap(*state.swap(False, intent.amount)[2:5])
        assert Walk(VIEW, victim(*intents), position).jit.fees1 == growth * position.liquidity >> 128

    def test_there_and_back_is_simulated_whole(self):
        there = swap(amount=400 * ETHER)
        out = -VIEW.pools[USDC_WETH.address].swap(False, 400 * ETHER).amount0
        plan = plan_of(victim(there, swap(IN_USDC, out // 2)))
        assert plan.expected_fees0 > 0
        assert plan.expected_fees1 > 0


class TestPlan:
    def test_figures_are_the_simulators(self):
        plan = plan_of()
        pool = VIEW.pools[plan.pool]
        out = jit_swap(pool, plan.tick_lower, plan.tick_upper, plan.liquidity, False, 400 * ETHER)
        assert (plan.expected_mint0, plan.expected_mint1) == (out.minted0, out.minted1)
        assert (plan.expected_burn0, plan.expected_burn1) == (out.burned0, out.burned1)
        assert (plan.expected_fees0, plan.expected_fees1) == (out.fees0, out.fees1)
        assert (plan.amount0_max, plan.amount1_max) == (out.minted0 + 1, out.minted1 + 1)
        gained = (out.burned0 + out.fees0 - out.minted0) * spot(USDC_WETH)
        gained += out.burned1 + out.fees1 - out.minted1
        assert plan.value_wei == int(gained // 1)
        assert plan.net_wei == plan.value_wei - plan.gas_cost_wei - plan.bid_wei
        assert plan.min_fees_wei == out.fees1 * 99 // 100
        assert plan.adds_ticks == out.adds_ticks
        assert plan.victim_amount_in == 400 * ETHER
        assert (plan.parent_hash, plan.target_block) == (VIEW.head.hash, VIEW.head.number + 1)

    def test_bands(self):
        plan = plan_of()
        pool = VIEW.pools[plan.pool]
        assert plan.mint_sqrt_price_min_x96 == plan.mint_sqrt_price_max_x96 == pool.sqrt_price_x96
        out = jit_swap(pool, plan.tick_lower, plan.tick_upper, plan.liquidity, False, 400 * ETHER)
        after = out.swap.sqrt_price_x96
        assert plan.burn_sqrt_price_min_x96 == after - after * 50 // 10**6
        assert plan.burn_sqrt_price_max_x96 == after + after * 50 // 10**6
        loose = plan_of(params=replace(PARAMS, mint_band_ppm=100))
        assert loose.mint_sqrt_price_min_x96 == pool.sqrt_price_x96 - pool.sqrt_price_x96 * 100 // 10**6

    def test_gas_is_charged_at_the_next_base_fee_with_new_ticks(self):
        plan = plan_of()
        ticks = VIEW.pools[plan.pool].ticks
        new = (plan.tick_lower not in ticks) + (plan.tick_upper not in ticks)
        units = PARAMS.mint_gas_units + PARAMS.burn_gas_units + new * PARAMS.tick_init_gas_units
        assert plan.gas_cost_wei == units * BASE_FEE_WEI

    def test_the_tip_stays_below_the_contracts_share_of_the_fees(self):
        for cap_bps in (9_000, 3_000, 0):
            params = replace(PARAMS, pool_limits={USDC_WETH.address: PoolLimits(max_tip_share_bps=cap_bps)})
            plan = plan_of(params=params)
            assert plan.bid_wei <= plan.min_fees_wei * cap_bps // 10_000

    def test_alternatives_prefer_ticks_that_exist(self):
        decision = decide(params=replace(PARAMS, max_candidates=12, max_alternatives=8))
        assert decision.alternatives
        surplus = decision.plan.value_wei - decision.plan.gas_cost_wei
        assert all(other.value_wei - other.gas_cost_wei <= surplus for other in decision.alternatives)
        key = [(other.adds_ticks > 0, -other.net_wei) for other in decision.alternatives]
        assert key == sorted(key)

    def test_both_directions_and_exact_output(self):
        assert plan_of(victim(swap(IN_USDC, 1_000_000 * 10**6))).zero_for_one
        assert plan_of(victim(swap(IN_USDC, 300 * ETHER, False))).victim_amount_specified == -300 * ETHER

    def test_same_inputs_same_plan(self):
        assert decide() == decide()


class TestContractBounds:
    TWAP = VIEW.pools[USDC_WETH.address].tick + 3
    TWAPS: ClassVar = {USDC_WETH.address: TWAP}

    def value_at_twap(self, plan: JitPlan) -> Fraction:
        price0 = Fraction(get_sqrt_ratio_at_tick(self.TWAP) ** 2, 1 << 192)
        return plan.expected_mint0 * price0 + plan.expected_mint1

    def limited(self, limits: PoolLimits, **more) -> Skip | Propose:
        params = replace(PARAMS, pool_limits={USDC_WETH.address: limits})
        return decide(params=params, twap_ticks=self.TWAPS, **more)

    def test_notional(self):
        free = self.value_at_twap(plan_of())
        plan = self.limited(PoolLimits(max_notional_wei=int(free / 5))).plan
        assert 0.9 * float(free) / 5 < self.value_at_twap(plan) <= free / 5

    def test_range_distance(self):
        for most in (10, 20, 40):
            decision = self.limited(PoolLimits(max_range_ticks=most))
            if isinstance(decision, Skip):
                assert decision.reason in (SkipReason.NO_CAPITAL, SkipReason.UNPROFITABLE)
                continue
            for plan in (decision.plan, *decision.alternatives):
                assert abs(plan.tick_lower - self.TWAP) <= most
                assert abs(plan.tick_upper - self.TWAP) <= most
        assert isinstance(decision, Propose)

    def test_spot_distance(self):
        assert isinstance(self.limited(PoolLimits(max_spot_ticks=3)), Propose)
        assert self.limited(PoolLimits(max_spot_ticks=2)).reason is SkipReason.NO_CAPITAL

    def test_a_pool_that_the_contract_does_not_open(self):
        assert self.limited(PoolLimits(may_open=False)).reason is SkipReason.POOL_DISABLED

    def test_the_contracts_rules_tighten_the_operators_limits_one_by_one(self):
        rules = PoolRules(
            may_open=True, max_spot_ticks=5, max_range_ticks=9, max_notional_wei=70, max_tip_bps=300
        )
        own = PoolLimits(max_notional_wei=60, max_spot_ticks=6)
        params = replace(PARAMS, pool_limits={USDC_WETH.address: own, WETH.address: own})
        held = params.within({USDC_WETH.address: rules, USDC.address: rules})
        assert held.pool_limits == {
            USDC_WETH.address: PoolLimits(60, 9, 5, 300),
            USDC.address: PoolLimits(70, 9, 5, 300),
            WETH.address: own,
        }
        assert held.tip_share_cap_bps(USDC.address) == 300
        assert not own.within(replace(rules, may_open=False)).may_open
        assert params.within({}) is params

    @pytest.mark.parametrize("offset", [-60, -3, 0, 1, 3, 25])
    @pytest.mark.parametrize("budget_wei", [ETHER // 1000, ETHER // 20, ETHER // 2, 3 * ETHER])
    @pytest.mark.parametrize("margin_bps", [0, 50])
    def test_loss_budget_holds_what_the_contract_reserves(self, probe, offset, budget_wei, margin_bps):
        twap = VIEW.pools[USDC_WETH.address].tick + offset
        decision = decide(
            params=replace(PARAMS, contract_margin_bps=margin_bps, min_profit_wei=1),
            twap_ticks={USDC_WETH.address: twap},
            loss_budget_left_wei=budget_wei,
            base_fee=1,
        )
        assert isinstance(decision, Propose), decision
        for plan in (decision.plan, *decision.alternatives):
            for tick in {twap, twap - (margin_bps > 0), twap + (margin_bps > 0), twap - offset}:
                assert probe.bound_wei(plan, tick) <= budget_wei

    def test_a_position_that_cannot_lose_at_the_twap_needs_no_budget(self):
        """Where the pool stands at its TWAP, a position is worth least as it is minted."""
        at_tick = get_sqrt_ratio_at_tick(VIEW.pools[USDC_WETH.address].tick)
        pool = replace(VIEW.pools[USDC_WETH.address], sqrt_price_x96=at_tick)
        view = MarketView.of(VIEW.head, SPECS, {**VIEW.pools, USDC_WETH.address: pool})
        params = replace(PARAMS, contract_margin_bps=0)
        twaps = {USDC_WETH.address: pool.tick}
        free = plan_of(view=view, params=params, twap_ticks=twaps)
        bound = plan_of(view=view, params=params, twap_ticks=twaps, loss_budget_left_wei=ETHER // 100)
        assert bound.value_wei == free.value_wei

    def test_no_budget_no_capital(self):
        assert reason(twap_ticks=self.TWAPS, loss_budget_left_wei=0) is SkipReason.NO_CAPITAL

    def test_fees_are_demanded_at_the_twap(self):
        tx = victim(swap(IN_USDC, 1_000_000 * 10**6))
        plan = plan_of(tx, twap_ticks=self.TWAPS)
        price0 = Fraction(get_sqrt_ratio_at_tick(self.TWAP) ** 2, 1 << 192)
        assert plan.min_fees_wei == int(plan.expected_fees0 * price0) * 99 // 100

    def test_capital_and_token_caps(self):
        some = Capital({WETH.address: 50 * ETHER, USDC.address: 10**11})
        plan = plan_of(capital=some, base_fee=1)
        assert plan.amount0_max <= 10**11
        assert plan.amount1_max <= 50 * ETHER
        capped = replace(PARAMS, max_per_token={USDC.address: 10**10, WETH.address: 7 * ETHER})
        plan = plan_of(params=replace(capped, min_profit_wei=1), base_fee=1)
        assert plan.amount0_max <= 10**10
        assert plan.amount1_max <= 7 * ETHER


def test_crisis_halves_and_quarters():
    params = replace(
        PARAMS,
        max_per_token={WETH.address: 8},
        pool_limits={USDC_WETH.address: PoolLimits(max_notional_wei=40, max_range_ticks=3)},
    )
    low, medium = params.under(CrisisLevel.LOW), params.under(CrisisLevel.MEDIUM)
    assert (low.min_profit_wei, medium.min_profit_wei) == (
        params.min_profit_wei * 2,
        params.min_profit_wei * 4,
    )
    assert (low.max_notional_wei, medium.max_notional_wei) == (2_500 * ETHER, 1_250 * ETHER)
    assert (low.max_per_token[WETH.address], medium.max_per_token[WETH.address]) == (4, 2)
    assert medium.pool_limits[USDC_WETH.address] == PoolLimits(max_notional_wei=10, max_range_ticks=3)
    assert medium.token_cap(USDC.address, Capital({USDC.address: 100})) == 25
    assert params.under(CrisisLevel.OFF) == params


def test_the_walk_with_a_position_is_the_simulator():
    plan = plan_of()
    walk = Walk(VIEW, victim(), Position(plan.pool, plan.tick_lower, plan.tick_upper, plan.liquidity))
    assert walk.failure == ""
    assert (walk.jit.fees0, walk.jit.fees1) == (plan.expected_fees0, plan.expected_fees1)
    without = Walk(VIEW, victim())
    assert walk.outputs[0] >= without.outputs[0]
