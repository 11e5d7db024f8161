"""One chain per test: state never leaks from one attack into the next."""

from __future__ import annotations

import pytest
from executor_world import ExecutorPool, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=[False, True], ids=["weth_is_token1", "weth_is_token0"])
def pool(request: pytest.FixtureRequest, world: World) -> ExecutorPool:
    """A deep pool at tick 0 with a full window of history, WETH on either side."""
    return world.new_pool(weth_is_token0=request.param)
