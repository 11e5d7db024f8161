"""Faults that can be laid on the door's views."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from jitctl.devnet.door_client import DoorClient, DoorError
from jitctl.errors import NodeError, TimedOut
from tests.devnet.door_people import Searcher, receipt


@pytest.fixture
async def second(net):
    """A client of the other view of the chain."""
    async with DoorClient(net.manifest.data["verifyUrl"], timeout_s=5) as client:
        yield client


async def test_dropped_sockets_end_without_goodbye_and_can_reconnect(net, door, connect):
    one, two = await connect(), await connect("node/second")
    for socket in (one, two):
        await socket.subscribe("newHeads")
    assert await door.admin("devnet_dropSockets", view="node") == 1
    await one.until(lambda: one.closed)
    assert not two.closed
    await net.slot()
    await two.until(lambda: two.of("newHeads"))
    assert await door.admin("devnet_dropSockets") == 1
    again = await connect()
    await again.subscribe("newHeads")
    await net.slot()
    await again.until(lambda: again.of("newHeads"))
    await door.admin("devnet_fault", view="node", fault="refuse_sockets")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await connect()


async def test_a_stalled_view_accepts_and_does_not_answer(net, door, second, connect):
    socket = await connect("node/second")
    await socket.subscribe("newHeads")
    await door.admin("devnet_fault", view="node/second", fault="stall")
    waiting = asyncio.create_task(second.call("eth_blockNumber"))
    await net.slot()
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    assert int(await door.call("eth_blockNumber"), 16) == net.chain.head.number
    await door.admin("devnet_clearFaults", view="node/second")
    assert int(await waiting, 16) == net.chain.head.number
    head = await net.slot()
    await socket.until(lambda: socket.of("newHeads"))
    assert [row["hash"] for row in socket.of("newHeads")] == [head.block["hash"]]


async def test_a_stall_can_be_limited_to_methods(net, door):
    await door.admin("devnet_fault", view="node", fault="stall", methods=["eth_simulateV1"])
    assert await door.call("eth_chainId") == "0x7a69"
    async with DoorClient(net.manifest.rpc_url, timeout_s=0.2) as impatient:
        with pytest.raises(TimedOut):
            await impatient.call("eth_simulateV1", {}, "latest")


async def test_too_many_requests_garbage_errors_and_the_wrong_chain(net, door, second):
    for fault, expected in (("429", NodeError), ("garbage", NodeError), ("error", DoorError)):
        await door.admin("devnet_fault", view="node/second", fault=fault)
        with pytest.raises(expected):
            await second.call("eth_blockNumber")
        await door.admin("devnet_clearFaults")
    await door.admin("devnet_fault", view="node/second", fault="wrong_chain", value=5)
    assert await second.call("eth_chainId") == "0x5"
    assert await second.call("net_version") == "5"
    assert await door.call("eth_chainId") == "0x7a69"
    assert (await door.admin("devnet_status"))["faults"] == {
        "node/second": {"wrong_chain": {"value": 5, "methods": None}}
    }
    for view, fault in (("node", "lie"), ("relay", "lag"), ("node", "nonsense")):
        with pytest.raises(DoorError, match="no fault"):
            await door.admin("devnet_fault", view=view, fault=fault)


async def test_a_lagging_view_shows_the_chain_as_it_was(net, door, second, people, connect):
    socket = await connect("node/second")
    await socket.subscribe("newHeads")
    await door.admin("devnet_fault", view="node/second", fault="lag", value=2)
    user = people[0]
    sent = await user.send()
    await net.slot()
    old_nonce = user.nonce - 1
    head = net.chain.head.number
    assert int(await second.call("eth_blockNumber"), 16) == head - 2
    assert int((await second.call("eth_getBlockByNumber", "latest", False))["number"], 16) == head - 2
    assert await second.call("eth_getBlockByNumber", hex(head), False) is None
    assert await second.call("eth_getBlockByHash", net.chain.head.block["hash"], False) is None
    assert await receipt(second, sent) is None
    assert int(await second.call("eth_getTransactionCount", user.address, "latest"), 16) == old_nonce
    assert await second.call("eth_getLogs", {"fromBlock": hex(head), "toBlock": "latest"}) == []
    await net.slot()
    await net.slot()
    assert (await receipt(second, sent))["blockNumber"] == hex(head)
    await socket.until(lambda: len(socket.of("newHeads")) == 3)
    assert [int(row["number"], 16) for row in socket.of("newHeads")] == [head - 2, head - 1, head]


async def test_a_relay_can_refuse_lie_hang_and_limit(net, door, people, searcher):
    other = Searcher(net.manifest.data["relayUrl"] + "/other", searcher.key)
    raw = people[0].sign()
    target = net.chain.head.number + 1
    await door.admin("devnet_fault", view="relay", fault="refuse", methods=["eth_sendBundle"])
    with pytest.raises(DoorError, match="refused"):
        await searcher.bundle([raw], target)
    assert await searcher.call("eth_callBundle", txs=[raw], blockNumber=hex(target))
    await door.admin("devnet_clearFaults")
    await door.admin("devnet_fault", view="relay", fault="lie")
    assert (await searcher.bundle([raw], target)).startswith("0x")
    assert (await net.slot()).block["transactions"] == []
    await door.admin("devnet_clearFaults")
    await door.admin("devnet_fault", view="relay", fault="429", methods=["eth_callBundle"])
    status, _ = await searcher.post("eth_callBundle", {"txs": [raw]})
    assert status == 429
    await door.admin("devnet_fault", view="relay", fault="stall")
    with pytest.raises(TimeoutError):
        await searcher.post("eth_sendBundle", {"txs": [raw]}, timeout_s=0.2)
    await other.bundle([raw], net.chain.head.number + 1)
    assert len((await net.slot()).block["transactions"]) == 1
