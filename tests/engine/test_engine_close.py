"""A lone mint: noticed, closed by a public transaction, accounted for, and never while paused."""

from dataclasses import replace
from pathlib import Path

from engine_world import (
    BASE_FEE,
    EXECUTOR,
    MINT_GAS,
    OPERATOR,
    POOL,
    USER,
    WETH,
    World,
    a_hash,
    a_swap,
    amounts_of,
    settle,
    transfer_log,
)

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import LegAmounts
from jitctl.domain.chain import ChainMoved, MinedTx
from jitctl.domain.records import FlowKind, Outcome
from jitctl.engine.events import CloseRead
from jitctl.engine.watch import REVERTS_BEFORE_PAUSE, PositionWatch
from jitctl.errors import NodeError


async def lone_mint(world: World) -> None:
    """Our mint lands without the rest of its bundle."""
    await world.pend(a_swap())
    world.chain.open = {POOL}
    await world.mine(world.relays.submitted[0], legs="m")


async def test_a_lone_mint_is_closed_and_its_return_belongs_to_the_attempt(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    (sent,) = world.closer.sent
    assert sent[:3] == (POOL, OPERATOR, 8)
    before, *_ = await world.written()
    assert (before.outcome, before.reason) == (Outcome.REVERTED, "lone_mint")
    assert before.result is not None
    assert before.result.amounts.collected1 == 0

    plan = before.record.plan
    back = LegAmounts(0, 0, plan.expected_mint0, plan.expected_mint1 - 1, 0, 0, 0)
    world.closer.amounts = back
    world.chain.receipts[sent[3]] = (True, 90_000)
    world.chain.open = set()
    transfer = transfer_log(WETH, POOL, EXECUTOR, 5, sent[3])
    await world.mine(others=[MinedTx(sent[3], OPERATOR, EXECUTOR, 8, 0)], executor_logs=[transfer])
    after, *_ = await world.written()
    assert after.result is not None
    assert after.result.close_tx == sent[3]
    assert after.result.amounts == replace(
        amounts_of(plan), collected0=back.collected0, collected1=back.collected1, fees0=0, fees1=0, tip_wei=0
    )
    assert after.result.gas_wei == (MINT_GAS + 90_000) * BASE_FEE
    assert world.engine.figures()["openPositions"] == []
    assert world.engine.figures()["lanes"][0]["nextNonce"] == 9
    assert world.ledger.flows() == ()
    assert world.engine.state == "RUNNING"
    assert [event.type for event in world.ledger.events(types=["position_open", "position_closed"])] == [
        "position_open", "position_closed",
    ]  # fmt: skip
    await world.stop()


async def test_nothing_is_closed_while_paused(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    bundle = world.relays.submitted[0]
    await world.command("pause")
    world.chain.open = {POOL}
    await world.mine(bundle, legs="m")
    await world.mine()
    assert not world.closer.sent
    assert (await world.command("status"))["openPositions"] == [POOL]
    await world.command("resume")
    await world.mine()
    assert len(world.closer.sent) == 1
    await world.stop()


async def test_a_close_that_is_not_mined_is_sent_again_with_the_same_nonce(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    await world.empty_blocks(2)
    assert len(world.closer.sent) == 1
    await world.empty_blocks(1)
    assert [nonce for _, _, nonce, _ in world.closer.sent] == [8, 8]
    await world.stop()


async def test_a_close_that_reverts_is_sent_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    first = world.closer.sent[0][3]
    world.chain.receipts[first] = (False, 90_000)
    await world.mine(others=[MinedTx(first, OPERATOR, EXECUTOR, 8, 0)])
    await world.empty_blocks(3)
    assert [nonce for _, _, nonce, _ in world.closer.sent] == [8, 9]
    (gas,) = world.ledger.flows()
    assert (gas.kind, gas.account, gas.amount) == (FlowKind.GAS, OPERATOR, -90_000 * BASE_FEE)
    await world.stop()


async def test_a_position_whose_closes_revert_again_and_again_pauses(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    for sent_before in range(1, REVERTS_BEFORE_PAUSE + 1):
        assert len(world.closer.sent) == sent_before
        assert world.engine.state == "RUNNING"
        *_, nonce, close = world.closer.sent[-1]
        world.chain.receipts[close] = (False, 90_000)
        await world.mine(others=[MinedTx(close, OPERATOR, EXECUTOR, nonce, 0)])
        await world.empty_blocks(3)
    assert world.engine.state == "PAUSED"
    assert POOL in (await world.command("status"))["reason"]
    assert len(world.closer.sent) == REVERTS_BEFORE_PAUSE
    assert len(world.observer.named("closes_given_up")) == 1
    await world.empty_blocks(6)
    assert len(world.closer.sent) == REVERTS_BEFORE_PAUSE
    await world.command("resume")
    await world.mine()
    assert len(world.closer.sent) == REVERTS_BEFORE_PAUSE + 1
    await world.stop()


async def test_one_close_that_reverts_counts_once_however_often_it_is_read(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    *_, nonce, close = world.closer.sent[-1]
    world.chain.receipts[close] = (False, 90_000)
    await world.mine(others=[MinedTx(close, OPERATOR, EXECUTOR, nonce, 0)])
    # The next head had come with the answer, and asked once more.
    world.source.sink.note(CloseRead(POOL, await world.closer.closed(close)))
    await settle()
    assert world.count("happenings", "closes_reverted") == 1
    await world.stop()


async def test_closes_that_lost_a_race_long_ago_do_not_count(tmp_path: Path) -> None:
    watch = PositionWatch()
    for _ in range(REVERTS_BEFORE_PAUSE):
        watch.left_open(POOL, 1)
        assert not watch.close_reverted(POOL)
        assert watch.gone([], 5, lambda _: False) == [POOL]


async def test_a_halt_stays_a_halt_though_the_last_close_reverts(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    for sent_before in range(1, REVERTS_BEFORE_PAUSE + 1):
        *_, nonce, close = world.closer.sent[-1]
        if sent_before == REVERTS_BEFORE_PAUSE:
            await world.command("emergency-stop")
        world.chain.receipts[close] = (False, 90_000)
        await world.mine(others=[MinedTx(close, OPERATOR, EXECUTOR, nonce, 0)])
        await world.empty_blocks(3)
    assert world.engine.state == "HALTED"
    assert len(world.observer.named("closes_given_up")) == 1
    assert not world.observer.named("engine_error")
    await world.stop()


async def test_a_reorg_takes_a_close_back_and_it_counts_once_when_it_is_mined_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    close = world.closer.sent[0][3]
    world.closer.amounts = LegAmounts(0, 0, 5, 7, 0, 0, 0)
    world.chain.receipts[close] = (True, 90_000)
    world.chain.open = set()
    closing = MinedTx(close, OPERATOR, EXECUTOR, 8, 0)
    await world.mine(others=[closing])
    (once, *_) = await world.written()
    assert once.result is not None
    assert once.result.close_tx == close

    world.chain.open = {POOL}
    await world.reorg(1, [])
    (undone, *_) = await world.written()
    assert undone.result is not None
    assert (undone.result.close_tx, undone.result.amounts.collected1) == (None, 0)
    assert undone.result.gas_wei == MINT_GAS * BASE_FEE
    assert world.engine.figures()["openPositions"] == [POOL]

    world.chain.open = set()
    await world.mine(others=[closing])
    (again, *_) = await world.written()
    assert again.result == once.result
    assert world.engine.figures()["openPositions"] == []
    assert world.ledger.flows() == ()
    await world.stop()


async def test_a_close_of_which_the_sending_failed_may_be_mined_all_the_same(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.closer.failure = NodeError("no answer")
    await lone_mint(world)
    assert len(world.observer.named("close_failed")) == 1
    (sent,) = world.closer.signed
    world.chain.receipts[sent] = (True, 90_000)
    world.closer.amounts = LegAmounts(0, 0, 1, 2, 0, 0, 0)
    world.chain.open = set()
    await world.mine(others=[MinedTx(sent, OPERATOR, EXECUTOR, 8, 0)])
    assert world.engine.state == "RUNNING"
    attempt, *_ = await world.written()
    assert attempt.result is not None
    assert attempt.result.close_tx == sent
    assert attempt.result.amounts.collected1 == 2
    await world.stop()


async def test_somebody_else_closes_it(tmp_path: Path) -> None:
    world = await World(tmp_path, with_closer=False).start()
    await lone_mint(world)
    assert world.engine.figures()["openPositions"] == [POOL]
    world.chain.open = set()
    closing = a_hash(0xC105E)
    transfer = transfer_log(WETH, POOL, EXECUTOR, 77, closing)
    await world.mine(others=[MinedTx(closing, USER, EXECUTOR, 1, 0)], executor_logs=[transfer])
    assert world.engine.figures()["openPositions"] == []
    await world.clock.advance(1.1)
    assert [(flow.kind.value, flow.amount) for flow in world.ledger.flows()] == [("transfer", 77)]
    assert world.observer.named("position_closed")[0]["by"] == "somebody else"
    await world.stop()


async def test_a_position_of_unknown_origin_is_closed_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.chain.open = {POOL}
    await world.start()
    await world.mine()
    assert world.closer.sent[0][:3] == (POOL, OPERATOR, 7)
    await world.stop()


async def test_a_burn_that_comes_a_block_late_closes_the_position_itself(tmp_path: Path) -> None:
    world = await World(tmp_path, with_closer=False).start()
    await lone_mint(world)
    bundle = world.relays.submitted[0]
    world.chain.open = set()
    await world.mine(bundle, legs="b")
    attempt = next(a for a in await world.written() if a.uuid == bundle.uuid)
    assert (attempt.state, attempt.reason) == (AttemptState.REVERTED, "burned_later")
    assert attempt.result is not None
    assert attempt.result.amounts.collected1 > 0
    await world.stop()


async def test_a_lone_mint_that_was_closed_before_a_restart_is_not_closed_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    (sent,) = world.closer.sent
    world.chain.receipts[sent[3]] = (True, 90_000)
    world.chain.open = set()
    await world.mine(others=[MinedTx(sent[3], OPERATOR, EXECUTOR, 8, 0)])
    await world.stop()
    again = await World(tmp_path, chain=world.chain).start()
    assert again.engine.state == "RUNNING"
    assert again.engine.figures()["openPositions"] == []
    await again.mine()
    await again.clock.advance(2.1)
    assert again.closer.sent == []
    await again.stop()


async def test_a_close_that_was_mined_in_a_gap_is_no_stranger(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    (sent,) = world.closer.sent
    world.chain.open = set()
    await world.mine(others=[MinedTx(sent[3], OPERATOR, EXECUTOR, 8, 0)], emit=False)
    block = await world.mine(emit=False)
    world.emit(ChainMoved((block,), resynced=True))
    await settle()
    await world.mine()
    assert world.engine.state == "RUNNING"
    assert world.engine.figures()["openPositions"] == []
    assert len(world.closer.sent) == 1
    await world.stop()


async def test_a_close_that_an_earlier_run_signed_is_known_after_a_crash(tmp_path: Path) -> None:
    """The crash comes between sending the close and its being mined; its return is the attempt's."""
    world = await World(tmp_path, changes={"resume_after_crash": True}).start()
    await lone_mint(world)
    (sent,) = world.closer.sent
    await world.kill()
    world.chain.receipts[sent[3]] = (True, 90_000)
    world.chain.open = set()
    transfer = transfer_log(WETH, POOL, EXECUTOR, 7, sent[3])
    world.chain.add_block([MinedTx(sent[3], OPERATOR, EXECUTOR, 8, 0)], executor_logs=[transfer])
    world.chain.add_block(())
    again = World(tmp_path, chain=world.chain, changes=world.changes)
    again.closer.amounts = LegAmounts(0, 0, 5, 7, 0, 0, 0)
    await again.start()
    assert again.engine.state == "RUNNING"
    await again.empty_blocks(2)
    attempt = next(a for a in await again.written() if a.reason == "lone_mint")
    assert attempt.result is not None
    assert (attempt.result.close_tx, attempt.result.amounts.collected1) == (sent[3], 7)
    assert attempt.result.gas_wei == (MINT_GAS + 90_000) * BASE_FEE
    assert again.ledger.flows() == ()
    assert again.closer.sent == []
    await again.stop()
    # Read once more, it counts once.
    third = World(tmp_path, chain=world.chain)
    third.closer.amounts = again.closer.amounts
    await third.start()
    await third.empty_blocks(1)
    assert next(a for a in await third.written() if a.reason == "lone_mint").result == attempt.result
    assert third.ledger.flows() == ()
    await third.stop()


async def test_a_close_still_pending_at_a_crash_is_accounted_for_when_it_is_mined(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await lone_mint(world)
    (sent,) = world.closer.sent
    await world.kill()
    again = await World(tmp_path, chain=world.chain).start()
    assert again.engine.figures()["openPositions"] == [POOL]
    again.closer.amounts = LegAmounts(0, 0, 5, 7, 0, 0, 0)
    world.chain.receipts[sent[3]] = (True, 90_000)
    world.chain.open = set()
    await again.mine(others=[MinedTx(sent[3], OPERATOR, EXECUTOR, 8, 0)])
    attempt = next(a for a in await again.written() if a.reason == "lone_mint")
    assert attempt.result is not None
    assert (attempt.result.close_tx, attempt.result.amounts.collected1) == (sent[3], 7)
    assert again.engine.figures()["openPositions"] == []
    assert again.engine.state == "PAUSED"
    await again.stop()


async def test_what_left_a_position_open_is_not_settled_before_that_is_closed(tmp_path: Path) -> None:
    world = await World(tmp_path, with_closer=False).start()
    await lone_mint(world)
    await world.empty_blocks(12)
    attempt = next(a for a in await world.written() if a.reason == "lone_mint")
    assert attempt.state is AttemptState.REVERTED
    world.chain.open = set()
    await world.empty_blocks(2)
    attempt = next(a for a in await world.written() if a.reason == "lone_mint")
    assert attempt.state is AttemptState.SETTLED
    await world.stop()


async def test_a_stranger_with_the_nonce_of_a_close_halts(tmp_path: Path) -> None:
    """Known is what we signed, not the nonce that it was signed for."""
    world = await World(tmp_path).start()
    await lone_mint(world)
    await world.mine(others=[MinedTx(a_hash(0xBAD), OPERATOR, EXECUTOR, 8, 0)])
    assert world.engine.state == "HALTED"
    await world.stop()
