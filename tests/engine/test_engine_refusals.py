"""A ledger that refuses pauses the engine or ends it; afterwards everything is found, and nothing twice.

Each scenario runs once undisturbed. Then every ledger call that its blocks lead to is refused once, one run
for each: the engine pauses, or ends and starts again on the same files, and must come to the same figures.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from engine_world import (
    BASE_FEE,
    EXECUTOR,
    OPERATOR,
    OPERATOR_2,
    POOL,
    SPEC_2,
    USER,
    WETH,
    World,
    a_hash,
    a_swap,
    settle,
    transfer_log,
)

from jitctl.domain.bundle import LegAmounts, MinedBundle
from jitctl.domain.chain import Block, ChainMoved, Head, MinedTx
from jitctl.domain.records import FlowKind, Outcome
from jitctl.domain.values import Hash32
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
from jitctl.errors import JitError, LedgerError, NodeError

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


async def a_bundle_lands(story: Story) -> None:
    legs = await first_bundle(story, "mvb")
    await story.move(story.block(*legs), story.block())
    await story.move(story.block())


async def a_bundle_is_reorged_out(story: Story) -> None:
    legs = await first_bundle(story, "mvb")
    await story.move(story.block(*legs))
    await story.move(story.block())
    story.drop(2)
    await story.move(story.block(), story.block(), story.block())


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


async def a_close_is_mined_in_another_block(story: Story) -> None:
    closing = await a_lone_mint_is_closed(story)
    await story.move(story.block())
    story.drop(2)
    await story.move(story.block(), story.block(closing), story.block())


async def a_gap_is_found(story: Story) -> None:
    for _ in range(5):
        story.block()
    await story.move(story.block(), resynced=True)
    await story.move(story.block())


@pytest.mark.parametrize(
    "scenario",
    [
        a_bundle_lands, a_bundle_is_reorged_out, a_lone_mint_is_closed, a_close_is_mined_in_another_block,
        a_gap_is_found,
    ],
    ids=lambda each: each.__name__,
)  # fmt: skip
async def test_whatever_call_is_refused_the_figures_are_the_same(
    tmp_path: Path, scenario: Callable[[Story], Awaitable[object]]
) -> None:
    undisturbed = Story(tmp_path / "undisturbed")
    await undisturbed.begin()
    await scenario(undisturbed)
    calls = list(undisturbed.ledger.calls)
    expected = await undisturbed.end()
    assert calls
    assert expected[1]
    for number, name in enumerate(calls, 1):
        story = Story(tmp_path / str(number))
        await story.begin()
        story.ledger.refuse_call = number
        await scenario(story)
        assert await story.end() == expected, f"call {number}, {name}, was refused"


async def test_a_strangers_nonce_in_a_refused_block_halts(tmp_path: Path) -> None:
    strange = MinedTx(a_hash(0xDEAD), OPERATOR, USER, 7, 0)
    undisturbed = Story(tmp_path / "undisturbed")
    await undisturbed.begin()
    await undisturbed.move(undisturbed.block(strange))
    calls = list(undisturbed.ledger.calls)
    await undisturbed.world.kill()
    assert {"sent_with", "add_flows", "save_lane"} <= set(calls)
    for number, name in enumerate(calls, 1):
        story = Story(tmp_path / str(number))
        await story.begin()
        story.ledger.refuse_call = number
        await story.move(story.block(strange))
        world = story.world
        assert world.engine.state == "HALTED", name
        assert "moved without us" in str(world.engine.figures()["reason"])
        await world.empty_blocks(1)
        await world.clock.advance(2.2)
        assert (FlowKind.DONATION, 1) in {(flow.kind, flow.amount) for flow in world.ledger.flows()}, name
        await world.kill()


async def test_a_tip_that_was_replaced_while_we_were_down_leaves_no_flow(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.begin()
    await story.move(story.block())
    await story.world.kill()
    story.world.chain.drop_blocks(1)
    story.block(gift=False)
    await story.begin()
    assert await story.end() == ([], [])


async def test_a_close_reorged_out_while_we_were_down_is_sent_again_and_counts_once(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.begin()
    await a_lone_mint_is_closed(story)
    await story.world.kill()
    chain = story.world.chain
    chain.drop_blocks(1)
    chain.open = {POOL}
    story.block(gift=False)
    world = await story.begin()
    sent = len(world.closer.sent)
    lone = await the_lone_mint(world)
    assert (lone.close_tx, lone.amounts.collected0) == (None, 0)
    await world.command("resume")
    await world.empty_blocks(1)
    assert len(world.closer.sent) == sent + 1
    _, operator, nonce, close = world.closer.sent[-1]
    chain.receipts[close] = (True, 95_000)
    chain.open = set()
    await world.mine(others=[MinedTx(close, operator, EXECUTOR, nonce, 0)])
    lone = await the_lone_mint(world)
    assert (lone.close_tx, lone.amounts.collected0) == (close, CLOSE.collected0)
    await world.kill()


async def test_a_close_mined_at_another_price_while_we_were_down_costs_that(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.begin()
    closing = await a_lone_mint_is_closed(story)
    before = await the_lone_mint(story.world)
    await story.world.kill()
    story.world.chain.drop_blocks(1)
    story.world.chain.receipts[closing.hash] = (True, 90_001)
    story.block(gift=False)
    story.block(closing)
    world = await story.begin()
    after = await the_lone_mint(world)
    assert after.amounts == before.amounts
    assert after.gas_wei == before.gas_wei + BASE_FEE
    await world.kill()


async def test_a_close_reorged_out_after_a_restart_counts_once_when_it_is_mined_again(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.begin()
    closing = await a_lone_mint_is_closed(story)
    await story.world.kill()
    world = await story.begin()
    await world.command("resume")
    story.drop(1)
    world.chain.open = {POOL}
    await story.move(story.block(gift=False))
    assert (await the_lone_mint(world)).close_tx is None
    world.chain.open = set()
    await story.move(story.block(closing))
    lone = await the_lone_mint(world)
    assert (lone.close_tx, lone.amounts.collected0) == (closing.hash, CLOSE.collected0)
    await world.kill()


async def test_a_nonce_that_a_reorg_took_back_is_taken_back_for_the_next_start_too(tmp_path: Path) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    world.chain.open = {POOL}  # whose nobody knows
    await world.empty_blocks(2)
    _, operator, nonce, close = world.closer.sent[-1]
    world.chain.receipts[close] = (True, 90_000)
    world.chain.open = set()
    await story.move(story.block(MinedTx(close, operator, EXECUTOR, nonce, 0)))
    await story.move(story.block())
    story.drop(2)
    await story.move(story.block(), story.block(), story.block())
    await world.kill()
    world = await story.begin()
    assert world.engine.figures()["synced"] is True
    await world.kill()


async def test_a_bundle_still_being_sent_when_its_block_was_missed_is_found(tmp_path: Path) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    answered = asyncio.Event()

    async def slow_relay(_: object) -> None:
        await answered.wait()

    world.relays.before = slow_relay
    story.block(*await first_bundle(story, "mvb"))
    world.emit(ChainMoved((story.block(),), resynced=True))
    await settle()
    answered.set()
    await settle()
    await world.empty_blocks(1)
    (attempt,) = [each for each in await world.written() if each.record.target_block == 101]
    assert attempt.outcome == "landed"
    await world.kill()


async def test_a_closed_lone_mint_of_a_pool_that_left_the_config_counts_once(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.begin()
    await a_lone_mint_is_closed(story)
    before = await the_lone_mint(story.world)
    await story.world.kill()
    world = World(tmp_path, chain=story.world.chain, specs=(SPEC_2,))
    world.closer.amounts = CLOSE
    await world.start()
    await world.empty_blocks(2)
    after = await the_lone_mint(world)
    assert (after.amounts, after.gas_wei) == (before.amounts, before.gas_wei)
    await world.kill()


@pytest.mark.parametrize("restart", [False, True])
async def test_a_second_position_does_not_count_the_first_ones_close_again(
    tmp_path: Path, restart: bool
) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    await a_lone_mint_is_closed(story)
    before = await the_lone_mint(world)
    sent = len(world.closer.sent)
    world.chain.open = {POOL}
    if restart:
        await world.kill()
        world.chain.add_block(())
        world = await story.begin()
        await world.command("resume")
    await world.empty_blocks(2)
    assert await the_lone_mint(world) == before
    assert world.engine.figures()["openPositions"] == [POOL]
    assert len(world.closer.sent) == sent + 1
    await world.kill()


async def test_a_node_without_receipts_takes_nothing_away_where_no_block_was_missed(tmp_path: Path) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    await a_lone_mint_is_closed(story)
    await world.pend(a_swap(nonce=6))
    await world.mine(world.relays.submitted[-1])
    before = [(each.outcome, each.result) for each in await world.written() if each.outcome]
    assert Outcome.LANDED in {outcome for outcome, _ in before}

    async def no_receipt(*_: object) -> None:
        return None

    async def no_leg(*_: object) -> MinedBundle:
        return MinedBundle(None, None, None, LegAmounts(0, 0, 0, 0, 0, 0, 0))

    closed, mined = world.closer.closed, world.chain.mined
    world.closer.closed, world.chain.mined = no_receipt, no_leg
    world.pools.failure = NodeError("away")
    await world.mine()
    assert world.engine.figures()["synced"] is False
    world.pools.failure = None
    await world.clock.advance(1.1)
    assert world.engine.figures()["synced"] is True
    world.closer.closed, world.chain.mined = closed, mined
    await world.empty_blocks(3)
    assert [(each.outcome, each.result) for each in await world.written()][: len(before)] == before
    await world.kill()


async def test_a_leg_whose_receipt_a_node_lacks_after_a_gap_is_found_in_its_block(tmp_path: Path) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    legs = await first_bundle(story, "mvb")
    await story.move(story.block(*legs))
    mined = world.chain.mined

    async def no_leg(*_: object) -> MinedBundle:
        return MinedBundle(None, None, None, LegAmounts(0, 0, 0, 0, 0, 0, 0))

    world.chain.mined = no_leg
    story.block()
    world.emit(ChainMoved((story.block(),), resynced=True))
    await settle()
    world.chain.mined = mined
    await world.clock.advance(1.1)
    await world.empty_blocks(3)
    (attempt,) = [each for each in await world.written() if each.record.target_block == 101]
    assert attempt.outcome == "landed"
    await world.kill()


async def test_a_late_close_of_what_is_closed_opens_nothing(tmp_path: Path) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    legs = await first_bundle(story, "m")
    world.chain.open = {POOL}
    await story.move(story.block(*legs))
    _, operator, nonce, close = world.closer.sent[-1]
    world.chain.open = set()  # the owner has closed it by hand
    await world.empty_blocks(2)
    assert world.engine.figures()["openPositions"] == []
    closed, sent = world.closer.closed, len(world.closer.sent)

    async def slowly(tx_hash: Hash32) -> MinedBundle | None:
        await world.clock.sleep(0.2)
        return await closed(tx_hash)

    world.closer.closed = slowly
    world.chain.receipts[close] = (False, 40_000)
    await world.mine(others=[MinedTx(close, operator, EXECUTOR, nonce, 0)])
    for _ in range(3):
        await world.clock.advance(2.2)
        await world.mine()
    assert len(world.closer.sent) == sent
    assert world.engine.figures()["openPositions"] == []
    await world.kill()


async def test_a_leg_that_leaked_is_not_settled_away_before_it_is_read(tmp_path: Path) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    await world.pend(a_swap())
    (bundle,) = world.relays.submitted
    await world.empty_blocks(8)
    leaked = world._bundle_txs(bundle, "m", "m", [], 0)
    # The last head's slow answer comes with the block that holds the leg.
    world.emit(ChainMoved((world.chain.add_block(leaked),)))
    world.source.sink.note(FinalizedRead(None))
    await settle()
    await world.empty_blocks(2)
    (attempt,) = [each for each in await world.written() if each.record.target_block == 101]
    assert (attempt.outcome, attempt.reason) == (Outcome.REVERTED, "mint_reverted")
    await world.kill()


async def test_a_strangers_nonce_while_out_of_step_is_not_taken_for_known_by_the_next_start(
    tmp_path: Path,
) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    world.pools.failure = NodeError("away")
    await world.mine()
    await world.mine(others=[MinedTx(a_hash(0xDEAD), OPERATOR, USER, 7, 0)])
    await world.clock.advance(1.1)
    assert world.engine.figures()["synced"] is False
    await world.kill()
    world = await story.begin()
    assert world.engine.state == "HALTED"
    await world.kill()


@pytest.mark.parametrize("refused", [False, True])
async def test_a_close_of_unknown_origin_that_a_reorg_takes_back_keeps_no_start_out_of_step(
    tmp_path: Path, refused: bool
) -> None:
    story = Story(tmp_path)
    world = await story.begin()
    world.chain.open = {POOL}
    await world.empty_blocks(2)
    _, operator, nonce, close = world.closer.sent[-1]
    world.chain.receipts[close] = (True, 90_000)
    world.chain.open = set()
    await story.move(story.block(MinedTx(close, operator, EXECUTOR, nonce, 0)))
    story.drop(1)
    world.chain.open = {POOL}
    if refused:
        story.ledger.calls.clear()
        story.ledger.refuse_call = 1
        await story.move(story.block(), story.block())
    else:
        await world.kill()
        story.block()
        story.block()
        await story.begin()
    assert story.world.engine.figures()["synced"] is True
    await story.world.kill()


async def the_lone_mint(world: World):
    (lone,) = [each for each in await world.written() if each.reason == "lone_mint"]
    assert lone.result is not None
    return lone.result
