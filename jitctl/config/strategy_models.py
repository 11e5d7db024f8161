"""strategy.toml; its defaults are those of `strategy.limits.StrategyParams`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from jitctl.config.models import LimitsConfig, Model
from jitctl.config.values import Bps, Wei, refuse
from jitctl.strategy.limits import StrategyParams

GasUnits = Annotated[int, Field(ge=0, le=10_000_000)]
Ppm = Annotated[int, Field(ge=0, le=1_000_000)]
_DEFAULT = StrategyParams()


class BidConfig(Model):
    """What the builder gets: shares of the surplus (value minus gas), and at most a share of the fees."""

    min_share_bps: Bps = _DEFAULT.bid_min_share_bps
    max_share_bps: Bps = _DEFAULT.bid_max_share_bps
    max_tip_share_bps: Bps = _DEFAULT.max_tip_share_bps

    @model_validator(mode="after")
    def _ordered(self) -> BidConfig:
        if self.min_share_bps > self.max_share_bps:
            least, most = self.min_share_bps, self.max_share_bps
            raise refuse("JC122", f"min_share_bps ({least}) is larger than max_share_bps ({most})")
        return self


class GasConfig(Model):
    """Gas units: our two legs, each tick that the mint initialises, and the victim's own use.

    At `floor_gas_price_wei` a lone leg must not cost more than the least profit: else there is a warning.
    """

    mint_gas: GasUnits = _DEFAULT.mint_gas_units
    tick_init_gas: GasUnits = _DEFAULT.tick_init_gas_units
    burn_gas: GasUnits = _DEFAULT.burn_gas_units
    victim_base_gas: GasUnits = _DEFAULT.victim_base_gas_units
    victim_hop_gas: GasUnits = _DEFAULT.victim_hop_gas_units
    victim_tick_gas: GasUnits = _DEFAULT.victim_tick_gas_units
    victim_fresh_tick_up_gas: GasUnits = _DEFAULT.victim_fresh_tick_up_gas_units
    victim_fresh_tick_down_gas: GasUnits = _DEFAULT.victim_fresh_tick_down_gas_units
    floor_gas_price_wei: Wei = 100_000_000


class MarginsConfig(Model):
    """What is kept in hand against small differences between plan and block."""

    fee_margin_bps: Bps = _DEFAULT.fee_margin_bps
    contract_margin_bps: Bps = _DEFAULT.contract_margin_bps
    mint_band_ppm: Ppm = _DEFAULT.mint_band_ppm
    burn_band_ppm: Ppm = _DEFAULT.burn_band_ppm
    unbundle_risk_bps: Bps = _DEFAULT.unbundle_risk_bps
    deadline_margin_s: Annotated[float, Field(ge=0, le=600)] = _DEFAULT.deadline_margin_s


class SizingConfig(Model):
    """How much work one pending transaction is worth."""

    max_candidates: Annotated[int, Field(ge=1, le=64)] = _DEFAULT.max_candidates
    refine_evaluations: Annotated[int, Field(ge=0, le=100)] = _DEFAULT.refine_evaluations
    max_alternatives: Annotated[int, Field(ge=0, le=16)] = _DEFAULT.max_alternatives


class InclusionConfig(Model):
    """The model of landing: our relays' share of slots, the marginal tip, and rivals."""

    reach_bps: Bps = _DEFAULT.inclusion.reach_bps
    median_tip_wei_per_gas: Annotated[int, Field(ge=0, le=10**18)] = _DEFAULT.inclusion.median_tip_wei_per_gas
    contested_bps: Bps = _DEFAULT.inclusion.contested_bps
    rival_exponent: Annotated[float, Field(gt=0, le=100)] = _DEFAULT.inclusion.rival_exponent


class StrategyConfig(Model):
    """strategy.toml."""

    limits: LimitsConfig
    bid: BidConfig = BidConfig()
    gas: GasConfig = GasConfig()
    margins: MarginsConfig = MarginsConfig()
    sizing: SizingConfig = SizingConfig()
    inclusion: InclusionConfig = InclusionConfig()
