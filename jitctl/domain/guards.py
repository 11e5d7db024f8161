"""What the executor contract holds its operators to, as last read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jitctl.domain.values import Address


@dataclass(frozen=True, slots=True)
class PoolRules:
    """The owner's rules for one pool; `may_open` is False where the contract would refuse every mint.

    Ticks are distances from the pool's TWAP, of the spot price and of the range's further end.
    """

    may_open: bool
    max_spot_ticks: int
    max_range_ticks: int
    max_notional_wei: int
    max_tip_bps: int


@dataclass(frozen=True, slots=True)
class GuardReading:
    """What the executor contract would check now.

    Each pool's TWAP tick and rules, the loss budget left in wei, and whether the contract is halted.
    """

    twap_ticks: Mapping[Address, int]
    loss_budget_left_wei: int | None
    rules: Mapping[Address, PoolRules] = field(default_factory=dict)
    halted: bool = False
