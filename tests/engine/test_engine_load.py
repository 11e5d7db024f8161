"""A flood of pending transactions: memory stays where it is, and what is dropped is counted."""

import gc
import os
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path

from engine_world import USER, World, a_hash, a_swap, account, settle

FLOOD = 1_000_000 if os.environ.get("JITCTL_FULL") else 100_000
CHUNK = 1_000
NOISE = a_swap(to=USER, calldata=b"\x01" * 68)


async def flood(world: World, count: int, first: int) -> None:
    sink = world.source.sink
    assert sink is not None
    for start in range(first, first + count, CHUNK):
        for number in range(start, start + CHUNK):
            if number % 10:
                sink.offer_pending(replace(NOISE, hash=a_hash(number), sender=account(number)))
            else:
                # Understood, wanted, and too dear for the sender: it waits in the book.
                sink.offer_pending(a_swap(sender=account(number), max_fee_wei=1))
        await settle(CHUNK // 16 + 20)


async def test_a_hundred_thousand_pending_transactions_leave_memory_flat(tmp_path: Path) -> None:
    world = await World(tmp_path, changes={"seen_max": 4096, "wanted_max": 500}).start()
    world.observer.events = deque(maxlen=100)
    await flood(world, FLOOD // 5, 1_000_000)
    await world.mine()
    gc.collect()
    before = sys.getallocatedblocks()
    await flood(world, FLOOD - FLOOD // 5, 2_000_000)
    await world.mine()
    gc.collect()
    after = sys.getallocatedblocks()
    # One block kept per transaction would be 80,000.
    assert after - before < 4_000
    figures = world.engine.figures()
    assert figures["wantedSwaps"] == 500
    counts = world.engine.metrics.snapshot()["happenings"]
    assert counts["pending_seen"] + counts["pending_dropped"] == FLOOD
    assert counts["wanted_dropped"] == counts["swaps_seen_pending"] - 500
    await world.stop()


async def test_a_full_queue_drops_the_oldest(tmp_path: Path) -> None:
    world = await World(tmp_path, changes={"pending_queue": 10}).start()
    sink = world.source.sink
    assert sink is not None
    swaps = [a_swap(sender=account(number), max_fee_wei=1) for number in range(25)]
    for swap in swaps:
        sink.offer_pending(swap)
    await settle()
    assert world.count("happenings", "pending_dropped") == 15
    told = [event["victim"] for event in world.observer.named("strategy_decision")]
    assert told == [swap.hash for swap in swaps[15:]]
    await world.stop()
