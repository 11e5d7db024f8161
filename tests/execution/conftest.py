"""Tests that ask for `rig` share one devnet per file."""

from __future__ import annotations

import pytest

from tests.chain.shared_devnet import devnet as devnet
from tests.chain.shared_devnet import rig as rig
from tests.chain.shared_devnet import share_the_loop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_the_loop(items)
