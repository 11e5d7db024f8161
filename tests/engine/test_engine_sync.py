"""Getting and staying in step: starts, crashes, gaps, lagging nodes, nonces that move without us."""

import shutil
from pathlib import Path

import pytest
from engine_world import (
    BASE_FEE,
    EXECUTOR,
    OPERATOR,
    POOL,
    POOL_2,
    SPEC_2,
    USER,
    WETH,
    World,
    a_hash,
    a_swap,
    account,
    settle,
    transfer_log,
)

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import SignedBundle
from jitctl.domain.chain import ChainMoved, Log, MinedTx, PendingGone
from jitctl.domain.engine_state import EngineState
from jitctl.domain.records import FlowKind, Outcome
from jitctl.errors import LedgerError, NodeError


async def reborn(world: World, folder: Path | None = None, **changes: object) -> World:
    """A second engine on the same folder (or a copy) and chain."""
    return await World(folder or world.folder, chain=world.chain, changes=changes).start()


async def test_a_clean_stop_comes_up_running_and_a_crash_paused(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.stop()
    world = await reborn(world)
    assert world.engine.state == "RUNNING"
    await world.kill()
    world = await reborn(world)
    assert world.engine.state == "PAUSED"
    assert "without stopping" in str(world.engine.figures()["reason"])
    assert world.latch.paused()
    await world.stop()
    world = await reborn(world)
    assert world.engine.state == "PAUSED"
    await world.stop()


async def test_resume_after_crash_wants_a_flat_book_and_no_pause(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.kill()
    world = await reborn(world, resume_after_crash=True)
    assert world.engine.state == "RUNNING"
    await world.kill()
    world.chain.open = {POOL}
    world = await reborn(world, resume_after_crash=True)
    assert world.engine.state == "PAUSED"
    await world.command("resume")
    world.chain.open = set()
    await world.command("pause")
    await world.kill()
    world = await reborn(world, resume_after_crash=True)
    assert world.engine.state == "PAUSED"
    await world.stop()


async def test_halted_stays_halted(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.command("emergency-stop", "odd")
    await world.stop()
    world = await reborn(world)
    assert world.engine.state == "HALTED"
    assert world.engine.figures()["reason"] == "odd"
    await world.stop()


async def test_a_halt_that_the_latch_forgot_is_not_forgotten(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.command("emergency-stop", "odd")
    await world.stop()
    (world.data_dir / "HALTED").rename(world.data_dir / "ARMED")
    world = await reborn(world)
    assert world.engine.state == "HALTED"
    assert not world.latch.armed()
    await world.stop()
    # A clear that did not come as far as the ledger has been answered to nobody.
    world.latch.clear("ann", "checked", 1.0)
    world = await reborn(world)
    assert world.engine.state == "HALTED"
    assert (await world.command("clear-halt"))["state"] == "PAUSED"
    await world.stop()


FATES = ("in flight", "landed", "missed", "reverted", "next block")


@pytest.mark.parametrize("fate", FATES)
async def test_a_crash_while_submitting_is_reconciled_from_the_chain(tmp_path: Path, fate: str) -> None:
    world = await World(tmp_path / "first").start()
    copy = tmp_path / "crashed"

    async def crash(bundle: SignedBundle) -> None:
        # The disk as it is at the moment when the first byte may leave.
        shutil.copytree(world.folder, copy)

    world.relays.before = crash
    await world.pend(a_swap())
    world.relays.before = None
    bundle = world.relays.submitted[0]
    draft = world.draft_of(bundle)
    assert draft.nonce == 7
    if fate == "landed":
        await world.mine(bundle, emit=False)
    elif fate == "missed":
        await world.mine(emit=False)
    elif fate == "reverted":
        await world.mine(bundle, legs="mb", failed="mb", emit=False)
    await world.kill()

    after = await reborn(world, copy)
    assert after.engine.state == "PAUSED"
    (attempt,) = await after.written()
    expected = {
        "in flight": (AttemptState.SUBMITTED, None),
        "next block": (AttemptState.SUBMITTED, None),
        "landed": (AttemptState.INCLUDED, Outcome.LANDED),
        "missed": (AttemptState.MISSED, Outcome.MISSED),
        "reverted": (AttemptState.REVERTED, Outcome.REVERTED),
    }
    assert (attempt.state, attempt.outcome) == expected[fate]
    assert not after.relays.submitted
    if fate == "next block":
        after.signer.signed = world.signer.signed
        await after.mine(bundle)
        (attempt,) = await after.written()
        assert attempt.outcome is Outcome.LANDED
    nonce = {"landed": 9, "next block": 9, "reverted": 9}.get(fate, 7)
    assert after.engine.figures()["lanes"][0]["nextNonce"] == nonce
    await after.command("resume")
    await after.pend(a_swap(nonce=6))
    # The lane of what may still land stays its own.
    assert len(after.relays.submitted) == (0 if fate == "in flight" else 1)
    await after.stop()


@pytest.mark.parametrize("stage", ["simulate", "sign"])
async def test_a_crash_before_submitting_leaves_nothing_to_send(tmp_path: Path, stage: str) -> None:
    world = await World(tmp_path / "first").start()
    copy = tmp_path / "crashed"

    async def crash(draft: object) -> None:
        world.engine._parts.ports.ledger.flush()
        shutil.copytree(world.folder, copy)

    if stage == "simulate":
        world.simulator.before = crash
    else:
        sign = world.signer.sign

        def crash_then_sign(draft: object) -> SignedBundle:
            world.engine._parts.ports.ledger.flush()
            shutil.copytree(world.folder, copy)
            return sign(draft)

        world.signer.sign = crash_then_sign
    await world.pend(a_swap())
    await world.kill()
    after = await reborn(world, copy)
    (attempt,) = await after.written()
    assert (attempt.state, attempt.outcome, attempt.reason) == (
        AttemptState.ABANDONED, Outcome.ABANDONED, "crash",
    )  # fmt: skip
    await after.stop()


async def test_what_was_decided_is_verified_after_a_restart(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])
    await world.stop()
    # While we were away a reorg took the block.
    world.chain.drop_blocks(1)
    world.chain.add_block([])
    after = await reborn(world)
    (attempt,) = await after.written()
    assert (attempt.state, attempt.result) == (AttemptState.MISSED, None)
    assert after.engine.figures()["lanes"][0]["nextNonce"] == 7
    assert after.engine.state == "RUNNING"
    await after.empty_blocks(8)
    assert (await after.written())[0].state is AttemptState.SETTLED
    await after.stop()


async def test_a_nonce_that_moves_without_us_halts(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])
    await world.mine(others=[MinedTx(a_hash(0xBAD), OPERATOR, account(1), 9, 0)])
    assert world.engine.state == "HALTED"
    assert "nonce moved without us" in str(world.engine.figures()["reason"])
    assert not world.latch.armed()
    await world.stop()


async def test_a_nonce_that_moved_while_we_were_away_halts(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.stop()
    world.chain.add_block([MinedTx(a_hash(0xBAD), OPERATOR, account(1), 7, 0)])
    world = await reborn(world)
    assert world.engine.state == "HALTED"
    assert not world.latch.armed()
    await world.stop()


async def test_a_gap_is_reconciled_and_a_stranger_in_it_halts(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    bundle = world.relays.submitted[0]
    await world.mine(bundle, emit=False)
    last = world.chain.add_block([])
    world.emit(ChainMoved((last,), resynced=True))
    await settle()
    attempt, *_ = await world.written()
    assert attempt.outcome is Outcome.LANDED
    assert world.engine.state == "RUNNING"
    world.chain.add_block([MinedTx(a_hash(0xBAD), OPERATOR, account(1), 9, 0)])
    world.emit(ChainMoved((world.chain.add_block([]),), resynced=True))
    await settle()
    assert world.engine.state == "HALTED"
    await world.stop()


async def test_a_node_that_fails_or_is_on_another_chain_or_lags_is_waited_for(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])
    await world.stop()
    mined = world.chain.blocks.pop()
    world.chain.add_block([])
    world.chain.add_block([])
    after = World(tmp_path, chain=world.chain)
    world.chain.failure = NodeError("down")
    await after.start()
    assert after.engine.state == "SYNCING"
    assert after.observer.named("sync_failed")[-1]["detail"] == "down"
    world.chain.failure, world.chain.chain = None, 1
    await after.clock.advance(1.1)
    assert "chain 1, not 31337" in str(after.observer.named("sync_failed")[-1]["detail"])
    world.chain.chain = 31337
    await after.clock.advance(1.1)
    assert after.engine.state == "RUNNING"
    await after.stop()
    assert mined.head.number == 101


async def test_a_node_behind_settled_transactions_of_ours_lags(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])
    await world.empty_blocks(9)
    await world.stop()
    blocks = list(world.chain.blocks)
    del world.chain.blocks[1:]
    after = await reborn(world)
    assert after.engine.state == "SYNCING"
    assert "lags behind" in str(after.observer.named("sync_failed")[-1]["detail"])
    world.chain.blocks[:] = blocks
    after.emit(ChainMoved((blocks[-1],), resynced=True))
    await after.clock.advance(1.1)
    assert after.engine.state == "RUNNING"
    await after.stop()


async def test_no_block_for_long_loses_sync_and_the_next_one_brings_it_back(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.clock.advance(121)
    assert world.engine.state == "SYNCING"
    await world.pend(a_swap())
    assert not world.relays.submitted
    await world.mine()
    assert world.engine.state == "RUNNING"
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_pools_that_cannot_be_followed_are_loaded_afresh(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.pools.failure = NodeError("down")
    await world.mine()
    assert world.engine.state == "SYNCING"
    world.pools.failure = None
    await world.clock.advance(1.1)
    assert world.engine.state == "RUNNING"
    assert world.pools.loads == 2
    await world.stop()


async def test_a_source_that_fails_is_started_again_and_gaps_are_counted(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.source.end(NodeError("dropped"))
    await world.clock.advance(1.1)
    assert world.source.runs == 2
    assert world.count("happenings", "source_restarts") == 1
    assert world.source.sink is not None
    world.source.sink.put(PendingGone("socket lost"))
    await settle()
    assert world.count("happenings", "pending_gone") == 1
    await world.stop()


async def test_a_failing_ledger_pauses_and_nothing_is_sent(tmp_path: Path) -> None:
    class Flaky:
        """The ledger on a disk that fills up."""

        def __init__(self, store: object) -> None:
            self.store, self.full = store, False

        def __getattr__(self, name: str) -> object:
            found = getattr(self.store, name)
            if self.full and name in {"move_attempt", "save_engine", "flush"}:

                def fail(*args: object, **kwargs: object) -> None:
                    raise LedgerError("the disk is full")

                return fail
            return found

    flaky: list[Flaky] = []

    def wrap(store: object) -> Flaky:
        flaky.append(Flaky(store))
        return flaky[0]

    world = World(tmp_path, wrap_ledger=wrap)
    await world.start()
    flaky[0].full = True
    await world.pend(a_swap())
    assert not world.relays.submitted
    assert world.engine.state == "PAUSED"
    assert "disk is full" in str(world.engine.figures()["reason"])
    with pytest.raises(LedgerError):
        await world.command("resume")
    assert world.engine.state == "PAUSED"
    assert world.latch.paused()
    flaky[0].full = False
    await world.clock.advance(1.1)
    record = world.ledger.engine()
    assert record is not None
    assert record.state is EngineState.PAUSED
    await world.command("resume")
    await world.mine()
    assert len(world.relays.submitted) == 1
    await world.stop()


@pytest.mark.parametrize("lie", ["refused", "silent", "broken", "unknown"])
async def test_the_chain_decides_whatever_relays_say(tmp_path: Path, lie: str) -> None:
    world = await World(tmp_path).start()

    async def hang(bundle: object) -> None:
        await world.clock.sleep(1000)

    if lie == "refused":
        world.relays.outcome = "refused"
    elif lie == "silent":
        world.relays.before = hang
    elif lie == "broken":
        world.relays.failure = NodeError("connection reset")
    else:
        world.relays.failure = ValueError("a defect in an adapter")
    await world.pend(a_swap())
    await world.clock.advance(0.6)
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.SUBMITTED
    await world.mine(world.relays.submitted[0])
    (attempt,) = [a for a in await world.written() if a.uuid]
    assert attempt.outcome is Outcome.LANDED
    assert world.engine.state == ("PAUSED" if lie == "unknown" else "RUNNING")
    await world.stop()


async def test_an_outcome_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    world.chain.failure = NodeError("down")
    await world.mine(world.relays.submitted[0])
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.SUBMITTED
    world.chain.failure = None
    await world.clock.advance(1.1)
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.INCLUDED
    await world.stop()


async def test_a_decision_that_fails_costs_one_transaction_and_not_the_engine(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    pools = world.pools.pools
    world.pools.pools = lambda: 1 / 0
    await world.pend(a_swap())
    assert world.count("happenings", "decisions_failed") == 1
    assert world.engine.state == "RUNNING"
    world.pools.pools = pools
    await world.pend(a_swap(nonce=6))
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_a_position_in_a_pool_that_is_not_configured_is_not_overlooked(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.chain.open = {POOL_2}
    await world.start()
    assert world.engine.state == "PAUSED"
    assert "a pool that is not configured" in str(world.engine.figures()["reason"])
    await world.stop()


async def test_flows_of_blocks_that_nobody_followed_are_named_when_the_engine_is_back(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.empty_blocks(2)
    seen = await world.mine(executor_logs=[_gift(1)])
    await world.stop()
    assert [flow.amount for flow in world.ledger.flows()] == [1]
    # While it is down the last block is replaced, and more come.
    world.chain.drop_blocks(1)
    world.chain.add_block((), executor_logs=[_gift(2)])
    world.chain.add_block(())
    missed = world.chain.add_block((), executor_logs=[_gift(3)])
    world.chain.add_block(())
    world = await reborn(world)
    await world.empty_blocks(1)
    assert world.count("happenings", "gap_blocks") == 6
    await world.stop()
    flows = world.ledger.flows()
    assert [flow.amount for flow in flows] == [2, 3]
    assert seen.head.hash not in {flow.block_hash for flow in flows}
    assert flows[1].block_hash == missed.head.hash
    # What is known stays as it is, however often it is read.
    world = await reborn(world)
    await world.empty_blocks(1)
    assert world.count("happenings", "gap_blocks") > 6
    await world.stop()
    assert world.ledger.flows() == flows


@pytest.mark.parametrize("mined_while_down", [True, False])
async def test_a_leg_that_leaks_after_its_attempt_was_settled_is_ours_in_the_next_run_too(
    tmp_path: Path, mined_while_down: bool
) -> None:
    world = await World(tmp_path, changes={"resume_after_crash": True}).start()
    await world.pend(a_swap())
    (bundle, *_) = world.relays.submitted
    await world.empty_blocks(12)
    assert next(a for a in await world.written() if a.uuid == bundle.uuid).state is AttemptState.SETTLED
    await world.stop()
    leaked = MinedTx(bundle.tx_hashes[0], OPERATOR, EXECUTOR, 7, 0)
    world.chain.receipts[leaked.hash] = (False, 50_000)
    if mined_while_down:
        world.chain.add_block([leaked])
    world = await reborn(world)
    if not mined_while_down:
        await world.mine(others=[leaked])
    await world.empty_blocks(2)
    assert world.engine.state == "RUNNING"
    assert world.engine.figures()["lanes"][0]["nextNonce"] == 8
    await world.stop()
    assert [(flow.kind, flow.account, flow.amount) for flow in world.ledger.flows()] == [
        (FlowKind.GAS, OPERATOR, -50_000 * BASE_FEE)
    ]


async def test_a_strangers_transaction_while_down_halts_whatever_was_signed_before(tmp_path: Path) -> None:
    world = await World(tmp_path, changes={"resume_after_crash": True}).start()
    await world.pend(a_swap())
    (bundle, *_) = world.relays.submitted
    await world.empty_blocks(12)
    await world.stop()
    leaked = MinedTx(bundle.tx_hashes[0], OPERATOR, EXECUTOR, 7, 0)
    world.chain.add_block([leaked])
    world.chain.add_block([MinedTx(a_hash(0xBAD), OPERATOR, EXECUTOR, 8, 0)])
    world = await reborn(world)
    assert world.engine.state == "HALTED"
    assert "nonce" in str(world.engine.figures())
    await world.stop()


def _gift(amount: int) -> Log:
    return transfer_log(WETH, USER, EXECUTOR, amount, a_hash(0xA0_0000 + amount))


async def test_a_position_left_open_in_a_pool_that_a_restart_removes_is_not_taken_for_closed(
    tmp_path: Path,
) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    (bundle,) = world.relays.submitted
    await world.stop()
    world.chain.open = {POOL}
    await world.mine(bundle, legs="m")
    world = await World(tmp_path, chain=world.chain, specs=(SPEC_2,)).start()
    assert world.engine.figures()["openPositions"] == [POOL]
    await world.empty_blocks(2)
    assert world.engine.figures()["openPositions"] == [POOL]
    world.chain.open = set()
    await world.empty_blocks(2)
    assert world.engine.figures()["openPositions"] == []
    await world.stop()
