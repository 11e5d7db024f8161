"""One devnet for all tests of a file, put back to its first block after each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from jitctl.chain.rpc import NodePool
from jitctl.devnet.network import Devnet
from tests.chain.devnet_rig import DevnetRig


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def devnet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Devnet]:
    async with Devnet(tmp_path_factory.mktemp("devnet")) as net:
        yield net


@pytest_asyncio.fixture(loop_scope="module")
async def rig(devnet: Devnet) -> AsyncIterator[DevnetRig]:
    chain = devnet.chain
    snapshot = await chain.link.request("evm_snapshot")
    async with NodePool([DevnetRig.endpoint(devnet)], devnet.manifest.chain_id) as nodes:
        yield DevnetRig(devnet, nodes)
    devnet.door.views.clear()
    async with chain.gate.building():
        await chain.link.request("evm_revert", snapshot)
        if chain.record.reach:
            chain.record.take_back(chain.record.reach)
        chain.mempool.drop([tx.hash for tx in chain.mempool])
        chain.forget_states()


def share_the_loop(items: list[pytest.Item]) -> None:
    """Tests of one devnet run on one event loop."""
    for item in items:
        if "rig" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
