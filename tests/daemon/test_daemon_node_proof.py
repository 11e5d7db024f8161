"""No node is used before its simulations are proved, and one that cannot be is named."""

import asyncio

import pytest

from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodePool
from jitctl.daemon.node_proof import PROVE_AGAIN_S, NodeProof
from jitctl.devnet.door_client import DoorClient
from jitctl.devnet.network import Devnet
from jitctl.errors import NodeError
from tests.chain.devnet_rig import DevnetRig

SIMULATION = ["eth_simulateV1"]


class Told:
    def __init__(self):
        self.events = []

    def event(self, name, fields):
        self.events.append((name, fields["node"]))


class Turns:
    """A sleep that a test lets end."""

    def __init__(self):
        self.asked = asyncio.Queue()
        self.granted = asyncio.Queue()

    async def sleep(self, seconds):
        await self.asked.put(seconds)
        await self.granted.get()


async def test_nodes_are_proved_one_by_one(tmp_path):
    async with Devnet(tmp_path) as net, DoorClient(net.manifest.rpc_url, net.manifest.admin_url) as door:

        async def wrong(*views):
            await door.admin("devnet_clearFaults")
            for view in views:
                await door.admin("devnet_fault", view=view, fault="wrong", value=0, methods=SIMULATION)

        endpoints = [DevnetRig.endpoint(net), DevnetRig.endpoint(net, "second")]
        await wrong("node")
        async with NodePool(endpoints, net.manifest.chain_id) as nodes:
            told, turns = Told(), Turns()
            proof = NodeProof(nodes, ChainReader(nodes, executor=net.executor), told)
            await proof.first()
            assert told.events == [("node_proof_failed", "door")]
            assert [spec.name for spec in nodes.subscribable()] == ["second"]
            first, second = nodes.health()
            assert (first.usable, second.usable) == (False, True)
            assert "node door" in first.last_error
            again = asyncio.create_task(proof.run(turns.sleep))
            assert await turns.asked.get() == PROVE_AGAIN_S
            await wrong()
            turns.granted.put_nowait(None)
            await turns.asked.get()
            assert [health.usable for health in nodes.health()] == [True, True]
            again.cancel()

        await wrong("node", "node/second")
        async with NodePool(endpoints, net.manifest.chain_id) as nodes:
            with pytest.raises(NodeError, match="node door"):
                await NodeProof(nodes, ChainReader(nodes, executor=net.executor), Told()).first()
            with pytest.raises(
                NodeError, match=r"no node may be asked now: node door is refused: .*; node second is "
            ):
                await nodes.call("eth_chainId")


async def test_a_node_of_another_chain_is_named_with_both_ids(tmp_path):
    async with Devnet(tmp_path) as net, NodePool([DevnetRig.endpoint(net)], 1) as nodes:
        with pytest.raises(NodeError, match="node door: chain id 31337, not 1"):
            await NodeProof(nodes, ChainReader(nodes, executor=net.executor), Told()).first()
        with pytest.raises(NodeError, match="no node may be asked now: node door: chain id 31337, not 1"):
            await nodes.call("eth_blockNumber")
