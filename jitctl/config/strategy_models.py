"""strategy.toml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jitctl.config.models import LimitsConfig, Model
from jitctl.config.values import Bps


class BidConfig(Model):
    """`share_bps` of the value left after gas goes to the builder."""

    share_bps: Bps = 9_000


class GasConfig(Model):
    """Gas that both legs are planned with until it is measured."""

    mint_gas: Annotated[int, Field(ge=21_000, le=10_000_000)] = 330_000
    burn_gas: Annotated[int, Field(ge=21_000, le=10_000_000)] = 170_000


class SizingConfig(Model):
    max_candidates: Annotated[int, Field(ge=1, le=64)] = 8


class StrategyConfig(Model):
    """strategy.toml."""

    limits: LimitsConfig
    bid: BidConfig = BidConfig()
    gas: GasConfig = GasConfig()
    sizing: SizingConfig = SizingConfig()
