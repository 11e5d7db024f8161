"""The pending feed against a real socket that drops, stalls, lies and sends only hashes."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from jitctl.chain.pending import MAX_FETCHES, PENDING_COUNTS, PendingFeed
from jitctl.chain.pending_filter import PendingWatch
from jitctl.chain.rpc import NodePool
from jitctl.domain.chain import PendingGone, PendingTx
from tests.chain.fake_node import CHAIN_ID, FakeNode
from tests.chain.manual_clock import ManualClock, until
from tests.chain.pending_bodies import NOBODY, ROUTER, SENDER, TOKEN, body, numbered

OWN = "0x" + "f6" * 20
WATCH = PendingWatch(routers=frozenset({ROUTER}), mentions=frozenset({TOKEN}), own=frozenset({OWN}))


class ListSink:
    def __init__(self) -> None:
        self.txs: list[PendingTx] = []
        self.gone: list[str] = []

    def offer_pending(self, tx: PendingTx) -> None:
        self.txs.append(tx)

    def put(self, event: PendingGone) -> None:
        self.gone.append(event.reason)


class Rig:
    """A feed on fake nodes, with its own clock."""

    def __init__(self, *nodes: FakeNode, stall_s: float = 30.0) -> None:
        self.clock = ManualClock()
        self.sink = ListSink()
        self.pool = NodePool(
            [node.endpoint for node in nodes], CHAIN_ID, clock=self.clock, rng=random.Random(2)
        )
        self.feed = PendingFeed(self.pool, WATCH, clock=self.clock, rng=random.Random(1), stall_s=stall_s)

    async def connected(self, name: str = "node") -> None:
        await self.clock.advance_until(lambda: self.feed.connected_to == name, step_s=0.05)

    def count(self, name: str) -> int:
        return self.feed.counters[name]


@contextlib.asynccontextmanager
async def running(*nodes: FakeNode, **options: float):
    rig = Rig(*nodes, **options)
    task = asyncio.create_task(rig.feed.run(rig.sink))
    try:
        yield rig
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rig.pool.close()


@pytest.fixture
async def node():
    async with FakeNode() as fake:
        yield fake


async def test_full_bodies_are_delivered_and_the_rest_is_counted(node):
    async with running(node) as rig:
        await rig.connected()
        await node.notify("newPendingTransactions", body(to=NOBODY))
        await node.notify("newPendingTransactions", body(to=NOBODY, type="0x3"))
        await node.notify("newPendingTransactions", body(**{"from": OWN}))
        await node.notify("newPendingTransactions", body(hash="0x12"))
        await node.notify("newPendingTransactions", body())
        await until(lambda: rig.count("seen") == 5)
        assert [tx.hash for tx in rig.sink.txs] == ["0x" + "e5" * 32]
        counts = rig.feed.counters.snapshot()
        assert (counts["delivered"], counts["irrelevant"], counts["blob"]) == (1, 2, 1)
        assert (counts["own"], counts["bad"]) == (1, 1)
        assert rig.sink.gone == []


async def test_an_interesting_blob_transaction_is_delivered_and_counted(node):
    async with running(node) as rig:
        await rig.connected()
        await node.notify("newPendingTransactions", body(type="0x3"))
        await until(lambda: rig.count("delivered") == 1)
        assert rig.sink.txs[0].tx_type == 3 and rig.count("blob") == 1


async def test_a_replacement_gets_through_though_it_swaps_nothing(node):
    async with running(node) as rig:
        await rig.connected()
        await node.notify("newPendingTransactions", numbered(1))
        await node.notify("newPendingTransactions", numbered(2, to=SENDER, input="0x"))
        await until(lambda: rig.count("seen") == 2)
        assert [tx.to for tx in rig.sink.txs] == [ROUTER, SENDER]


async def test_hashes_are_completed_one_question_each(node):
    bodies = {numbered(index)["hash"]: numbered(index) for index in range(3)}
    bodies[numbered(1)["hash"]] |= {"to": NOBODY, "from": NOBODY}
    node.answers["eth_getTransactionByHash"] = lambda tx_hash: bodies.get(tx_hash)
    node.refuse_full_bodies = True
    async with running(node) as rig:
        await rig.connected()
        assert node.subscriptions[0][2] == ["newPendingTransactions"]
        for tx_hash in (*bodies, "0x" + "99" * 32):
            await node.notify("newPendingTransactions", tx_hash)
        await until(lambda: rig.count("fetched") == 3 and rig.count("fetch_missing") == 1)
        assert [tx.hash for tx in rig.sink.txs] == [numbered(0)["hash"], numbered(2)["hash"]]
        assert rig.count("hash_only") == 4 and rig.count("irrelevant") == 1


@pytest.mark.parametrize("text", ["", "0x", "0x" + "zz" * 32, "a" * 1_000_000, "0x" + "01" * 33])
async def test_what_is_no_hash_is_not_asked_for(node, text):
    async with running(node) as rig:
        await rig.connected()
        await node.notify("newPendingTransactions", text)
        await until(lambda: rig.count("bad") == 1)
        assert rig.count("hash_only") == 0


async def test_unanswered_questions_are_bounded(node):
    node.silent_methods.add("eth_getTransactionByHash")
    async with running(node) as rig:
        await rig.connected()
        for index in range(MAX_FETCHES + 10):
            await node.notify("newPendingTransactions", f"0x{index:064x}")
        await until(lambda: rig.count("fetch_dropped") == 10)


async def test_a_wrong_body_for_a_hash_is_not_believed(node):
    node.answers["eth_getTransactionByHash"] = body()
    async with running(node) as rig:
        await rig.connected()
        await node.notify("newPendingTransactions", "0x" + "01" * 32)
        await until(lambda: rig.count("fetch_missing") == 1)
        assert rig.sink.txs == []


async def test_a_dropped_socket_is_reopened_and_said_once(node):
    async with running(node) as rig:
        await rig.connected()
        await node.drop_sockets()
        await until(lambda: rig.sink.gone == ["dropped"])
        await rig.connected()
        await node.notify("newPendingTransactions", body())
        await until(lambda: len(rig.sink.txs) == 1)
        assert rig.count("subscribed") == 2


async def test_a_node_that_stays_away_is_tried_with_growing_pauses_and_said_once(node):
    async with running(node) as rig:
        await rig.connected()
        node.accept_sockets = False
        await node.drop_sockets()
        begun_ns = rig.clock.now_ns
        await rig.clock.advance_until(lambda: rig.count("unreachable") == 8, step_s=0.25)
        assert rig.clock.now_ns - begun_ns > 15e9
        assert rig.sink.gone == ["dropped"]
        node.accept_sockets = True
        await rig.connected()
        await node.drop_sockets()
        await until(lambda: rig.sink.gone == ["dropped", "dropped"])


async def test_garbage_is_counted_and_the_feed_goes_on(node):
    async with running(node) as rig:
        await rig.connected()
        for text in ("garbage", "[]", "null", "{", '{"method":"eth_subscription"}', '"eth_subscription"'):
            await node.send_raw(text)
        await node.send_raw('{"method":"eth_subscription","params":{"result":{"to":"0x' + "a1" * 20 + '"}}}')
        await node.notify("newPendingTransactions", body())
        await until(lambda: len(rig.sink.txs) == 1)
        await rig.clock.advance_until(lambda: rig.count("bad") == 7)
        assert rig.feed.connected_to == "node"


async def test_a_quiet_pool_is_not_a_stall(node):
    async with running(node, stall_s=5) as rig:
        await rig.connected()
        await node.notify("newHeads", {"number": hex(100), "parentHash": "0x00"})
        asked = len(node.calls)
        await rig.clock.advance_until(lambda: node.calls[asked:].count("eth_blockNumber") >= 3)
        assert rig.feed.connected_to == "node" and rig.sink.gone == []


async def test_silence_while_the_head_moves_is_a_stall(node):
    async with running(node, stall_s=5) as rig:
        await rig.connected()
        await node.notify("newHeads", {"number": hex(100), "parentHash": "0x00"})
        await asyncio.sleep(0.05)
        node.head_number = 101
        await rig.clock.advance_until(lambda: rig.sink.gone == ["stalled"])
        assert rig.count("stalled") == 1


async def test_silence_without_an_answer_is_a_stall(node):
    async with running(node, stall_s=5) as rig:
        await rig.connected()
        node.silent_methods.add("eth_blockNumber")
        await rig.clock.advance_until(lambda: rig.sink.gone == ["stalled"], step_s=2)


async def test_a_node_of_another_chain_is_not_listened_to(node):
    node.chain_id = 1
    async with running(node) as rig:
        await until(lambda: rig.count("wrong_chain") == 1)
        assert not node.subscribed("newPendingTransactions")
        assert rig.sink.gone == ["wrong_chain"]


async def test_a_node_without_the_subscription_is_refused(node):
    node.answers["eth_subscribe"] = {"rpc_error": {"code": -32601, "message": "no"}}
    async with running(node) as rig:
        await until(lambda: rig.count("refused") == 1)
        assert rig.sink.gone == ["refused"]


async def test_the_next_node_takes_over_and_the_preferred_one_gets_the_feed_back():
    async with FakeNode("first") as first, FakeNode("second") as second, running(first, second) as rig:
        await rig.connected("first")
        first.accept_sockets = False
        first.status = 503
        await first.drop_sockets()
        await rig.connected("second")
        assert rig.sink.gone == ["dropped"]
        first.accept_sockets, first.status = True, 200
        rig.clock.advance(5)
        for _ in range(3):
            await rig.pool.probe()
        await rig.connected("first")
        assert rig.sink.gone == ["dropped", "preferred_back"]


async def test_what_is_watched_can_be_replaced(node):
    async with running(node) as rig:
        await rig.connected()
        rig.feed.watch(PendingWatch(routers=frozenset({NOBODY})))
        await node.notify("newPendingTransactions", numbered(1))
        await node.notify("newPendingTransactions", numbered(2, to=NOBODY))
        await until(lambda: rig.count("seen") == 2)
        assert [tx.to for tx in rig.sink.txs] == [NOBODY]


async def test_every_way_to_end_has_a_declared_name(node):
    reasons = {"dropped", "stalled", "refused", "unreachable", "wrong_chain", "preferred_back", "no_node"}
    assert reasons <= set(PENDING_COUNTS)
