"""What reorgs, restarts and nodes that lack a receipt do to closes, legs and nonces: nothing counts twice."""

import asyncio
from pathlib import Path

import pytest
from engine_story import CLOSE, Story, a_lone_mint_is_closed, first_bundle, the_lone_mint
from engine_world import BASE_FEE, EXECUTOR, OPERATOR, POOL, SPEC_2, USER, World, a_hash, a_swap, settle

from jitctl.domain.bundle import LegAmounts, MinedBundle
from jitctl.domain.chain import ChainMoved, MinedTx
from jitctl.domain.records import Outcome
from jitctl.domain.values import Hash32
from jitctl.engine.events import FinalizedRead
from jitctl.errors import NodeError


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
