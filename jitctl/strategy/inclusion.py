"""How likely a bundle lands for a given bid, and the bid that is worth most.

The model is a product of three things, each an observable ratio that the operator can fit from the ledger:

    p(bid) = reach * builder(bid / gas) * rival(bid / surplus)

`reach`: our relays' share of slots. `builder`: a block's marginal bundle pays some tip per gas, and ours has
to beat it (Hill curve with its median). `rival`: with probability `contested` somebody else bids for the
same victim, and beats us unless our share of the surplus is the larger one (power law).
"""

from __future__ import annotations

from dataclasses import dataclass

_GRID = 12
_GOLDEN = 0.6180339887498949
_GOLDEN_STEPS = 12


@dataclass(frozen=True, slots=True)
class InclusionModel:
    """Parameters of p(bid); probabilities and shares in parts per 10,000 where the name says bps."""

    reach_bps: int = 9_000
    median_tip_wei_per_gas: int = 50_000_000
    contested_bps: int = 5_000
    rival_exponent: float = 4.0

    def probability(self, bid_wei: int, gas_units: int, surplus_wei: int) -> float:
        """Return p in [0, 1] that the bundle lands; `surplus_wei` is value minus gas."""
        if bid_wei < 0 or surplus_wei <= 0:
            return 0.0
        tip = bid_wei / gas_units if gas_units else float(bid_wei)
        median = self.median_tip_wei_per_gas
        builder = tip / (tip + median) if tip + median > 0 else 1.0
        contested = self.contested_bps / 10_000
        share = min(bid_wei / surplus_wei, 1.0)
        rival = 1.0 - contested + contested * float(share**self.rival_exponent)
        return self.reach_bps / 10_000 * builder * rival


@dataclass(frozen=True, slots=True)
class Bid:
    """The chosen bid, its probability of landing and the expected net it maximises (wei)."""

    bid_wei: int
    probability: float
    expected_net_wei: float


def choose_bid(
    model: InclusionModel, surplus_wei: int, gas_units: int, min_bid_wei: int, max_bid_wei: int
) -> Bid:
    """Return the bid within bounds that maximises p(bid) * (surplus - bid).

    A coarse grid finds the hill (the product of the three factors may have two), golden-section search its
    top. Deterministic, no allocation to speak of, some tens of evaluations.
    """
    low, high = max(min_bid_wei, 0), min(max_bid_wei, surplus_wei)
    if high <= low:
        bid = max(min(low, max_bid_wei), 0)
        p = model.probability(bid, gas_units, surplus_wei)
        return Bid(bid, p, p * (surplus_wei - bid))

    def worth(bid_wei: float) -> float:
        return model.probability(int(bid_wei), gas_units, surplus_wei) * (surplus_wei - bid_wei)

    step = (high - low) / _GRID
    best = max(range(_GRID + 1), key=lambda i: worth(low + i * step))
    left, right = low + max(best - 1, 0) * step, low + min(best + 1, _GRID) * step
    inner_left, inner_right = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
    worth_left, worth_right = worth(inner_left), worth(inner_right)
    for _ in range(_GOLDEN_STEPS):
        if worth_left < worth_right:
            left, inner_left, worth_left = inner_left, inner_right, worth_right
            inner_right = left + _GOLDEN * (right - left)
            worth_right = worth(inner_right)
        else:
            right, inner_right, worth_right = inner_right, inner_left, worth_left
            inner_left = right - _GOLDEN * (right - left)
            worth_left = worth(inner_left)
    bid = max((low, high, int((left + right) / 2)), key=worth)
    p = model.probability(bid, gas_units, surplus_wei)
    return Bid(bid, p, p * (surplus_wei - bid))
