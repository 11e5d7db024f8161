"""The operator's verbs against a running engine: barriers, repeats, refusals, files moved from outside."""

import asyncio
import contextlib
import errno
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from engine_world import DAI, POOL, SPEC, SPEC_2, USDC, World, a_swap, account, settle

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.chain import ChainMoved
from jitctl.domain.engine_state import EngineState
from jitctl.errors import CannotDetermine, JitError, NodeError, PositionsOpen, Refused, TimedOut, UsageError
from jitctl.safety import latch
from jitctl.safety.barrier import SubmitBarrier
from jitctl.strategy.limits import StrategyParams


async def test_nothing_is_loosened_for_one_who_has_given_up(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.command("pause", "lunch")
    gone_s = world.clock.monotonic_ns() / 1e9 - 0.001
    with pytest.raises(Refused, match="resume came too late"):
        await world.command("resume", until_s=gone_s)
    assert world.latch.paused()
    await world.command("crisis-mode", level="high", until_s=gone_s)
    with pytest.raises(Refused, match="too late"):
        await world.command("crisis-mode", level="low", until_s=gone_s)
    await world.command("emergency-stop", until_s=gone_s)
    with pytest.raises(Refused, match="too late"):
        await world.command("clear-halt", until_s=gone_s)
    assert (await world.command("clear-halt", until_s=gone_s + 60))["state"] == "PAUSED"
    assert (await world.command("resume", until_s=gone_s + 60))["state"] == "RUNNING"


async def test_pause_and_resume_say_what_they_changed(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    paused = await world.command("pause", "lunch")
    assert (paused["message"], paused["changed"], paused["state"]) == ("paused", True, "PAUSED")
    assert (paused["who"], paused["reason"]) == ("ann", "lunch")
    assert world.latch.paused()
    again = await world.command("pause", "dinner")
    assert (again["message"], again["changed"], again["reason"]) == ("already paused", False, "lunch")
    await world.pend(a_swap())
    assert not world.simulator.drafts
    assert world.count("skips", "not_running") == 1
    resumed = await world.command("resume")
    assert (resumed["message"], resumed["changed"]) == ("running", True)
    assert not world.latch.paused()
    assert (await world.command("resume"))["message"] == "already running"
    # What was wanted meanwhile is planned with the next head.
    await world.mine()
    assert len(world.relays.submitted) == 1
    record = world.ledger.engine()
    assert record is not None
    assert (record.state, record.who) == (EngineState.RUNNING, "ann")
    await world.stop()


async def test_pause_waits_for_a_submission_under_way_and_names_it(tmp_path: Path) -> None:
    world = await World(tmp_path).start()

    async def take_a_while(bundle: object) -> None:
        await world.clock.sleep(0.2)

    world.relays.before = take_a_while
    await world.pend(a_swap())
    pausing = asyncio.create_task(world.engine.command("pause", who="ann"))
    await world.clock.advance(0.19)
    assert not pausing.done()
    assert world.engine.state == "PAUSED"
    await world.clock.advance(0.02)
    body = await pausing
    assert (body["outstandingBundles"], body["lastTargetBlock"]) == (1, 101)
    await world.mine(world.relays.submitted[0])
    assert (await world.command("pause"))["outstandingBundles"] == 0
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.INCLUDED
    await world.stop()


async def test_a_submission_that_hangs_is_cut_off_at_its_limit(tmp_path: Path) -> None:
    world = await World(tmp_path).start()

    async def hang(bundle: object) -> None:
        await world.clock.sleep(1000)

    world.relays.before = hang
    await world.pend(a_swap())
    began = world.clock.now_ns
    await world.command("pause")
    assert 0.49e9 < world.clock.now_ns - began < 0.61e9
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.SUBMITTED
    await world.stop()


async def test_pause_stops_an_attempt_that_is_still_simulating(tmp_path: Path) -> None:
    world = await World(tmp_path).start()

    async def slowly(draft: object) -> None:
        await world.clock.sleep(0.1)

    world.simulator.before = slowly
    await world.pend(a_swap())
    await world.command("pause")
    await world.clock.advance(0.2)
    assert not world.relays.submitted
    (attempt,) = await world.written()
    assert attempt.reason == "paused"
    await world.stop()


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_submitted_after_the_answer_to_pause(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    world = await World(tmp_path).start()

    async def pause_somewhere(_: object) -> None:
        await world.clock.sleep(rng.random() * 0.05)

    world.simulator.before = world.relays.before = pause_somewhere
    await world.pend(a_swap())
    await world.clock.advance(rng.random() * 0.08)
    await world.command("pause")
    before = len(world.relays.submitted)
    await world.pend(a_swap(nonce=6), a_swap(nonce=7, sender=account(9)))
    await world.mine()
    await world.clock.advance(1)
    assert len(world.relays.submitted) == before
    await world.stop()


async def test_stop_answers_then_ends_and_refuses_what_comes_later(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    body = await world.command("stop", "night")
    assert (body["message"], body["state"], body["outstandingBundles"]) == ("stopped", "STOPPED", 1)
    assert world.task is not None
    await world.task
    with pytest.raises(Refused, match="has stopped"):
        await world.engine.command("ping", who="ann")
    record = world.ledger.engine()
    assert record is not None
    assert (record.state, record.who, record.why) == (EngineState.STOPPED, "ann", "night")
    lines = (world.data_dir / "jit_bot.jsonl").read_text().splitlines()
    assert len(lines) == world.ledger.last_seq()


async def test_emergency_stop_halts_cancels_and_only_clear_halt_leads_out(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    body = await world.command("emergency-stop", "odd")
    assert (body["message"], body["changed"], body["state"]) == ("halted", True, "HALTED")
    assert not world.latch.armed()
    assert world.relays.cancelled == [world.relays.submitted[0].uuid]
    assert (await world.command("emergency-stop"))["message"] == "already halted"
    assert (await world.command("pause"))["message"].startswith("halted already")
    with pytest.raises(Refused, match="halted"):
        await world.command("resume")
    with pytest.raises(UsageError):
        await world.command("clear-halt", "")
    world.chain.open = {POOL}
    with pytest.raises(PositionsOpen, match=POOL):
        await world.command("clear-halt")
    world.chain.open = {account(77)}
    with pytest.raises(PositionsOpen, match="not configured"):
        await world.command("clear-halt")
    world.chain.open = set()
    world.chain.failure = NodeError("down")
    with pytest.raises(CannotDetermine, match="down"):
        await world.command("clear-halt")
    world.chain.failure = None
    assert not world.latch.armed()
    body = await world.command("clear-halt", "checked")
    assert (body["state"], body["changed"]) == ("PAUSED", True)
    assert world.latch.armed()
    assert world.latch.paused()
    assert (await world.command("clear-halt"))["changed"] is False
    assert (await world.command("resume"))["state"] == "RUNNING"
    await world.stop()


async def test_a_halt_that_the_engine_has_not_taken_over_yet_is_not_cleared(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.latch.halt("bob", "by hand", 1.0)
    with pytest.raises(Refused, match="not taken it over"):
        await world.engine.command("clear-halt", who="ann", reason="checked")
    await world.clock.advance(1.1)
    assert world.engine.state == "HALTED"
    assert (await world.command("clear-halt"))["changed"] is True
    await world.stop()


@pytest.mark.parametrize("what", ["halt", "pause", "lose"])
async def test_files_moved_by_another_process_are_heeded(tmp_path: Path, what: str) -> None:
    world = await World(tmp_path).start()
    if what == "halt":
        world.latch.halt("bob", "by hand", 1.0)
    elif what == "pause":
        world.latch.pause("bob", "by hand", 1.0)
    else:
        (world.data_dir / "ARMED").unlink()
    # At once, under the barrier ...
    await world.pend(a_swap())
    (attempt,) = await world.written()
    assert attempt.reason == ("paused" if what == "pause" else "not_armed")
    assert not world.relays.submitted
    # ... and as the state within a second.
    assert world.engine.state == ("PAUSED" if what == "pause" else "HALTED")
    if what != "lose":
        assert world.engine.figures()["who"] == "bob"
    await world.stop()


async def test_the_barrier_held_by_another_keeps_everything_in(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    held = SubmitBarrier(world.data_dir).try_exclusive()
    assert held is not None
    await world.pend(a_swap())
    await world.clock.advance(0.1)
    assert not world.signer.signed
    with pytest.raises(TimedOut, match="another process"):
        await world.command("pause")
    assert world.engine.state == "PAUSED"
    held.release()
    assert (await world.command("pause"))["message"] == "already paused"
    (attempt,) = await world.written()
    assert attempt.reason == "barrier_timeout"
    await world.stop()


async def test_crisis_levels_tighten_floor_and_size_and_stop_attempts(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    body = await world.command("crisis-mode", level="low")
    assert (body["crisisLevel"], body["changed"]) == ("low", True)
    assert (await world.command("crisis-mode", level="low"))["changed"] is False
    await world.pend(a_swap())
    plan = world.simulator.drafts[0].plan
    assert max(plan.amount0_max, plan.amount1_max * 10**18 // (2000 * 10**6)) <= 10 * 10**18 * 102 // 100
    await world.command("crisis-mode", level="high")
    await world.pend(a_swap(nonce=6, sender=account(9)))
    await world.mine()
    assert len(world.relays.submitted) == 1
    with pytest.raises(UsageError, match="no crisis level"):
        await world.command("crisis-mode", level="panic")
    await world.command("crisis-mode", level="off")
    await world.mine()
    assert len(world.relays.submitted) == 2
    await world.kill()
    # It survives the end of the process.
    again = await World(tmp_path, chain=world.chain).start()
    assert again.engine.figures()["crisisLevel"] == "off"
    await again.command("crisis-mode", level="critical")
    await again.kill()
    last = await World(tmp_path, chain=world.chain).start()
    assert last.engine.figures()["crisisLevel"] == "critical"
    await last.stop()


async def test_tightening_during_the_simulation_counts_under_the_barrier(tmp_path: Path) -> None:
    world = await World(tmp_path).start()

    async def slowly(draft: object) -> None:
        await world.clock.sleep(0.1)

    world.simulator.before = slowly
    await world.pend(a_swap())
    await world.command("crisis-mode", level="high")
    await world.clock.advance(0.2)
    (attempt,) = await world.written()
    assert attempt.reason == "limits"
    await world.stop()


async def test_reload_takes_over_both_or_neither(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap(token_out=DAI))
    assert world.count("skips", "unwatched_pool") == 1
    world.pools.failure = NodeError("down")
    with pytest.raises(Refused, match="down"):
        await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    assert world.engine.figures()["generation"] == 1
    world.pools.failure = None
    body = await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    assert body["generation"] == 2
    await world.pend(a_swap(token_out=DAI, nonce=6))
    assert len(world.relays.submitted) == 1
    dear = replace(StrategyParams(), min_profit_wei=10**20)
    await world.command("reload", params=dear, pools=[SPEC])
    await world.pend(a_swap(sender=account(9)))
    assert len(world.relays.submitted) == 1
    assert [pool["name"] for pool in (await world.command("pool-status"))["pools"]] == [SPEC.name]
    await world.stop()


async def test_a_reload_knows_the_marks_of_its_new_tokens_for_the_very_next_swap(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    asked = len(world.prices.asked)
    world.prices.failure = NodeError("the new feed does not answer")
    with pytest.raises(Refused, match="new feed"):
        await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    assert world.engine.figures()["generation"] == 1
    world.prices.failure = None
    await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    assert len(world.prices.asked) == asked + 2
    await world.pend(a_swap(token_out=DAI))
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_reads_answer_and_unknown_verbs_do_not(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    assert (await world.command("ping"))["message"] == "pong"
    status = await world.command("status")
    assert status["state"] == "RUNNING"
    assert status["tradingReady"] is True
    assert status["balances"] == {
        key: str(world.chain.balances[key]) for key in (world.specs[0].weth.address, USDC)
    }
    with pytest.raises(UsageError, match="dance"):
        await world.command("dance")
    await world.stop()


async def test_commands_before_the_first_block(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.boot()
    assert (await world.command("ping"))["state"] == "SYNCING"
    with pytest.raises(Refused):
        await world.command("resume")
    with pytest.raises(CannotDetermine):
        await world.command("emergency-stop")
        await world.command("clear-halt")
    await world.stop()


async def test_pause_while_syncing_comes_up_paused(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.boot()
    assert (await world.command("pause"))["changed"] is True
    world.emit(ChainMoved((world.chain.blocks[-1],), resynced=True))
    await settle()
    assert world.engine.state == "PAUSED"
    assert (await world.command("resume"))["state"] == "RUNNING"
    await world.stop()


async def test_a_command_is_answered_before_a_flood_of_pending(tmp_path: Path) -> None:
    world = World(tmp_path, changes={"pending_queue": 1000})
    world = await world.start()
    assert world.source.sink is not None
    for nonce in range(5000):
        world.source.sink.offer_pending(a_swap(nonce=nonce, to=account(1), calldata=b""))
    asked = asyncio.create_task(world.engine.command("pause", who="ann"))
    await settle(5)
    assert asked.done()
    await settle(2000)
    assert world.count("happenings", "pending_dropped") == 4000
    assert world.count("happenings", "pending_seen") == 1000
    await world.stop()


async def test_following_a_head_takes_a_moment_and_no_longer(tmp_path: Path) -> None:
    """A status that says "not ready" for some milliseconds after each block would alarm for nothing."""
    world = await World(tmp_path).start()
    followed, apply = asyncio.Event(), world.pools.apply

    async def slowly(moved: ChainMoved) -> None:
        await followed.wait()
        await apply(moved)

    world.pools.apply = slowly
    await world.mine()
    figures = world.engine.figures()
    assert figures["headHash"] != figures["poolsHeadHash"]
    assert figures["tradingReady"] is True
    await world.clock.advance(1.0)
    assert world.engine.figures()["tradingReady"] is False
    followed.set()
    await settle()
    assert world.engine.figures()["tradingReady"] is True
    await world.stop()


async def test_what_was_asked_before_a_pause_or_halt_loosens_nothing_after_it(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.command("pause")
    asked = world.latch.mark()
    await world.command("pause", "once more")
    with pytest.raises(Refused, match="after this was asked"):
        await world.command("resume", mark=asked)
    assert world.latch.paused()
    assert (await world.command("resume", mark=world.latch.mark()))["state"] == "RUNNING"
    await world.command("emergency-stop")
    asked = world.latch.mark()
    await world.command("emergency-stop", "it still smells")
    with pytest.raises(Refused, match="after this was asked"):
        await world.command("clear-halt", mark=asked)
    assert not world.latch.armed()
    await world.stop()


async def test_a_resume_takes_down_a_flag_that_the_engine_has_not_heeded_yet(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.latch.pause("by hand", "x", 1.0)
    assert (await world.command("resume"))["message"] == "running"
    assert not world.latch.paused()
    await world.stop()


async def test_a_resume_waits_for_whoever_holds_the_barrier(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.command("pause")
    held = SubmitBarrier(world.data_dir).try_exclusive()
    assert held is not None
    with held, pytest.raises(Refused, match="barrier is held"):
        await world.command("resume")
    assert world.latch.paused()
    await world.stop()


@contextlib.contextmanager
def a_disk_that_takes_no_flag(world: World) -> Iterator[None]:
    """No flag can be raised: neither from the spare nor over a folder in a new record's place."""
    spare, scratch = world.data_dir / ".unpaused", world.data_dir / f".PAUSED.{os.getpid()}.new"
    kept = spare.rename(world.data_dir / "kept")
    scratch.mkdir()
    yield
    scratch.rmdir()
    kept.rename(spare)


async def test_a_pause_whose_flag_the_disk_refuses_is_undone_by_nobody_and_raised_later(
    tmp_path: Path,
) -> None:
    world = await World(tmp_path).start()
    with a_disk_that_takes_no_flag(world):
        paused = await world.command("pause")
        assert (paused["state"], world.latch.paused()) == ("PAUSED", False)
        assert "does not outlive this engine" in paused["hint"]
        asked = world.latch.mark()
        await world.command("pause", "once more")
        with pytest.raises(JitError, match="cannot pause"):
            await world.command("resume", mark=asked)
    with pytest.raises(Refused, match="after this was asked"):
        await world.command("resume", mark=asked)
    assert world.latch.paused()
    assert (await world.command("resume", mark=world.latch.mark()))["state"] == "RUNNING"
    with a_disk_that_takes_no_flag(world):
        await world.command("pause")
    await world.clock.advance(1.0)
    assert world.latch.paused()
    await world.stop()


async def test_a_halt_that_the_disk_refused_outlives_a_restart_and_the_pause_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await World(tmp_path).start()
    await world.command("pause")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", read_only)
        halted = await world.command("emergency-stop")
        assert (halted["state"], world.latch.armed()) == ("HALTED", True)
        assert "does not outlive this engine" in halted["hint"]
        with pytest.raises(JitError, match="cannot halt"):
            await world.command("clear-halt")
        await world.stop()
    await world.start()
    assert (world.engine.state, world.latch.armed()) == ("HALTED", False)
    assert (await world.command("clear-halt"))["state"] == "PAUSED"
    await world.stop()


def read_only(*_: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


async def test_a_resume_that_the_disk_breaks_off_leaves_the_flag_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await World(tmp_path).start()
    await world.command("pause")
    with monkeypatch.context() as patch:
        patch.setattr(latch, "fsync_directory", read_only)
        with pytest.raises(JitError, match="cannot"):
            await world.command("resume")
    assert (world.engine.state, world.latch.paused()) == ("PAUSED", True)
    await world.stop()


@pytest.mark.parametrize("content", ["", "by hand"])
async def test_a_flag_raised_by_hand_is_told_from_the_one_before_and_from_none(
    tmp_path: Path, content: str
) -> None:
    world = await World(tmp_path).start()
    asked = world.latch.mark()
    (world.data_dir / "PAUSED").write_text(content)
    with pytest.raises(Refused, match="after this was asked"):
        await world.command("resume", mark=asked)
    asked = world.latch.mark()
    world.latch.pause("bob", "again", 1.0)
    with pytest.raises(Refused, match="after this was asked"):
        await world.command("resume", mark=asked)
    await world.stop()
