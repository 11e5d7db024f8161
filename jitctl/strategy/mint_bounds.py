"""How much one mint may take: what we hold, what the operator allows, what the executor contract enforces.

The contract values a mint at the pool's TWAP, bounds its notional, the distance of spot and range from the
TWAP, and reserves the worst loss: every unit is traded inside the range, at a price within 1.0001^d of the
TWAP for the further end's distance of d ticks, so the loss is at most d / 10,000 of the value.
"""

from __future__ import annotations

from math import inf

from jitctl.amm.jit import JitOutcome
from jitctl.amm.pool import Pool
from jitctl.domain.plan import Capital
from jitctl.domain.values import PoolSpec
from jitctl.strategy.limits import PoolLimits, StrategyParams
from jitctl.strategy.profit import pool_valuer, twap_valuer
from jitctl.strategy.sizing import Caps, ValueCap

_NO_LIMITS = PoolLimits()


class MintBounds:
    """One pool's bounds for one decision. Where no TWAP tick is known the pool's own price stands in."""

    __slots__ = (
        "cap0", "cap1", "contract_mark", "limits", "max_loss_wei", "max_notional_wei", "max_value_wei",
        "pool", "spot", "twap_tick",
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
        self.max_value_wei = params.max_notional_wei
        # The contract reads its TWAP a block later than we do, hence a margin on its bounds.
        kept = 10_000 - params.contract_margin_bps
        notional, loss = self.limits.max_notional_wei, loss_budget_left_wei
        self.max_notional_wei = None if notional is None else notional * kept // 10_000
        self.max_loss_wei = None if loss is None else loss * kept // 10_000

    def refusal(self) -> str:
        """Return why the contract would take no mint at all here, "" if it might."""
        most = self.limits.max_spot_ticks
        distance = abs(self.pool.tick - self.twap_tick)
        if most is None or distance <= most:
            return ""
        return f"the spot price is {distance} ticks from the TWAP, the contract allows {most}"

    def caps(self, zero_for_one: bool) -> Caps:
        """Return the bounds in the terms of a swap's input and output token."""
        spot, contract = self.spot, self.contract_mark
        pairs = [
            (float(self.cap0), float(self.cap1)),
            (float(spot.price0), float(spot.price1)),
            (float(contract.price0), float(contract.price1)),
        ]
        (amount_in, amount_out), spot_in_out, contract_in_out = (
            pair if zero_for_one else (pair[1], pair[0]) for pair in pairs
        )
        values = [ValueCap(*spot_in_out, float(self.max_value_wei))]
        notional, loss = self.max_notional_wei, self.max_loss_wei
        if notional is not None or loss is not None:
            values.append(
                ValueCap(
                    *contract_in_out,
                    inf if notional is None else float(notional),
                    inf if loss is None else float(loss),
                )
            )
        return Caps(amount_in, amount_out, tuple(values), self.twap_tick, self.limits.max_range_ticks)

    def allows(self, tick_lower: int, tick_upper: int, outcome: JitOutcome) -> bool:
        """Return whether a mint's exact amounts stay within every bound on its value."""
        minted0, minted1 = outcome.minted0, outcome.minted1
        if minted0 > self.cap0 or minted1 > self.cap1 or self.spot.wei(minted0, minted1) > self.max_value_wei:
            return False
        if self.max_notional_wei is None and self.max_loss_wei is None:
            return True
        value = self.contract_mark.wei(minted0, minted1)
        if self.max_notional_wei is not None and value > self.max_notional_wei:
            return False
        distance = max(abs(tick_lower - self.twap_tick), abs(tick_upper - self.twap_tick))
        return self.max_loss_wei is None or value * distance <= self.max_loss_wei * 10_000
