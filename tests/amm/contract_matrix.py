"""The matrix of pools on which the maths is held against the contract."""

from __future__ import annotations

import os
from random import Random

import pytest
from random_pools import SHAPES, SPACING_OF_FEE, Position
from real_pool import RealPool, RealUniswap

from jitctl.amm.pool import Pool

FULL = os.environ.get("JITCTL_FULL") == "1"
ROUNDS = 20 if FULL else 1

MATRIX = [
    pytest.param(shape, fee_pips, seed, id=f"{shape}-{fee_pips}-seed{seed}")
    for seed, (shape, fee_pips) in enumerate(
        ((shape, fee_pips) for _ in range(ROUNDS) for shape in SHAPES for fee_pips in SPACING_OF_FEE), start=1
    )
]
"""Every shape with every fee tier; the seed is part of the test's name."""

each_pool = pytest.mark.parametrize(("shape", "fee_pips", "seed"), MATRIX)


def build(
    uniswap: RealUniswap, shape: str, fee_pips: int, rng: Random
) -> tuple[RealPool, Pool, list[Position]]:
    """Return the same random pool twice, real and ours, and the positions in it."""
    sketch = SHAPES[shape](rng, SPACING_OF_FEE[fee_pips])
    real = uniswap.new_pool(fee_pips, sketch.sqrt_price_x96)
    for position in sketch.positions:
        real.provide(*position)
    ours = real.snapshot(tick for position in sketch.positions for tick in position[:2])
    return real, ours, sketch.positions
