"""What the operator allows the strategy to do: floors, caps, gas assumptions, margins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from jitctl.domain.engine_state import CrisisLevel
from jitctl.domain.guards import PoolRules
from jitctl.domain.plan import Capital
from jitctl.domain.values import Address
from jitctl.strategy.inclusion import InclusionModel


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """One pool's limits as the executor contract enforces them; None is no limit.

    `max_notional_wei` bounds a mint's value, `max_range_ticks` and `max_spot_ticks` the distance of the
    range and of the spot price from the pool's TWAP, `max_tip_share_bps` the tip as a share of the fees.
    Where `may_open` is False the contract takes no mint at all.
    """

    max_notional_wei: int | None = None
    max_range_ticks: int | None = None
    max_spot_ticks: int | None = None
    max_tip_share_bps: int | None = None
    may_open: bool = True

    def within(self, rules: PoolRules) -> PoolLimits:
        """Return the tighter of these and the contract's own rules, limit by limit."""
        return PoolLimits(
            max_notional_wei=_least(self.max_notional_wei, rules.max_notional_wei),
            max_range_ticks=_least(self.max_range_ticks, rules.max_range_ticks),
            max_spot_ticks=_least(self.max_spot_ticks, rules.max_spot_ticks),
            max_tip_share_bps=_least(self.max_tip_share_bps, rules.max_tip_bps),
            may_open=self.may_open and rules.may_open,
        )


@dataclass(frozen=True, slots=True)
class CrisisEffect:
    """What a crisis level does: the profit floor times `floor_factor`, sizes divided by `size_divisor`."""

    floor_factor: int = 1
    size_divisor: int = 1
    new_attempts: bool = True


CRISIS_EFFECTS: Mapping[CrisisLevel, CrisisEffect] = {
    CrisisLevel.OFF: CrisisEffect(),
    CrisisLevel.LOW: CrisisEffect(2, 2),
    CrisisLevel.MEDIUM: CrisisEffect(4, 4),
    CrisisLevel.HIGH: CrisisEffect(4, 4, new_attempts=False),
    CrisisLevel.CRITICAL: CrisisEffect(4, 4, new_attempts=False),
}


@dataclass(frozen=True, slots=True)
class StrategyParams:
    """Everything `evaluate` needs that is neither the market nor the transaction. The defaults are safe.

    limits      `min_profit_wei` is the least net (after gas and bid); `max_notional_wei` the most WETH value
                of one mint; `max_per_token` base units per token; `size_share` what part of the capital at
                hand one mint may take.
    bid         between two shares of the surplus (value minus gas), and never above the contract's share of
                the fees (`max_tip_share_bps`).
    gas         units of both legs into ticks that exist, and of each tick that our mint initialises.
                `victim_*` estimate the user's own use, and what crossing a tick fresh from us adds to it.
    margins     `fee_margin_bps` off the fees demanded at burn, `contract_margin_bps` off the contract's
                bounds on a mint's value (its TWAP moves), `*_band_ppm` around the sqrt prices planned, and
                `unbundle_risk_bps` of the mint's gas is charged for the case that our leg lands alone.
    sizing      how many ranges go to the exact simulator, how far one of them is refined, and how many
                alternatives a proposal carries.
    """

    min_profit_wei: int = 1_000_000_000_000_000
    max_notional_wei: int = 20 * 10**18
    max_per_token: Mapping[Address, int] = field(default_factory=dict)
    pool_limits: Mapping[Address, PoolLimits] = field(default_factory=dict)
    size_share: Fraction = Fraction(1)
    max_mark_age_s: float = 60.0
    new_attempts: bool = True

    bid_min_share_bps: int = 5_000
    bid_max_share_bps: int = 9_500
    max_tip_share_bps: int = 9_000
    inclusion: InclusionModel = field(default_factory=InclusionModel)

    mint_gas_units: int = 243_000
    tick_init_gas_units: int = 60_000
    burn_gas_units: int = 173_000
    victim_base_gas_units: int = 60_000
    victim_hop_gas_units: int = 75_000
    victim_tick_gas_units: int = 26_000
    victim_fresh_tick_up_gas_units: int = 50_000
    victim_fresh_tick_down_gas_units: int = 15_000

    fee_margin_bps: int = 100
    contract_margin_bps: int = 50
    mint_band_ppm: int = 0
    burn_band_ppm: int = 50
    unbundle_risk_bps: int = 10
    slot_s: float = 12.0
    deadline_margin_s: float = 0.0

    max_candidates: int = 4
    refine_evaluations: int = 6
    max_alternatives: int = 2

    def under(self, level: CrisisLevel) -> StrategyParams:
        """Return the parameters as a crisis level tightens them."""
        effect = CRISIS_EFFECTS[level]
        divisor = effect.size_divisor
        return replace(
            self,
            min_profit_wei=self.min_profit_wei * effect.floor_factor,
            max_notional_wei=self.max_notional_wei // divisor,
            max_per_token={token: cap // divisor for token, cap in self.max_per_token.items()},
            pool_limits={
                pool: replace(limits, max_notional_wei=limits.max_notional_wei // divisor)
                if limits.max_notional_wei is not None
                else limits
                for pool, limits in self.pool_limits.items()
            },
            size_share=self.size_share / divisor,
            new_attempts=self.new_attempts and effect.new_attempts,
        )

    def within(self, rules: Mapping[Address, PoolRules]) -> StrategyParams:
        """Return the parameters as the executor contract's rules tighten them."""
        if not rules:
            return self
        tightened = {
            pool: self.pool_limits.get(pool, PoolLimits()).within(each) for pool, each in rules.items()
        }
        return replace(self, pool_limits={**self.pool_limits, **tightened})

    def token_cap(self, token: Address, capital: Capital) -> int:
        """Return how many base units of `token` one mint may use."""
        held = capital.available.get(token, 0)
        cap = held * self.size_share.numerator // self.size_share.denominator
        return min(cap, self.max_per_token.get(token, cap))

    def tip_share_cap_bps(self, pool: Address) -> int:
        """Return the largest share of the fees that may be tipped in `pool`."""
        limits = self.pool_limits.get(pool)
        if limits is None or limits.max_tip_share_bps is None:
            return self.max_tip_share_bps
        return min(self.max_tip_share_bps, limits.max_tip_share_bps)


def _least(own: int | None, contracts: int) -> int:
    return contracts if own is None else min(own, contracts)
