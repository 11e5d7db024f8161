"""One pool that a victim goes through: the plans that are worth an attempt there, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jitctl.amm.jit import JitOutcome, jit_swap
from jitctl.amm.liquidity_math import liquidity_for_amounts
from jitctl.amm.revert import PoolReverts
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.domain.plan import JitPlan, Marks, Skip, SkipReason
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import Address
from jitctl.strategy.candidates import find_candidates
from jitctl.strategy.flow import Flow
from jitctl.strategy.inclusion import choose_bid
from jitctl.strategy.limits import StrategyParams
from jitctl.strategy.market import MarketView
from jitctl.strategy.mint_bounds import MintBounds
from jitctl.strategy.profit import (
    Valuer,
    gas_units,
    mark_valuer,
    risk_wei,
    value_wei,
    victim_extra_gas,
    victim_headroom_gas,
)
from jitctl.strategy.sizing import Sized, Sizer
from jitctl.strategy.walk import Position, Visit, Walk

_MODEL_TOLERANCE = 1e-6
"""Where model and simulator differ by more, rounding matters and the size is refined on the simulator."""
_COARSE = 1e-5
"""Where they differ by more, so much that neighbouring sizes are worth noticeably different amounts."""
_SWEEP = 10
_SWEEP_STEP = 0.002
_ZERO_ADD_CANDIDATES = 2
_CUTS = (1 << 256, 1_000_000, 1_000)
"""Mints are rounded up, so a size at a bound can be over it: try it whole, then less 1/cut of it."""


class Simulated(NamedTuple):
    """A range and size with its exact outcome; `surplus_wei` is value minus gas."""

    surplus_wei: int
    value_wei: int
    gas_wei: int
    gas_units: int
    position: Position
    outcome: JitOutcome
    new_ticks: int


class PoolCase:
    """Everything about one pool for one transaction."""

    def __init__(
        self,
        view: MarketView,
        swap_tx: SwapTx,
        walk: Walk,
        address: Address,
        params: StrategyParams,
        next_base_fee_wei: int,
        bounds: MintBounds,
    ) -> None:
        self.view = view
        self.swap_tx = swap_tx
        self.walk = walk
        self.address = address
        self.spec = view.specs[address]
        self.pool = view.pools[address]
        self.params = params
        self.base_fee_wei = next_base_fee_wei
        self.bounds = bounds
        self.visits = [visit for visit in walk.visits if visit.pool == address]
        self.risk_wei = risk_wei(params, next_base_fee_wei)
        self.main = self._main_visit()

    def plans(self, marks: Marks) -> Skip | list[JitPlan]:
        """Return the plans worth an attempt, best first, or the reason why there is none."""
        params = self.params
        mark = mark_valuer(self.spec, marks)
        if mark is None or marks.age_s > params.max_mark_age_s:
            return self._skip(
                SkipReason.MARK_STALE, f"mark of {self.spec.quote_token.symbol}, {marks.age_s:.0f} s old"
            )
        if not self.bounds.limits.may_open:
            return self._skip(SkipReason.POOL_DISABLED, "not allowed by the contract, or without a TWAP")
        refusal = self.bounds.refusal()
        if refusal:
            return self._skip(SkipReason.NO_CAPITAL, refusal)
        price_in, price_out = self._in_out(float(mark.price0), float(mark.price1))
        flow = self._flow()
        tick_cost_in = params.tick_init_gas_units * self.base_fee_wei / price_in
        caps = self.bounds.caps(self.main.zero_for_one)
        sizer = Sizer(flow, price_out / price_in, caps, tick_cost_in)
        if sizer.informed():
            return self._skip(
                SkipReason.INFORMED, f"mark over end price {sizer.mark_ratio / flow.end**2:.6f}"
            )
        least_wei = gas_units(params, 0) * self.base_fee_wei + params.min_profit_wei + self.risk_wei
        bound_wei = sizer.bound_in() * price_in
        if bound_wei < least_wei:
            return self._skip(SkipReason.TOO_SMALL, f"at most {bound_wei:.0f} wei, {least_wei} needed")
        sized = find_candidates(sizer)
        if not sized:
            if sizer.starved or caps.amount_in + caps.amount_out <= 0.0:
                return self._skip(SkipReason.NO_CAPITAL, "no limit leaves room for a position")
            return self._skip(SkipReason.UNPROFITABLE, "no range gains at the mark")
        best_wei = sizer.worth(sized[0]) * price_in
        if best_wei * (1.0 + 1e-3) < least_wei:
            return self._skip(SkipReason.UNPROFITABLE, f"about {best_wei:.0f} wei, {least_wei} needed")
        worthy = [one for one in sized if sizer.worth(one) * price_in * (1.0 + 1e-3) >= least_wei]
        return self._plans(self._simulated(worthy, mark, price_in))

    def _main_visit(self) -> Visit:
        """Return the visit that decides where liquidity is wanted: the one that brings most value."""
        if len(self.visits) == 1:
            return self.visits[0]
        wei = self.bounds.spot.wei
        return max(
            self.visits,
            key=lambda visit: wei(visit.amount_in, 0) if visit.zero_for_one else wei(0, visit.amount_in),
        )

    def _flow(self) -> Flow:
        main = self.main
        amount = main.amount_specified
        alike = [v for v in self.visits if v.zero_for_one == main.zero_for_one]
        if len(alike) > 1 and all((v.amount_specified > 0) == (amount > 0) for v in alike):
            # Swaps one way, one after the other, are one longer flow.
            amount = sum(visit.amount_specified for visit in alike)
            main = alike[0]
            return Flow(main.before, main.zero_for_one, amount, main.sqrt_price_limit_x96)
        # Where it really ends: a remainder of floats must not carry the flow across a gap without liquidity.
        end = main.result.sqrt_price_x96
        limit = main.sqrt_price_limit_x96 if end == main.before.sqrt_price_x96 else end
        return Flow(main.before, main.zero_for_one, amount, limit)

    def _in_out(self, of_token0: float, of_token1: float) -> tuple[float, float]:
        return (of_token0, of_token1) if self.main.zero_for_one else (of_token1, of_token0)

    def _simulated(self, sized: Sequence[Sized], mark: Valuer, price_in: float) -> list[Simulated]:
        """Run the model's best on the exact simulator, refine the winner if need be; best first."""
        params = self.params
        chosen = list(sized[: params.max_candidates])
        chosen += [one for one in sized[params.max_candidates :] if not one.adds_ticks][:_ZERO_ADD_CANDIDATES]
        exact = []
        for one in chosen:
            simulated = self._simulate(one, int(one.liquidity), mark)
            if simulated is not None:
                exact.append((simulated, one))
        if not exact:
            return []
        exact.sort(key=lambda pair: pair[0].surplus_wei, reverse=True)
        best, model = exact[0]
        expected = model.value_in * price_in
        off = abs(best.value_wei - expected)
        if off > _COARSE * expected:
            best = self._swept(best, model, mark)
        if off > _MODEL_TOLERANCE * expected:
            exact[0] = (self._refined(best, model, mark), model)
        return [simulated for simulated, _ in exact]

    def _simulate(self, one: Sized, liquidity: int, mark: Valuer) -> Simulated | None:
        """Return the exact outcome of a range with a size, or with a little less where a bound cuts it."""
        lower, upper = one.tick_lower, one.tick_upper
        affordable = liquidity_for_amounts(
            self.pool.sqrt_price_x96,
            get_sqrt_ratio_at_tick(lower),
            get_sqrt_ratio_at_tick(upper),
            self.bounds.cap0,
            self.bounds.cap1,
        )
        liquidity = min(liquidity, affordable)
        for cut in _CUTS:
            position = Position(self.address, lower, upper, liquidity - liquidity // cut)
            outcome = self._outcome(position) if position.liquidity > 0 else None
            if outcome is None:
                return None
            if self.bounds.allows(lower, upper, position.liquidity, outcome):
                value = value_wei(outcome, mark)
                units = gas_units(self.params, one.new_ticks)
                gas = units * self.base_fee_wei
                return Simulated(value - gas, value, gas, units, position, outcome, one.new_ticks)
        return None

    def _outcome(self, position: Position) -> JitOutcome | None:
        if len(self.visits) > 1:
            return Walk(self.view, self.swap_tx, position).jit
        main = self.main
        try:
            return jit_swap(
                main.before,
                position.tick_lower,
                position.tick_upper,
                position.liquidity,
                main.zero_for_one,
                main.amount_specified,
                main.sqrt_price_limit_x96,
            )
        except PoolReverts:
            return None

    def _swept(self, best: Simulated, one: Sized, mark: Valuer) -> Simulated:
        """Try sizes all around the model's: where single base units count, the best is a lucky rounding."""
        start = best.position.liquidity
        for step in range(1, _SWEEP + 1):
            for sign in (-1, 1):
                other = self._simulate(one, int(start * (1.0 + sign * step * _SWEEP_STEP)), mark)
                if other is not None and other.surplus_wei > best.surplus_wei:
                    best = other
        return best

    def _refined(self, best: Simulated, one: Sized, mark: Valuer) -> Simulated:
        """Climb on the exact simulator from the model's size, with steps that shrink when they fail."""
        step = 0.02
        for _ in range(self.params.refine_evaluations // 2):
            moved = False
            for factor in (1.0 + step, 1.0 - step):
                other = self._simulate(one, int(best.position.liquidity * factor), mark)
                if other is not None and other.surplus_wei > best.surplus_wei:
                    best, moved = other, True
                    break
            if not moved:
                step /= 4
        return best

    def _plans(self, simulated: Sequence[Simulated]) -> Skip | list[JitPlan]:
        params = self.params
        if not simulated:
            return self._skip(SkipReason.NO_CAPITAL, "no size fits the capital exactly")
        plans: list[JitPlan] = []
        reason, detail = SkipReason.UNPROFITABLE, ""
        for one in simulated:
            plan = self._plan(one, plans[0] if plans else None)
            if plan.net_wei - self.risk_wei < max(params.min_profit_wei, 1):
                detail = detail or f"net {plan.net_wei} wei, the floor is {params.min_profit_wei}"
                continue
            extra = self._extra_gas(one)
            if extra > 0:
                headroom = self._headroom_gas()
                if extra > headroom:
                    reason, detail = SkipReason.VICTIM_GAS, f"adds {extra} gas, the user left {headroom}"
                    continue
            failure = self._failure_with_us(one)
            if failure:
                if not plans:
                    reason, detail = SkipReason.WOULD_FAIL, f"with us: {failure}"
                continue
            plans.append(plan)
            if len(plans) > params.max_alternatives:
                break
        if not plans:
            return self._skip(reason, detail)
        # The first has the largest surplus. Another's net may be larger only because its fees cap its tip
        # below the share that the operator wants bid.
        best, *others = plans
        others.sort(key=lambda plan: (plan.adds_ticks > 0, -plan.net_wei))
        return [best, *others]

    def _failure_with_us(self, one: Simulated) -> str:
        """Return why the user's transaction would revert with our position in place, "" if it would not."""
        known = one.outcome if len(self.visits) == 1 else None
        return Walk(self.view, self.swap_tx, one.position, known).failure

    def _headroom_gas(self) -> int:
        hops = sum(len(intent.hops) for intent in self.swap_tx.intents)
        crossed = sum(visit.result.ticks_crossed for visit in self.walk.visits)
        return max(victim_headroom_gas(self.params, self.swap_tx.gas_limit, hops, crossed), 0)

    def _extra_gas(self, one: Simulated) -> int:
        if not one.outcome.adds_ticks:
            return 0
        return victim_extra_gas(
            self.params,
            self.main.zero_for_one,
            one.outcome.adds_ticks,
            one.outcome.swap.ticks_crossed,
            self.main.result.ticks_crossed,
        )

    def _plan(self, one: Simulated, best: JitPlan | None) -> JitPlan:
        """Return the plan with its bid; an alternative bids the same share of its surplus as the best."""
        params, outcome, main = self.params, one.outcome, self.main
        min_fees_wei = (
            self.bounds.contract_mark.wei(outcome.fees0, outcome.fees1)
            * (10_000 - params.fee_margin_bps)
            // 10_000
        )
        # At most a share of the fees at the TWAP, and no more than they are worth where the block began.
        tip_cap_wei = min(
            min_fees_wei * params.tip_share_cap_bps(self.address) // 10_000,
            self.bounds.began_mark.wei(outcome.fees0, outcome.fees1),
        )
        surplus = max(one.surplus_wei, 0)
        least = min(surplus * params.bid_min_share_bps // 10_000, tip_cap_wei)
        most = min(surplus * params.bid_max_share_bps // 10_000, tip_cap_wei)
        # Do not bid the profit floor away, unless the least share already does.
        most = max(least, min(most, surplus - params.min_profit_wei - self.risk_wei))
        if best is None:
            bid_wei = choose_bid(params.inclusion, surplus, one.gas_units, least, most).bid_wei
        else:
            bid_wei = min(surplus * best.bid_wei // (best.bid_wei + best.net_wei), most)
        landing = params.inclusion.probability(bid_wei, one.gas_units, surplus)
        before = self.pool.sqrt_price_x96
        after = outcome.swap.sqrt_price_x96
        mint_slack = before * params.mint_band_ppm // 1_000_000
        burn_slack = after * params.burn_band_ppm // 1_000_000
        return JitPlan(
            victim_hash=self.swap_tx.tx_hash,
            pool=self.address,
            zero_for_one=main.zero_for_one,
            victim_amount_specified=main.amount_specified,
            tick_lower=one.position.tick_lower,
            tick_upper=one.position.tick_upper,
            liquidity=one.position.liquidity,
            amount0_max=outcome.minted0 + 1,
            amount1_max=outcome.minted1 + 1,
            mint_sqrt_price_min_x96=before - mint_slack,
            mint_sqrt_price_max_x96=before + mint_slack,
            burn_sqrt_price_min_x96=after - burn_slack,
            burn_sqrt_price_max_x96=after + burn_slack,
            expected_mint0=outcome.minted0,
            expected_mint1=outcome.minted1,
            expected_burn0=outcome.burned0,
            expected_burn1=outcome.burned1,
            expected_fees0=outcome.fees0,
            expected_fees1=outcome.fees1,
            min_fees_wei=min_fees_wei,
            value_wei=one.value_wei,
            gas_cost_wei=one.gas_wei,
            bid_wei=bid_wei,
            net_wei=one.surplus_wei - bid_wei,
            victim_amount_in=main.amount_in,
            adds_ticks=outcome.adds_ticks,
            parent_hash=self.view.head.hash,
            target_block=self.view.head.number + 1,
            notes={"pLanding": f"{landing:.4f}", "newTicks": str(one.new_ticks)},
        )

    def _skip(self, reason: SkipReason, detail: str) -> Skip:
        return Skip(reason, detail, self.address)
