"""A chain and a data folder in which engines follow each other, with a ledger that can refuse."""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_world import (
    EXECUTOR,
    OPERATOR,
    OPERATOR_2,
    POOL,
    USER,
    WETH,
    World,
    a_hash,
    a_swap,
    settle,
    transfer_log,
)

from jitctl.domain.bundle import LegAmounts
from jitctl.domain.chain import Block, ChainMoved, Head, MinedTx
from jitctl.domain.records import AttemptResult
from jitctl.engine.events import (
    CloseRead,
    EtherRead,
    FinalizedRead,
    GapRead,
    HeadFollowed,
    MinedRead,
    OpenPositionsRead,
    PoolsFollowed,
    StrayRead,
)
from jitctl.errors import JitError, LedgerError

WATCHED = (
    ChainMoved, HeadFollowed, MinedRead, CloseRead, GapRead, EtherRead, StrayRead, PoolsFollowed,
    FinalizedRead, OpenPositionsRead,
)  # fmt: skip
CLOSE = LegAmounts(0, 0, 900, 1_100, 0, 0, 0)


class Refusing:
    """A ledger that can refuse one of the calls made while a move of the chain is being taken over."""

    def __init__(self, store: object) -> None:
        self.store = store
        self.inside = False
        self.calls: list[str] = []
        self.refuse_call = 0

    def __getattr__(self, name: str) -> object:
        found = getattr(self.store, name)
        if not callable(found):
            return found

        def call(*args: object, **named: object) -> object:
            if self.inside:
                self.calls.append(name)
                if len(self.calls) == self.refuse_call:
                    raise LedgerError("the disk is full")
            return found(*args, **named)

        return call


class Story:
    """One chain and one data folder, and the engines that follow each other there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(folder, operators=(OPERATOR, OPERATOR_2))
        self.gone: list[Head] = []
        self.gifts = 0

    async def begin(self) -> World:
        """Start an engine on what the last one left, and let it see the tip."""
        last = self.world
        self.world = world = World(
            self.folder, chain=last.chain, operators=(OPERATOR, OPERATOR_2), wrap_ledger=self._wrap
        )
        world.clock, world.closer.signed, world.closer.sent = last.clock, last.closer.signed, last.closer.sent
        world.closer.amounts = CLOSE
        await world.boot()
        handlers = world.engine._loop._handlers
        for kind in WATCHED:
            handlers[kind] = self._watched(handlers[kind])
        world.emit(ChainMoved((world.chain.blocks[-1],), resynced=True))
        await settle()
        self.ledger.calls.clear()
        return world

    def _watched(self, handler: Callable[[object], None]) -> Callable[[object], None]:
        ledger = self.ledger

        def watched(event: object) -> None:
            ledger.inside = True
            try:
                handler(event)
            finally:
                ledger.inside = False

        return watched

    def _wrap(self, store: object) -> Refusing:
        self.ledger = Refusing(store)
        return self.ledger

    def block(self, *txs: MinedTx, gift: bool = True) -> Block:
        """Add a block to the chain, with a donation of its own amount that must have a name."""
        if not gift:
            return self.world.chain.add_block(txs)
        self.gifts += 1
        tx_hash = a_hash(0xABC_0000 + self.gifts)
        log = transfer_log(WETH, USER, EXECUTOR, self.gifts, tx_hash)
        return self.world.chain.add_block([*txs, MinedTx(tx_hash, USER, WETH, self.gifts, 0)], (), [log])

    def drop(self, depth: int) -> None:
        """Let a reorg remove the newest blocks; the engine hears of it with the next move."""
        self.gone = list(self.world.chain.drop_blocks(depth))

    async def move(self, *added: Block, resynced: bool = False) -> None:
        """Let the engine see new blocks; one that ends by it is started again, and resumed."""
        removed, self.gone = tuple(self.gone), []
        self.world.emit(ChainMoved(added, removed, resynced))
        await settle()
        await self.world.clock.advance(1.1)
        assert self.world.task is not None
        if self.world.task.done():
            with pytest.raises(JitError, match="could not be taken over: the disk is full"):
                await self.world.task
            await self.begin()
            assert self.world.engine.state in ("PAUSED", "HALTED")
        if self.world.engine.state == "PAUSED":
            await self.world.command("resume")
            await self.world.clock.advance(1.1)

    async def end(self) -> tuple[list[object], list[object]]:
        """Let everything be read and settled, and say what the ledger holds of it."""
        world = self.world
        for _ in range(14):
            await world.mine()
            await world.clock.advance(1.1)
        figures = world.engine.figures()
        assert figures["synced"] is True
        assert figures["openPositions"] == []
        attempts: list[object] = []
        for each in await world.written():
            if each.record.target_block == 101:
                moved = each.result and (each.result.block_number, each.result.amounts, each.result.gas_wei)
                attempts.append((each.state, each.outcome, each.reason, moved))
        flows: list[object] = sorted(
            (flow.block_number, flow.kind, flow.account, flow.token, flow.amount)
            for flow in world.ledger.flows()
        )
        await world.kill()
        return attempts, flows


async def first_bundle(story: Story, legs: str) -> list[MinedTx]:
    """Let a bundle be sent; return those of its legs that a block is to mine."""
    await story.world.pend(a_swap())
    (bundle,) = story.world.relays.submitted
    return story.world._bundle_txs(bundle, legs, "", [], 0)


async def a_lone_mint_is_closed(story: Story) -> MinedTx:
    chain = story.world.chain
    legs = await first_bundle(story, "m")
    chain.open = {POOL}
    await story.move(story.block(*legs))
    _, operator, nonce, close = story.world.closer.sent[-1]
    chain.receipts[close] = (True, 90_000)
    chain.open = set()
    closing = MinedTx(close, operator, EXECUTOR, nonce, 0)
    await story.move(story.block(closing))
    return closing


async def the_lone_mint(world: World) -> AttemptResult:
    """Return what the ledger says of the one attempt whose mint landed alone."""
    (lone,) = [each for each in await world.written() if each.reason == "lone_mint"]
    assert lone.result is not None
    return lone.result
