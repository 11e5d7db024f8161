"""One EVM with the published contracts for all tests of the exact maths."""

from __future__ import annotations

import pytest
from real_pool import RealUniswap


@pytest.fixture(scope="session")
def uniswap() -> RealUniswap:
    return RealUniswap()
