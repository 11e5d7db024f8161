"""While a block is tried out nobody sees it, and nobody who leaves can break it."""

from __future__ import annotations

import asyncio
import contextlib

from jitctl.devnet.door_client import DoorClient
from jitctl.devnet.gate import Gate
from jitctl.errors import TimedOut
from tests.devnet.door_people import GWEI


async def test_readers_never_see_a_block_that_is_not_kept(net, door, people, searcher):
    """Bundles make the builder try blocks out and roll them back while readers ask without a pause."""
    seen, building = set(), True

    async def read():
        while building:
            block = await door.call("eth_getBlockByNumber", "latest", False)
            seen.add((int(block["number"], 16), block["hash"]))

    readers = [asyncio.create_task(read()) for _ in range(4)]
    kept = {(net.chain.head.number, net.chain.head.block["hash"])}
    for round_number in range(10):
        target = net.chain.head.number + 1
        for index, user in enumerate(people[:4]):
            raw = user.sign(nonce=user.nonce, tip=(index + 1) * GWEI, value=round_number)
            user.nonce += 1
            await searcher.bundle([raw], target)
        record = await net.slot()
        assert len(record.block["transactions"]) == 4
        kept.add((record.number, record.block["hash"]))
    building = False
    await asyncio.gather(*readers)
    assert seen <= kept
    assert len(seen) > 3


async def test_a_caller_who_leaves_does_not_leave_a_half_built_block(net, door, people, searcher):
    """Requests for slots, simulations and reorgs are cut off at many moments of their work."""
    raw, start = people[0].sign(nonce=people[0].nonce), net.chain.head.number
    for ahead in range(1, 31):  # all of them first: whether a slot that was cut off is mined, nobody can say
        await searcher.bundle([raw], start + ahead)
    for delay_ms in range(1, 16):
        async with DoorClient(
            net.manifest.rpc_url, net.manifest.admin_url, timeout_s=delay_ms / 1000
        ) as hasty:
            with contextlib.suppress(TimedOut):
                await hasty.admin("devnet_slot")
            with contextlib.suppress(TimedOut):
                await hasty.admin("devnet_reorg", depth=1)
        with contextlib.suppress(TimeoutError):
            await searcher.post("eth_callBundle", {"txs": [raw]}, timeout_s=delay_ms / 1000)
    await net.chain.finish_work()
    for _ in range(3):
        parent = net.chain.head
        record = await net.slot()
        assert record.block["parentHash"] == parent.block["hash"]
    head = await door.call("eth_getBlockByNumber", "latest", False)
    assert head["hash"] == net.chain.head.block["hash"]
    assert (await door.admin("devnet_status"))["lastFailure"] == ""


async def test_the_gate_lets_a_builder_in_before_new_readers():
    gate, order = Gate(), []

    async def build():
        async with gate.building():
            order.append("build")

    async def read_late():
        async with gate.reading():
            order.append("late reader")

    async with gate.reading():
        builder = asyncio.create_task(build())
        await asyncio.sleep(0)
        late = asyncio.create_task(read_late())
        await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(builder, late)
    assert order == ["build", "late reader"]
