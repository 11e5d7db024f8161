"""The devnet, started afresh for each test that asks for it (about a second)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jitctl.chain.rpc import NodePool
from jitctl.devnet.network import Devnet
from tests.chain.devnet_rig import DevnetRig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[DevnetRig]:
    async with Devnet(tmp_path / "devnet") as net:
        nodes = NodePool([DevnetRig.endpoint(net)], net.manifest.chain_id)
        async with nodes:
            yield DevnetRig(net, nodes)
