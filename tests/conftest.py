"""What every test shares."""

from __future__ import annotations

import os
import random

import pytest

FULL = os.environ.get("JITCTL_FULL") == "1"


def pytest_report_header() -> str:
    return f"counts: {'full (soak)' if FULL else 'seeded share; JITCTL_FULL=1 for all'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make soak` runs; it is deselected, not skipped."""
    if FULL:
        return
    long_runs = [item for item in items if item.get_closest_marker("soak")]
    if long_runs:
        config.hook.pytest_deselected(items=long_runs)
        items[:] = [item for item in items if item not in long_runs]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness with a printed seed: JITCTL_SEED, else one that depends on the test's name alone."""
    seed = os.environ.get("JITCTL_SEED", request.node.nodeid)
    print(f"seed: {seed}")
    return random.Random(seed)
