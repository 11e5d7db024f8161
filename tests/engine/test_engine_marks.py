"""Every swap is judged by the external marks of the very block that it would follow."""

import asyncio
from pathlib import Path

from engine_world import MARK, World, a_swap, settle

from jitctl.domain.chain import ChainMoved
from jitctl.errors import NodeError

INFORMED = MARK * 101 / 100
"""A market that has moved so far in the swaps' direction that no liquidity on their way gains."""


def nothing_judged(world: World) -> bool:
    return not world.simulator.drafts and set(world.engine.metrics.snapshot()["skips"].values()) == {0}


async def test_a_swap_waits_for_the_marks_of_its_head_and_is_judged_by_them(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    block = world.chain.add_block([])
    answer = world.prices.hold(block.head)
    world.prices.at[block.head.hash] = INFORMED
    await world.deliver(block)
    await world.pend(a_swap())
    assert nothing_judged(world)
    answer.set()
    await settle()
    assert world.count("skips", "informed") == 1
    assert world.simulator.drafts == []
    await world.stop()


async def test_an_answer_for_an_older_head_counts_for_nothing(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    old, new = world.chain.add_block([]), world.chain.add_block([])
    answer = world.prices.hold(old.head)
    world.prices.at[new.head.hash] = INFORMED
    await world.deliver(old)
    await world.deliver(new)
    await world.pend(a_swap())
    assert nothing_judged(world)
    answer.set()
    await settle()
    assert world.prices.asked[-2:] == [old.head.hash, new.head.hash]
    assert world.count("skips", "informed") == 1
    figures = world.engine.figures()
    assert figures["marksHeadHash"] == figures["headHash"] == new.head.hash
    await world.stop()


async def test_after_a_resync_an_older_heads_answer_counts_for_nothing_either(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    old, new = world.chain.add_block([]), world.chain.add_block([])
    late, synced = world.prices.hold(old.head), world.prices.hold(new.head)
    world.prices.at[new.head.hash] = INFORMED
    await world.deliver(old)
    world.emit(ChainMoved((new,), resynced=True))
    await settle()
    await world.pend(a_swap())
    late.set()
    await settle()
    assert nothing_judged(world)
    synced.set()
    await settle()
    assert world.count("skips", "informed") == 1
    assert world.simulator.drafts == []
    await world.stop()


async def test_a_fork_and_back_needs_its_pools_again(tmp_path: Path) -> None:
    """The book may be at the fork still, though what was read at this very block says otherwise."""
    world = await World(tmp_path).start()
    block = await world.mine()
    world.chain.drop_blocks(1)
    fork = world.chain.add_block([])
    followed, apply = asyncio.Event(), world.pools.apply

    async def slowly(moved: ChainMoved) -> None:
        await apply(moved)
        if moved.head.hash == fork.head.hash:
            await followed.wait()

    world.pools.apply = slowly
    world.emit(ChainMoved((fork,), (block.head,)))
    await settle()
    world.chain.drop_blocks(1)
    world.chain.blocks.append(block)
    world.emit(ChainMoved((block,), (fork.head,)))
    await settle()
    await world.pend(a_swap())
    assert nothing_judged(world)
    followed.set()
    await settle()
    assert world.pools.head().hash == block.head.hash
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_where_the_marks_cannot_be_read_nothing_is_decided_until_they_are(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.prices.failure = NodeError("the node does not answer")
    await world.mine()
    await world.pend(a_swap())
    assert world.simulator.drafts == []
    assert world.count("skips", "mark_stale") == 1
    assert world.engine.figures()["tradingReady"] is False
    world.prices.failure = None
    await world.clock.advance(1.1)  # they are asked for again on the same head
    assert world.engine.figures()["tradingReady"] is True
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_an_engine_without_marks_is_in_step_all_the_same(tmp_path: Path) -> None:
    """Prices are for trading; what was left open must be found and closed without them."""
    world = World(tmp_path)
    world.prices.failure = NodeError("the price feed of WETH does not answer with a price")
    await world.start()
    figures = world.engine.figures()
    assert (figures["synced"], figures["state"], figures["tradingReady"]) == (True, "RUNNING", False)
    await world.pend(a_swap())
    assert world.count("skips", "mark_stale") == 1
    await world.stop()
