"""How much one mint may take: what we hold, what the operator allows, what the executor contract enforces.

The contract values a mint at the pool's TWAP, bounds its notional and the distance of spot and range from the
TWAP, and reserves the worst loss at the TWAP and at the tick that the block began with, which is our head's:
the worth of what is minted less the least that the position can be worth, which it is when the pool's price
stands at the one in question, or at the edge of the range next to it.
"""

from __future__ import annotations

from jitctl.amm.jit import JitOutcome
from jitctl.amm.liquidity_math import amounts_for_liquidity
from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK, get_sqrt_ratio_at_tick
from jitctl.domain.plan import Capital
from jitctl.domain.values import PoolSpec
from jitctl.strategy.limits import PoolLimits, StrategyParams
from jitctl.strategy.profit import Valuer, pool_valuer, twap_valuer
from jitctl.strategy.sizing import Caps, LossCap, ValueCap

_NO_LIMITS = PoolLimits()
_WEI_PER_GWEI = 10**9
_TWAP_STEP_TICKS = 1
"""How far the TWAP may move until our block: it moves by a block's part of its window."""


class MintBounds:
    """One pool's bounds for one decision. Where no TWAP tick is known the pool's own price stands in."""

    __slots__ = (
        "began_mark", "cap0", "cap1", "contract_mark", "limits", "loss_marks", "max_loss_wei",
        "max_notional_wei", "max_value_wei", "pool", "spot", "twap_tick",
    )  # fmt: skip

    def __init__(
        self,
        spec: PoolSpec,
        pool: Pool,
        params: StrategyParams,
        capital: Capital,
        twap_tick: int | None,
        loss_budget_left_wei: int | None,
    ) -> None:
        self.pool = pool
        self.limits = params.pool_limits.get(spec.address, _NO_LIMITS)
        # A unit short: the plan's maximum amounts have a margin of one.
        self.cap0 = max(params.token_cap(spec.token0.address, capital) - 1, 0)
        self.cap1 = max(params.token_cap(spec.token1.address, capital) - 1, 0)
        self.spot = pool_valuer(spec, pool.sqrt_price_x96)
        self.twap_tick = pool.tick if twap_tick is None else twap_tick
        self.contract_mark = self.spot if twap_tick is None else twap_valuer(spec, twap_tick)
        self.began_mark = pool_valuer(spec, get_sqrt_ratio_at_tick(pool.tick))
        self.max_value_wei = params.max_notional_wei
        # The contract reads its TWAP a block later than we do, hence a margin on its bounds.
        kept = 10_000 - params.contract_margin_bps
        notional, loss = self.limits.max_notional_wei, loss_budget_left_wei
        self.max_notional_wei = None if notional is None else notional * kept // 10_000
        self.max_loss_wei = None if loss is None else loss * kept // 10_000
        step = _TWAP_STEP_TICKS if params.contract_margin_bps else 0
        self.loss_marks = [
            (price, pool_valuer(spec, price), _slack_wei(spec, price))
            for price in map(get_sqrt_ratio_at_tick, {*_nearest_ticks(self.twap_tick, step), pool.tick})
        ]

    def refusal(self) -> str:
        """Return why the contract would take no mint at all here, "" if it might."""
        most = self.limits.max_spot_ticks
        distance = abs(self.pool.tick - self.twap_tick)
        if most is None or distance <= most:
            return ""
        return f"the spot price is {distance} ticks from the TWAP, the contract allows {most}"

    def caps(self, zero_for_one: bool) -> Caps:
        """Return the bounds in the terms of a swap's input and output token."""

        def in_out(of_token0: float, of_token1: float) -> tuple[float, float]:
            return (of_token0, of_token1) if zero_for_one else (of_token1, of_token0)

        def prices(mark: Valuer) -> tuple[float, float]:
            return in_out(float(mark.price0), float(mark.price1))

        values = [ValueCap(*prices(self.spot), float(self.max_value_wei))]
        if self.max_notional_wei is not None:
            values.append(ValueCap(*prices(self.contract_mark), float(self.max_notional_wei)))
        losses: tuple[LossCap, ...] = ()
        if self.max_loss_wei is not None:
            losses = tuple(
                # Two more units, since minted amounts are rounded up and those that remain down.
                LossCap(prices(mark)[0], price, max(float(self.max_loss_wei - slack - mark.wei(2, 2)), 0.0))
                for price, mark, slack in self.loss_marks
            )
        amount_in, amount_out = in_out(float(self.cap0), float(self.cap1))
        return Caps(amount_in, amount_out, tuple(values), self.twap_tick, self.limits.max_range_ticks, losses)

    def allows(self, tick_lower: int, tick_upper: int, liquidity: int, outcome: JitOutcome) -> bool:
        """Return whether a mint's exact amounts stay within every bound on its value."""
        minted0, minted1 = outcome.minted0, outcome.minted1
        if minted0 > self.cap0 or minted1 > self.cap1 or self.spot.wei(minted0, minted1) > self.max_value_wei:
            return False
        most = self.max_notional_wei
        if most is not None and self.contract_mark.wei(minted0, minted1) > most:
            return False
        if self.max_loss_wei is None:
            return True
        lower, upper = get_sqrt_ratio_at_tick(tick_lower), get_sqrt_ratio_at_tick(tick_upper)
        return all(
            mark.wei(minted0, minted1)
            - mark.wei(*amounts_for_liquidity(price, lower, upper, liquidity, False))
            + slack
            <= self.max_loss_wei
            for price, mark, slack in self.loss_marks
        )


def _nearest_ticks(tick: int, step: int) -> tuple[int, ...]:
    return (max(tick - step, MIN_TICK), min(tick + step, MAX_TICK)) if step else (tick,)


def _slack_wei(spec: PoolSpec, sqrt_price_x96: int) -> int:
    """Return what the contract adds for roundings: three units of the other token, wei, and whole gwei."""
    return pool_valuer(spec, sqrt_price_x96).wei(3, 3) + 16 + _WEI_PER_GWEI
