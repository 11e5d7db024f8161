"""The landing model is a probability, grows with the bid, and its best bid is the best of a fine grid."""

from __future__ import annotations

import random

import pytest

from jitctl.strategy.inclusion import InclusionModel, choose_bid

GAS_UNITS = 450_000


def models(count: int = 40) -> list[InclusionModel]:
    rng = random.Random(99)
    return [
        InclusionModel(
            reach_bps=rng.randint(1, 10_000),
            median_tip_wei_per_gas=rng.choice((0, 10**6, 10**8, 10**10)),
            contested_bps=rng.randint(0, 10_000),
            rival_exponent=rng.choice((0.5, 1.0, 4.0, 12.0)),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("model", models(), ids=str)
def test_probability_is_one_and_monotone(model):
    surplus = 10**17
    values = [model.probability(surplus * step // 50, GAS_UNITS, surplus) for step in range(51)]
    assert all(0.0 <= p <= 1.0 for p in values)
    assert values == sorted(values)
    assert model.probability(-1, GAS_UNITS, surplus) == model.probability(5, GAS_UNITS, 0) == 0.0


@pytest.mark.parametrize("model", models(), ids=str)
@pytest.mark.parametrize("surplus", [10**13, 10**16, 10**18])
def test_bid_is_the_best_within_its_bounds(model, surplus):
    low, high = surplus // 10, surplus * 95 // 100
    bid = choose_bid(model, surplus, GAS_UNITS, low, high)
    assert low <= bid.bid_wei <= high
    fine = max(
        model.probability(one, GAS_UNITS, surplus) * (surplus - one)
        for one in range(low, high + 1, max((high - low) // 2_000, 1))
    )
    assert bid.expected_net_wei >= fine * 0.999


@pytest.mark.parametrize(("low", "high"), [(5, 5), (7, 3), (0, 0)])
def test_bounds_that_leave_no_choice(low, high):
    assert choose_bid(InclusionModel(), 10**15, GAS_UNITS, low, high).bid_wei == min(low, high)
