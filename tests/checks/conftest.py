"""Tests that ask for `scene` share one devnet a file, with a position to open and nodes that lie about it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from jitctl.devnet.network import Devnet
from tests.checks.scene import Scene


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with Devnet(tmp_path_factory.mktemp("devnet")) as net:
        running = Scene(net)
        try:
            await running.begin()
            yield running
        finally:
            await running.end()


@pytest_asyncio.fixture(loop_scope="module")
async def flat(scene: Scene) -> AsyncIterator[Scene]:
    """Nothing is open."""
    yield scene
    await scene.mend()


@pytest_asyncio.fixture(loop_scope="module")
async def opened(scene: Scene) -> AsyncIterator[Scene]:
    """A lone mint has landed in the newest block, on the real contract."""
    async with scene.lone_mint():
        yield scene
    await scene.mend()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"scene", "flat", "opened"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
