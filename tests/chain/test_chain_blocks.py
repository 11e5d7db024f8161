"""The block feed while the node pushes heads, stalls, drops the socket, reorganises or lies."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from jitctl.chain.block_reads import TRANSFER_TOPIC
from jitctl.chain.blocks import BlockFeed
from jitctl.chain.rpc import NodePool
from jitctl.devnet.calldata import Interface
from jitctl.devnet.faults import Fault
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.reorg import ReorgMode
from jitctl.domain.chain import ChainMoved
from tests.chain.devnet_rig import DevnetRig
from tests.chain.fake_node import CHAIN_ID, FakeNode
from tests.chain.manual_clock import ManualClock, until

EXECUTOR = "0x" + "ee" * 20


class ChainSink:
    """Checks of every event that it links to the chain told so far."""

    def __init__(self) -> None:
        self.events: list[ChainMoved] = []
        self.chain: list[str] = []

    def put(self, event: ChainMoved) -> None:
        if event.resynced:
            self.chain = []
        for head in () if event.resynced else event.removed:
            assert self.chain.pop() == head.hash
        for block in event.added:
            if self.chain:
                assert self.chain[-1] == block.head.parent_hash
            self.chain.append(block.head.hash)
        self.events.append(event)


@contextlib.asynccontextmanager
async def following(nodes: NodePool, clock: ManualClock | None = None, **options):
    sink = ChainSink()
    feed = BlockFeed(nodes, clock=clock or ManualClock(), rng=random.Random(1), **options)
    task = asyncio.create_task(feed.run(sink))
    try:
        yield feed, sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def of(rig: DevnetRig) -> dict:
    return {"executor": rig.executor, "pools": [spec.address for spec in rig.specs]}


async def test_heads_are_pushed_with_transactions_and_logs(rig: DevnetRig):
    async with following(rig.nodes, **of(rig)) as (feed, sink):
        await until(lambda: len(sink.events) == 1 and feed.counters["subscribed"] == 1)
        assert sink.events[0].resynced
        spec = rig.spec("WETH/USDC-0.05%")
        victim = await rig.swap(spec, 10**18)
        record = await rig.net.slot()
        await until(lambda: len(sink.events) == 2)
        (block,) = sink.events[1].added
        assert block.head.hash == record.block["hash"] and feed.tip() == block.head
        assert [(tx.hash, tx.sender, tx.nonce) for tx in block.txs] == [
            (victim.hash, victim.sender, victim.nonce)
        ]
        assert [log.address for log in block.pool_logs] == [spec.address]
        assert block.executor_logs == ()


async def test_the_executors_transfers_are_read_in_order(rig: DevnetRig):
    token = rig.net.manifest.tokens["USDC"]
    users = rig.net.people.users
    erc20 = Interface(fixture("TestToken")["abi"])
    async with following(rig.nodes, **of(rig)) as (_, sink):
        await until(lambda: len(sink.events) == 1)
        head = await rig.reader.head()
        for user in users[:2]:
            await rig.send(
                {
                    "to": rig._checksum(token.address), "data": erc20.call("transfer", rig.executor, 7),
                    "value": 0, "gas": 100_000, "nonce": await rig.reader.nonce(user.address),
                    "chainId": rig.nodes.chain_id, "type": 2,
                    "maxFeePerGas": 3 * head.base_fee_wei, "maxPriorityFeePerGas": 1,
                },
                user.private_key,
            )  # fmt: skip
        await rig.net.slot()
        await until(lambda: len(sink.events) == 2)
        logs = sink.events[1].added[0].executor_logs
        assert len(logs) == 2 and all(log.topics[0] == TRANSFER_TOPIC for log in logs)
        assert [log.log_index for log in logs] == sorted(log.log_index for log in logs)


async def test_reorgs_arrive_as_removed_and_added(rig: DevnetRig):
    spec = rig.spec("WETH/USDC-0.05%")
    async with following(rig.nodes, **of(rig)) as (_, sink):
        await until(lambda: len(sink.events) == 1)
        for _ in range(4):
            await rig.swap(spec, 10**18)
            mined = (await rig.net.slot()).block["hash"]
            await until(lambda mined=mined: sink.chain[-1] == mined)
        new = await rig.net.reorg(3, mode=ReorgMode.EMPTY, blocks=4)
        await until(lambda: sink.chain[-1] == new[-1].block["hash"])
        assert sum(len(event.removed) for event in sink.events) >= 3
        assert not any(event.too_deep for event in sink.events)


async def test_a_burst_of_blocks_and_reorgs_always_links(rig: DevnetRig):
    rng = random.Random(11)
    spec = rig.spec("WETH/USDC-0.05%")
    clock = ManualClock()
    async with following(rig.nodes, clock, **of(rig)) as (_, sink):
        await until(lambda: len(sink.events) == 1)
        for _ in range(25):
            await rig.swap(spec, 10**17, user=rng.randrange(8))
            await rig.net.slot()
            if rng.random() < 0.4:
                depth = rng.randint(1, min(4, rig.net.chain.record.reach))
                await rig.net.reorg(depth, mode=ReorgMode.EMPTY, blocks=depth + rng.randint(0, 2))
        final = rig.net.chain.head.block["hash"]
        await clock.advance_until(lambda: sink.chain[-1] == final)


async def test_a_dropped_socket_is_replaced_and_nothing_is_missed(rig: DevnetRig):
    clock = ManualClock()
    async with following(rig.nodes, clock, **of(rig)) as (feed, sink):
        await until(lambda: feed.counters["subscribed"] == 1 and len(sink.events) == 1)
        rig.net.door.drop_sockets("node")
        for _ in range(3):
            await rig.net.slot()
        await clock.advance_until(lambda: feed.counters["subscribed"] == 2)
        await until(lambda: sink.chain[-1] == rig.net.chain.head.block["hash"])
        assert feed.counters["dropped"] == 1 and feed.counters["resyncs"] == 1


async def test_without_a_subscription_the_head_is_polled(rig: DevnetRig):
    rig.net.door.views.get("node").lay(Fault("refuse_sockets"))
    clock = ManualClock()
    async with following(rig.nodes, clock, **of(rig)) as (feed, sink):
        await until(lambda: len(sink.events) == 1)
        await rig.net.slot()
        await clock.advance_until(lambda: len(sink.events) == 2)
        assert feed.counters["subscribed"] == 0 and feed.counters["unreachable"] >= 1


async def test_a_subscription_that_goes_silent_is_noticed_by_polling():
    blocks = fake_blocks(6)
    async with FakeNode() as node:
        serve(node, blocks, 2)
        clock = ManualClock()
        nodes = NodePool([node.endpoint], CHAIN_ID, clock=clock)
        async with following(nodes, clock, executor=EXECUTOR) as (feed, sink):
            await until(lambda: feed.counters["subscribed"] == 1 and len(sink.events) == 1)
            polled = feed.counters["polled"]
            await clock.advance_until(lambda: feed.counters["polled"] > polled + 1)
            serve(node, blocks, 4)
            await clock.advance_until(lambda: feed.counters["stalled"] == 1)
            assert [block.head.number for block in sink.events[1].added] == [3, 4]
            await clock.advance_until(lambda: feed.counters["subscribed"] == 2)
            serve(node, blocks, 5)
            await node.notify("newHeads", blocks[5])
            await until(lambda: sink.chain[-1] == blocks[5]["hash"])
        await nodes.close()


@pytest.mark.parametrize("lie", ["logs_of_another_block", "another_block", "no_block", "no_hash", "bad_logs"])
async def test_a_node_that_lies_about_a_block_is_not_believed(lie):
    blocks = fake_blocks(6)
    async with FakeNode() as node:
        serve(node, blocks, 2)
        clock = ManualClock()
        nodes = NodePool([node.endpoint], CHAIN_ID, clock=clock)
        async with following(nodes, clock, executor=EXECUTOR) as (feed, sink):
            await until(lambda: feed.counters["subscribed"] == 1 and len(sink.events) == 1)
            serve(node, blocks, 3)
            by_hash = node.answers["eth_getBlockByHash"]
            if lie == "logs_of_another_block":
                node.answers["eth_getLogs"] = [fake_log(blocks[1]["hash"])]
            elif lie == "another_block":
                node.answers["eth_getBlockByHash"] = blocks[1]
            elif lie == "no_block":
                node.answers["eth_getBlockByHash"] = None
            elif lie == "no_hash":
                node.answers["eth_getBlockByHash"] = {"number": "0x3"}
            else:
                node.answers["eth_getLogs"] = {"not": "a list"}
            await node.notify("newHeads", blocks[3])
            await clock.advance_until(lambda: feed.counters["read_failed"] >= 3)
            assert len(sink.events) == 1
            node.answers["eth_getBlockByHash"], node.answers["eth_getLogs"] = by_hash, []
            await clock.advance_until(lambda: len(sink.events) == 2)
            assert [block.head.number for block in sink.events[1].added] == [3]
        await nodes.close()


async def test_a_head_that_is_no_header_is_counted():
    blocks = fake_blocks(4)
    async with FakeNode() as node:
        serve(node, blocks, 2)
        clock = ManualClock()
        nodes = NodePool([node.endpoint], CHAIN_ID, clock=clock)
        async with following(nodes, clock, executor=EXECUTOR) as (feed, sink):
            await until(lambda: feed.counters["subscribed"] == 1 and len(sink.events) == 1)
            for result in (None, "0x1", {"hash": 5}, []):
                await node.notify("newHeads", result)
            await until(lambda: feed.counters["bad_block"] == 4)
        await nodes.close()


async def test_the_next_node_takes_over_the_subscription():
    blocks = fake_blocks(8)
    async with FakeNode("first") as first, FakeNode("second") as second:
        serve(first, blocks, 2)
        serve(second, blocks, 2)
        clock = ManualClock()
        nodes = NodePool([first.endpoint, second.endpoint], CHAIN_ID, clock=clock)
        async with following(nodes, clock, executor=EXECUTOR) as (_, sink):
            await until(lambda: first.subscribed("newHeads") and len(sink.events) == 1)
            first.accept_sockets, first.status = False, 503
            await first.drop_sockets()
            await clock.advance_until(lambda: second.subscribed("newHeads"), step_s=0.05)
            serve(second, blocks, 5)
            await second.notify("newHeads", blocks[5])
            await until(lambda: sink.chain[-1] == blocks[5]["hash"])
            assert [len(event.added) for event in sink.events] == [1, 3]
        await nodes.close()


def fake_blocks(count: int) -> list[dict]:
    return [
        {
            "number": hex(number), "hash": f"0x{number + 1000:064x}", "parentHash": f"0x{number + 999:064x}",
            "timestamp": hex(1_700_000_000 + 12 * number), "baseFeePerGas": "0x7", "gasLimit": "0x1c9c380",
            "gasUsed": "0x0", "miner": "0x" + "00" * 20, "transactions": [],
        }
        for number in range(count)
    ]  # fmt: skip


def fake_log(block_hash: str) -> dict:
    return {
        "address": EXECUTOR, "topics": [TRANSFER_TOPIC], "data": "0x", "blockHash": block_hash,
        "transactionHash": "0x" + "11" * 32, "transactionIndex": "0x0", "logIndex": "0x0",
    }  # fmt: skip


def serve(node: FakeNode, blocks: list[dict], head: int) -> None:
    by_hash = {block["hash"]: block for block in blocks[: head + 1]}
    node.head_number = head
    node.answers["eth_getBlockByHash"] = lambda block_hash, _full: by_hash.get(block_hash)
    node.answers["eth_getBlockByNumber"] = lambda number, _full: (
        blocks[head] if number == "latest" else blocks[int(number, 16)] if int(number, 16) <= head else None
    )
    node.answers["eth_getLogs"] = []
