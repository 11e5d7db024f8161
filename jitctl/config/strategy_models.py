"""strategy.toml. The defaults are those of `strategy.limits.StrategyParams`, and a test holds them equal."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from jitctl.config.models import LimitsConfig, Model
from jitctl.config.values import Bps, refuse

GasUnits = Annotated[int, Field(ge=0, le=10_000_000)]
Ppm = Annotated[int, Field(ge=0, le=1_000_000)]


class BidConfig(Model):
    """What the builder gets: shares of the surplus (value minus gas), and at most a share of the fees."""

    min_share_bps: Bps = 5_000
    max_share_bps: Bps = 9_500
    max_tip_share_bps: Bps = 9_000

    @model_validator(mode="after")
    def _ordered(self) -> BidConfig:
        if self.min_share_bps > self.max_share_bps:
            raise refuse("JC122", "min_share_bps is larger than max_share_bps")
        return self


class GasConfig(Model):
    """Gas units: our two legs, each tick that the mint initialises, and the victim's own use."""

    mint_gas: GasUnits = 230_000
    tick_init_gas: GasUnits = 85_000
    burn_gas: GasUnits = 195_000
    victim_base_gas: GasUnits = 60_000
    victim_hop_gas: GasUnits = 75_000
    victim_tick_gas: GasUnits = 26_000
    victim_fresh_tick_up_gas: GasUnits = 90_000
    victim_fresh_tick_down_gas: GasUnits = 50_000


class MarginsConfig(Model):
    """What is kept in hand against small differences between plan and block."""

    fee_margin_bps: Bps = 100
    mint_band_ppm: Ppm = 0
    burn_band_ppm: Ppm = 50
    unbundle_risk_bps: Bps = 10
    deadline_margin_s: Annotated[float, Field(ge=0, le=600)] = 0.0


class SizingConfig(Model):
    """How much work one pending transaction is worth."""

    max_candidates: Annotated[int, Field(ge=1, le=64)] = 5
    refine_evaluations: Annotated[int, Field(ge=0, le=100)] = 6
    max_alternatives: Annotated[int, Field(ge=0, le=16)] = 3


class InclusionConfig(Model):
    """The model of landing: our relays' share of slots, the marginal tip, and rivals."""

    reach_bps: Bps = 9_000
    median_tip_wei_per_gas: Annotated[int, Field(ge=0)] = 50_000_000
    contested_bps: Bps = 5_000
    rival_exponent: Annotated[float, Field(gt=0, le=100)] = 4.0


class StrategyConfig(Model):
    """strategy.toml."""

    limits: LimitsConfig
    bid: BidConfig = BidConfig()
    gas: GasConfig = GasConfig()
    margins: MarginsConfig = MarginsConfig()
    sizing: SizingConfig = SizingConfig()
    inclusion: InclusionConfig = InclusionConfig()
