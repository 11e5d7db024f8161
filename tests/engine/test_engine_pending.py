"""Pending transactions that come too late: mined, or replaced while the node was asked about them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from engine_world import POOL, ROUTER, SPEC, USER, WETH, World, a_hash, a_swap, settle

from jitctl.domain.chain import ChainMoved, Head, MinedTx, PendingTx
from jitctl.domain.swap_intent import SwapTx
from jitctl.strategy.decode import RouterKind, Routers, decode


def unknown(tx: PendingTx) -> PendingTx:
    """The same transaction in a form that no decoder knows."""
    return replace(tx, to=USER, calldata=b"\xde\xad\xbe\xef" + bytes.fromhex(SPEC.quote_token.address[2:]))


class SlowTracer:
    """Answers when told."""

    def __init__(self, tx: PendingTx) -> None:
        self.go_on = asyncio.Event()
        self.answer = decode(tx, Routers({ROUTER: RouterKind.V3}, WETH))

    async def observe(self, tx: PendingTx, parent: Head) -> SwapTx | None:
        await self.go_on.wait()
        return self.answer


async def test_a_swap_announced_after_it_was_mined_is_not_wanted_until_a_reorg_returns_it(
    tmp_path: Path,
) -> None:
    world = await World(tmp_path).start()
    late = a_swap()
    await world.mine(others=[MinedTx(late.hash, late.sender, ROUTER, late.nonce, 0)])
    await world.pend(late)
    assert world.count("skips", "too_late") == 1
    assert world.simulator.drafts == []
    assert world.engine.figures()["wantedSwaps"] == 0
    await world.reorg(1, [])
    await world.pend(late)
    assert len(world.relays.submitted) == 1
    await world.stop()


@pytest.mark.parametrize("fate", ["mined", "replaced", "nothing"])
async def test_a_trace_that_ends_too_late_is_not_believed(tmp_path: Path, fate: str) -> None:
    world = await World(tmp_path).start()
    tx = unknown(a_swap())
    tracer = SlowTracer(a_swap(hash=tx.hash))
    world.tracer.observe = tracer.observe
    await world.pend(tx)
    if fate == "mined":
        block = world.chain.add_block([MinedTx(a_hash(9), tx.sender, ROUTER, tx.nonce, 0)])
        world.emit(ChainMoved((block,)))
        await settle()
    elif fate == "replaced":
        await world.pend(a_swap(sender=tx.sender, nonce=tx.nonce, to=POOL, calldata=b"cancel"))
    tracer.go_on.set()
    await settle()
    assert len(world.relays.submitted) == (fate == "nothing")
    assert world.count("skips", "too_late") == (fate != "nothing")
    assert world.engine.figures()["wantedSwaps"] == (fate == "nothing")
    await world.stop()
