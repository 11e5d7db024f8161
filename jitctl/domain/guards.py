"""What the executor contract holds its operators to, as last read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jitctl.domain.values import Address


@dataclass(frozen=True, slots=True)
class GuardReading:
    """What the executor contract would check now: each pool's TWAP tick, and the loss budget left in wei."""

    twap_ticks: Mapping[Address, int]
    loss_budget_left_wei: int | None
