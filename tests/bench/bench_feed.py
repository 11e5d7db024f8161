"""What a pending transaction costs, and how long the way from its notification to the relay is.

The other side (a node that floods, a devnet) is a process of its own; both share the machine's two cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from web3 import AsyncWeb3, WebSocketProvider

from jitctl.chain.blocks import BlockFeed
from jitctl.chain.pending import PendingFeed
from jitctl.chain.pending_filter import PendingWatch
from jitctl.chain.pools import ChainPoolBook
from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.chain.wallet import KeyFiles, SigningKey, Wallet
from jitctl.chain.ws import WsRpc
from jitctl.daemon import event_loop
from jitctl.devnet.manifest import Manifest
from jitctl.execution.bundle import BundleSigner
from jitctl.execution.relay import RelayEndpoint
from jitctl.execution.relays import HttpRelays
from jitctl.execution.simulate import NodeSimulator
from tests.bench.feed_peers import CHAIN_ID, ROUTER
from tests.chain.devnet_rig import DevnetRig

Row = dict[str, Any]
WATCH = PendingWatch(
    routers=frozenset({ROUTER, "0x" + "a2" * 20, "0x" + "a3" * 20}),
    mentions=frozenset(f"0x{index:02x}" + "b7" * 19 for index in range(12)),
)


def rows() -> list[Row]:
    return [
        *event_loop.run(_saturated()),
        *event_loop.run(_steady()),
        asyncio.run(_web3()),
        event_loop.run(_memory()),
        event_loop.run(_calls()),
        *event_loop.run(_hot_path()),
    ]


def row(name: str, samples: list[float], unit: str, goal: str, note: str = "") -> Row:
    ordered = sorted(samples)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if len(ordered) > 1 else None
    return {
        "name": name, "p50": round(statistics.median(ordered), 3),
        "p99": None if p99 is None else round(p99, 3), "unit": unit, "goal": goal, "note": note,
    }  # fmt: skip


# -- the pending feed


async def _saturated() -> list[Row]:
    """As fast as the socket gives: the time between one rejection and the next is what one costs."""
    count = 60_000
    gaps: list[float] = []
    async with _feed(count, 0, 0) as (feed, _):
        judge = feed._filter.judge
        last = [0]

        def timed(raw: bytes) -> Any:
            verdict = judge(raw)
            now = time.perf_counter_ns()
            gaps.append((now - last[0]) / 1000)
            last[0] = now
            return verdict

        feed._filter.judge = timed
        await _until(lambda: feed.counters["seen"] >= count)
    return [
        row(
            "irrelevant pending transaction, socket to rejection", gaps[1000:], "us", "30", "saturated socket"
        ),
    ]


async def _steady() -> list[Row]:
    """2,000 a second, spread out: every one wakes the process."""
    count, per_s = 12_000, 2_000
    async with _feed(count, per_s, 0) as (feed, _):
        await _until(lambda: feed.counters["seen"] >= 500)
        seen, cpu, wall = feed.counters["seen"], time.process_time(), time.perf_counter()
        await _until(lambda: feed.counters["seen"] >= count)
        seen, cpu, wall = (
            feed.counters["seen"] - seen, time.process_time() - cpu, time.perf_counter() - wall,
        )  # fmt: skip
    rate = f"{seen / wall:,.0f} a second"
    return [
        row("a core's share at 2,000 pending transactions a second", [100 * cpu / wall], "%", "10", rate),
        row("processor time per irrelevant pending transaction", [1e6 * cpu / seen], "us", "", rate),
    ]


async def _web3() -> Row:
    """The same flood through web3's own subscription, full bodies."""
    count = 3_000
    with _peer("flood", str(count), "0", "0") as told:
        async with AsyncWeb3(WebSocketProvider(f"ws://127.0.0.1:{told['port']}")) as w3:
            await w3.eth.subscribe("newPendingTransactions", True)
            cpu, seen = time.process_time(), 0
            async for _ in w3.socket.process_subscriptions():
                seen += 1
                if seen == count - 10:
                    break
            cpu = time.process_time() - cpu
    return row("the same through web3's subscription", [1e6 * cpu / seen], "us", "", "for comparison")


async def _memory() -> Row:
    """Resident memory after 100,000, a tenth of them relevant, into a queue of 5,000."""
    count = 100_000
    async with _feed(count, 0, 10) as (feed, _):
        await _until(lambda: feed.counters["seen"] >= 10_000)
        gc.collect()
        before = _rss_mib()
        await _until(lambda: feed.counters["seen"] >= count)
        gc.collect()
        after = _rss_mib()
    note = f"{after - before:+.1f} MiB since the first 10,000; {feed.counters['delivered']:,} delivered"
    return row("resident memory after 100,000 pending transactions", [after], "MiB", "200", note)


class BoundedSink:
    def __init__(self) -> None:
        self.txs: deque[Any] = deque(maxlen=5_000)
        self.arrived = asyncio.Event()

    def offer_pending(self, tx: Any) -> None:
        self.txs.append(tx)
        self.arrived.set()

    def put(self, event: Any) -> None:
        pass


@contextlib.asynccontextmanager
async def _feed(count: int, per_s: float, relevant_every: int):
    with _peer("flood", str(count), str(per_s), str(relevant_every)) as told:
        port = told["port"]
        nodes = NodePool(
            [NodeEndpoint("flood", f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")], CHAIN_ID
        )
        feed, sink = PendingFeed(nodes, WATCH), BoundedSink()
        task = asyncio.create_task(feed.run(sink))
        try:
            yield feed, sink
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await nodes.close()


# -- the way to the relay


class Behind:
    """What `DevnetRig` wants of a devnet that runs in another process."""

    def __init__(self, folder: Path) -> None:
        from jitctl.devnet.accounts import cast

        self.manifest = Manifest.load(folder)
        self.executor = self.manifest.at("executor")
        self.people = cast(self.manifest.data["seed"])


async def _hot_path() -> list[Row]:
    with _peer("devnet") as told:
        net = Behind(Path(told["folder"]))
        endpoint = NodeEndpoint("door", net.manifest.rpc_url, net.manifest.data["wsUrl"])
        async with NodePool([endpoint], net.manifest.chain_id) as nodes:
            rig = DevnetRig(net, nodes)
            return [
                *await _bundles(rig, net),
                await _blocks(rig, net),
            ]


async def _calls() -> Row:
    with _peer("flood", "0", "0", "0") as told:
        ws = await WsRpc.open("peer", f"ws://127.0.0.1:{told['port']}")
        times = await _timed(1_000, lambda: ws.call("eth_chainId"))
        await ws.close()
    return row(
        "one call over a warm WebSocket, there and back", times, "ms", "0.3", "the other side does nothing"
    )


async def _bundles(rig: DevnetRig, net: Behind) -> list[Row]:
    spec = rig.spec("WETH/USDC-0.05%")
    amount = 20 * 10**18
    wallet = Wallet.load(
        [
            KeyFiles(Path(each["keystore"]), Path(each["passphraseFile"]))
            for each in net.manifest.data["operators"]
        ]
    )
    signer = BundleSigner(wallet, chain_id=net.manifest.chain_id, executor=rig.executor)
    simulator = NodeSimulator(rig.nodes, executor=rig.executor, timeout_s=5)
    identity = SigningKey(bytes.fromhex(net.people.relay_identity.private_key[2:]))
    relays = HttpRelays([RelayEndpoint("door", net.manifest.data["relayUrl"], identity, 5)])
    await asyncio.gather(*(relay.warm() for relay in relays._relays))
    victim = await rig.swap(spec, amount)
    draft = await rig.draft(victim, spec, amount)
    simulating, signing, submitting, whole = [], [], [], []
    gc.collect()
    for _ in range(200):
        marks = [time.perf_counter_ns()]
        simulation = await simulator.simulate(draft)
        marks.append(time.perf_counter_ns())
        bundle = signer.sign(draft)
        marks.append(time.perf_counter_ns())
        (reply,) = await relays.submit(bundle)
        marks.append(time.perf_counter_ns())
        assert simulation.ok and reply.outcome == "accepted", (simulation, reply)
        for times, since, until in zip((simulating, signing, submitting), marks, marks[1:], strict=False):
            times.append((until - since) / 1e6)
        whole.append((marks[-1] - marks[0]) / 1e6)
    await relays.close()
    return [
        row(
            "simulate mint, victim and burn, with our own checks",
            simulating,
            "ms",
            "",
            "anvil's time included",
        ),
        row("rebuild the victim and sign both legs", signing, "ms", "0.6"),
        row("submit to a relay, warm", submitting, "ms", "", "the relay's time included"),
        row("simulate, sign, submit", whole, "ms", "8", "the goal includes the ledger"),
    ]


async def _blocks(rig: DevnetRig, net: Behind) -> Row:
    """Follow blocks with swaps in several pools; the cost for each pool that moved."""
    from jitctl.devnet.door_client import DoorClient

    feed = BlockFeed(rig.nodes, executor=rig.executor, pools=[spec.address for spec in rig.specs])
    book, costs = ChainPoolBook(rig.nodes), []
    moved = await feed.advance()
    assert moved is not None
    await book.load(rig.specs, moved.head)
    reader = ChainReader(rig.nodes, executor=rig.executor)
    async with DoorClient(net.manifest.rpc_url, net.manifest.admin_url) as door:
        for index in range(30):
            for user, spec in enumerate(rig.specs[:5]):
                weth_in = (index + user) % 2 == 0
                amount = (
                    10**18
                    if weth_in
                    else 2_500
                    * 10**spec.quote_token.decimals
                    // (60_000 if spec.quote_token.symbol == "WBTC" else 1)
                )
                await rig.swap(spec, amount, weth_in=weth_in, user=user)
            await door.admin("devnet_slot")
            moved = await feed.advance()
            assert moved is not None and moved.head == await reader.head()
            pools = {log.address for log in moved.added[0].pool_logs}
            begun = time.perf_counter_ns()
            await book.apply(moved)
            costs.append((time.perf_counter_ns() - begun) / 1e6 / max(1, len(pools)))
    assert book.counters["inconsistent"] == 0 and await book.check() == ()
    return row("follow a block's logs, for each pool that moved", costs, "ms", "2")


async def _timed(count: int, call: Callable[[], Awaitable[Any]]) -> list[float]:
    for _ in range(20):
        await call()
    times = []
    for _ in range(count):
        begun = time.perf_counter_ns()
        await call()
        times.append((time.perf_counter_ns() - begun) / 1e6)
    return times


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def _peer(*arguments: str) -> Iterator[dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.feed_peers", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20
