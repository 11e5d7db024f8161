"""The slow path: what unknown calls swap, learnt on a real EVM, within its limits."""

from __future__ import annotations

import asyncio

import pytest

from jitctl.domain.swap_intent import SwapHop
from jitctl.errors import NodeError
from jitctl.execution.tracer import SWAP_TOPIC, NodeTracer
from tests.chain.devnet_rig import DevnetRig

POOL = "WETH/USDC-0.05%"


class Time:
    now_ns = 10**9

    def __call__(self) -> int:
        return self.now_ns


@pytest.mark.parametrize("weth_in", [True, False])
async def test_a_swap_is_seen_as_an_exact_input(rig: DevnetRig, weth_in):
    spec = rig.spec(POOL)
    amount = 10**18 if weth_in else 2_500 * 10**6
    tx = await rig.swap(spec, amount, weth_in=weth_in)
    tracer = NodeTracer(rig.nodes, rig.specs, timeout_s=5)
    seen = await tracer.observe(tx, await rig.reader.head())
    assert seen is not None and (seen.tx_hash, seen.sender, seen.gas_limit) == (
        tx.hash,
        tx.sender,
        tx.gas_limit,
    )
    (intent,) = seen.intents
    tokens = (spec.weth.address, spec.quote_token.address)
    assert intent.hops == (SwapHop(*(tokens if weth_in else tokens[::-1]), spec.fee_pips),)
    assert (intent.router, intent.exact_in, intent.amount, intent.limit_amount) == ("traced", True, amount, 0)
    assert tracer.counters["swaps"] == 1


async def test_an_unwatched_pool_is_not_reported(rig: DevnetRig):
    tx = await rig.swap(rig.spec(POOL), 10**18)
    tracer = NodeTracer(rig.nodes, [rig.spec("WETH/DAI-1%")], timeout_s=5)
    assert await tracer.observe(tx, await rig.reader.head()) is None
    assert tracer.counters["no_swap"] == 1
    tracer.watch_pools(rig.specs)
    assert await tracer.observe(tx, await rig.reader.head()) is not None


async def test_a_call_that_reverts_swaps_nothing(rig: DevnetRig):
    tx = await rig.swap(rig.spec(POOL), 10**18, data="0x12345678")
    tracer = NodeTracer(rig.nodes, rig.specs, timeout_s=5)
    assert await tracer.observe(tx, await rig.reader.head()) is None
    assert tracer.counters["reverts"] == 1


async def test_the_rate_is_bounded(rig: DevnetRig):
    tx = await rig.swap(rig.spec(POOL), 10**18)
    head = await rig.reader.head()
    now = Time()
    tracer = NodeTracer(rig.nodes, rig.specs, max_per_s=5, timeout_s=5, monotonic_ns=now)
    seen = [await tracer.observe(tx, head) for _ in range(10)]
    assert sum(each is not None for each in seen) == 6
    now.now_ns += 10**9
    seen = [await tracer.observe(tx, head) for _ in range(10)]
    assert sum(each is not None for each in seen) == 5
    assert tracer.counters["rate_limited"] == 9


class Waiting:
    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def call(self, method, params=(), *, timeout_s=None, only=None):
        await self.release.wait()
        raise NodeError("no")


async def test_concurrency_is_bounded_and_failures_are_counted(rig: DevnetRig):
    tx = await rig.swap(rig.spec(POOL), 10**18)
    head = await rig.reader.head()
    node = Waiting()
    tracer = NodeTracer(node, rig.specs, max_concurrent=2, timeout_s=5)
    tasks = [asyncio.create_task(tracer.observe(tx, head)) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert tracer.counters["busy"] == 3
    node.release.set()
    assert await asyncio.gather(*tasks) == [None] * 5
    assert tracer.counters["failed"] == 2


async def test_a_silent_node_is_given_up(rig: DevnetRig):
    tx = await rig.swap(rig.spec(POOL), 10**18)
    tracer = NodeTracer(Waiting(), rig.specs, timeout_s=0.05)
    assert await tracer.observe(tx, await rig.reader.head()) is None
    assert tracer.counters["failed"] == 1


class Telling:
    """Answers every simulation with one call that succeeded and logged `logs`."""

    def __init__(self, parent, logs) -> None:
        call = {"status": "0x1", "gasUsed": "0x1", "logs": logs}
        self.reply = [{"number": hex(parent.number + 1), "calls": [call]}]

    async def call(self, method, params=(), *, timeout_s=None, only=None):
        return self.reply


@pytest.mark.parametrize(
    "changes",
    [{"data": "0xzz"}, {"data": "0x1"}, {"topics": 5}, {"topics": {"a": 1}}, {"topics": True}, None],
    ids=str,
)
async def test_logs_of_the_wrong_shape_are_a_counted_failure(rig: DevnetRig, changes):
    spec = rig.spec(POOL)
    tx = await rig.swap(spec, 10**18)
    head = await rig.reader.head()
    log = {"address": spec.address, "topics": [SWAP_TOPIC], "data": "0x" + "00" * 160}
    logs = 7 if changes is None else [{**log, **changes}]
    tracer = NodeTracer(Telling(head, logs), rig.specs, timeout_s=5)
    assert await tracer.observe(tx, head) is None
    assert tracer.counters["failed"] == 1
