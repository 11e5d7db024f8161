"""A reload with attempts on their way: followed to the end and to the wei, or not begun any more."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_world import DAI, POOL, SPEC, SPEC_2, WETH, World, a_swap, account, settle

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import BundleDraft, SignedBundle
from jitctl.domain.guards import GuardReading
from jitctl.domain.records import Outcome
from jitctl.errors import LedgerError, Refused
from jitctl.strategy.limits import StrategyParams


async def test_a_bundle_in_a_pool_that_is_removed_is_accounted_as_if_it_were_there(tmp_path: Path) -> None:
    """The same attempt twice, once with its pool removed before it is mined: not a wei apart."""
    results = []
    for folder, pools in ((tmp_path / "kept", [SPEC]), (tmp_path / "removed", [SPEC_2])):
        world = await World(folder).start()
        await world.pend(a_swap())
        await world.command("reload", params=StrategyParams(), pools=pools)
        await world.mine(world.relays.submitted[0])
        await world.empty_blocks(9)
        (attempt,) = await world.written()
        assert (attempt.state, attempt.outcome) == (AttemptState.SETTLED, Outcome.LANDED)
        assert world.ledger.flows() == ()
        assert world.engine.figures()["openPositions"] == []
        results.append(replace(attempt.result, markouts_wei={}))
        await world.stop()
    kept, removed = results
    assert kept == removed


async def test_a_position_left_open_in_a_removed_pool_is_closed(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.command("reload", params=StrategyParams(), pools=[SPEC_2])
    world.chain.open = {POOL}
    await world.mine(world.relays.submitted[0], legs="m")
    await world.mine()
    assert world.engine.figures()["openPositions"] == [POOL]
    ((pool, *_),) = world.closer.sent
    assert pool == POOL
    await world.stop()


async def test_what_a_removed_pool_may_still_take_is_not_spent_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    (draft,) = world.signer.signed
    before = world.engine.figures()["balances"]
    await world.command("reload", params=StrategyParams(), pools=[SPEC_2])
    picture, live = world.engine._parts.picture, world.engine._parts.follower.live.values()
    left = picture.capital_left(live).available
    assert draft.plan.amount0_max > 0
    assert left[SPEC.token0.address] == int(before[SPEC.token0.address]) - draft.plan.amount0_max
    await world.stop()


@pytest.mark.parametrize(
    ("params", "pools", "reason"),
    [
        (StrategyParams(), [SPEC_2], "limits"),
        (replace(StrategyParams(), min_profit_wei=10**20), [SPEC], "unprofitable"),
        (replace(StrategyParams(), max_notional_wei=1), [SPEC], "limits"),
    ],
    ids=["removed", "profit", "notional"],
)
async def test_what_was_planned_under_the_old_limits_is_held_against_the_new(
    tmp_path: Path, params: StrategyParams, pools: list[object], reason: str
) -> None:
    world = await World(tmp_path).start()
    answer = asyncio.Event()

    async def slow(draft: BundleDraft) -> None:
        await answer.wait()

    world.simulator.before = slow
    await world.pend(a_swap())
    assert len(world.simulator.drafts) == 1
    await world.command("reload", params=params, pools=pools)
    answer.set()
    await settle()
    assert world.relays.submitted == []
    assert world.count("abandons", reason) == 1
    await world.stop()


async def test_after_a_reload_only_the_new_pools_are_traded(tmp_path: Path) -> None:
    """A victim that was wanted in a removed pool before is left alone too, on every later head."""
    world = await World(
        tmp_path, specs=(SPEC,), params=replace(StrategyParams(), min_profit_wei=10**20)
    ).start()
    await world.pend(a_swap())
    await world.command("reload", params=StrategyParams(), pools=[SPEC_2])
    await world.pend(a_swap(sender=account(8)), a_swap(sender=account(9), token_out=DAI))
    assert [world.draft_of(each).plan.pool for each in world.relays.submitted] == [SPEC_2.address]
    await world.mine(world.relays.submitted[0])
    await world.empty_blocks(2)
    assert {world.draft_of(each).plan.pool for each in world.relays.submitted} == {SPEC_2.address}
    await world.stop()


@pytest.mark.parametrize("stopped", ["pause", "emergency-stop"])
async def test_a_reload_of_a_stopped_bot_is_taken_and_starts_nothing(tmp_path: Path, stopped: str) -> None:
    world = await World(tmp_path).start()
    await world.command(stopped)
    state = world.engine.state
    body = await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    assert (body["generation"], world.engine.state) == (2, state)
    await world.pend(a_swap(token_out=DAI))
    assert world.relays.submitted == []
    await world.stop()


async def test_a_bundle_that_is_being_sent_does_not_hold_up_a_reload(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    gate = asyncio.Event()

    async def slow(bundle: SignedBundle) -> None:
        await gate.wait()

    world.relays.before = slow
    await world.pend(a_swap())
    body = await world.command("reload", params=StrategyParams(), pools=[SPEC_2])
    assert body["generation"] == 2
    gate.set()
    await settle()
    await world.mine(world.relays.submitted[0])
    (attempt,) = await world.written()
    assert attempt.outcome == Outcome.LANDED
    await world.stop()


async def test_a_pause_does_not_wait_for_what_a_reload_reads(tmp_path: Path) -> None:
    """A node that does not answer holds up the reload only, which changes nothing then."""
    world = await World(tmp_path).start()
    world.prices.hold(world.chain.tip)
    ask = world.engine.command
    reloading = asyncio.create_task(
        ask("reload", who="ann", args={"params": StrategyParams(), "pools": [SPEC, SPEC_2]})
    )
    await settle()
    began_ns = world.clock.monotonic_ns()
    assert (await world.command("pause"))["message"] == "paused"
    assert world.clock.monotonic_ns() - began_ns < 50_000_000
    with pytest.raises(Refused, match="stop or pause meanwhile") as refused:
        await reloading
    assert refused.value.hint == "the old configuration goes on; repeat the reload"
    figures = world.engine.figures()
    assert (figures["generation"], figures["poolsWatched"]) == (1, 1)
    assert set(world.pools.pools()) == {POOL}
    await world.stop()


class Limits:
    """The executor contract's limits, as they are set here."""

    def __init__(self, reading: GuardReading) -> None:
        self.reading = reading

    async def read(self, *_: Any) -> GuardReading:
        return self.reading


@pytest.mark.parametrize("late", ["balances", "marks", "limits"])
async def test_what_was_being_read_for_the_old_pools_does_not_replace_what_a_reload_read(
    tmp_path: Path, late: str
) -> None:
    """A block has come and is being read about; the pools change before the answers are there."""
    guards = Limits(GuardReading({SPEC.address: 0}, 10**20))
    world = await World(tmp_path, specs=(SPEC,), guards=guards).start()
    picture, held, waiting = world.engine._parts.picture, asyncio.Event(), True
    port, name = {
        "balances": (world.chain, "token_balance"),
        "marks": (world.prices, "read"),
        "limits": (guards, "read"),
    }[late]
    read = getattr(port, name)

    async def slow(*args: Any) -> Any:
        stale = waiting
        found = await read(*args)
        if stale:
            await held.wait()
            # As a node answers that was asked for the old pools alone.
            return replace(found, weth_wei_per_base_unit={WETH: 1}) if late == "marks" else found
        return found

    setattr(port, name, slow)
    await world.mine()
    waiting = False
    guards.reading = GuardReading({SPEC.address: 0, SPEC_2.address: 0}, 10**20)
    await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    held.set()
    await settle()
    assert DAI in picture.balances
    assert picture.marks is not None and DAI in picture.marks.weth_wei_per_base_unit
    assert picture.guards is not None and SPEC_2.address in picture.guards.twap_ticks
    await world.stop()


async def test_a_pool_stays_known_only_while_something_is_on_its_way_in_it(tmp_path: Path) -> None:
    """Each costs a read a block."""
    world = await World(tmp_path, specs=(SPEC, SPEC_2)).start()
    await world.pend(a_swap())
    picture = world.engine._parts.picture
    for number in range(20):
        other = replace(SPEC_2, address=account(0x5000 + number))
        world.pools.all[other.address] = world.pools.all[SPEC_2.address]
        await world.command("reload", params=StrategyParams(), pools=[other])
        assert set(picture.known) == {POOL, other.address}
    await world.mine(world.relays.submitted[0])
    await world.empty_blocks(9)
    await world.command("reload", params=StrategyParams(), pools=[SPEC_2])
    assert set(picture.known) == {SPEC_2.address}
    await world.stop()


async def test_a_pool_that_is_not_there_is_refused_and_the_old_ones_go_on(tmp_path: Path) -> None:
    world = await World(tmp_path, specs=(SPEC,)).start()
    nobody = replace(SPEC_2, address=account(0x5000))
    with pytest.raises(Refused, match="not reloaded: there is no pool") as refused:
        await world.command("reload", params=StrategyParams(), pools=[SPEC, nobody])
    assert refused.value.hint.startswith("the old configuration goes on; ")
    assert world.engine.figures()["poolsWatched"] == 1
    await world.pend(a_swap())
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_pools_that_nobody_can_look_at_yet_are_not_taken_over(tmp_path: Path) -> None:
    world = World(tmp_path, specs=(SPEC,))
    await world.boot()
    with pytest.raises(Refused, match="no block has been seen"):
        await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    assert (await world.command("reload", params=StrategyParams(), pools=[SPEC]))["generation"] == 2
    await world.stop()


async def test_a_reload_that_a_full_ledger_cannot_note_is_taken_over_all_the_same(tmp_path: Path) -> None:
    """It has swapped by then: an error would leave the feeds and the keeper with the old pools."""
    world = await World(tmp_path, specs=(SPEC,)).start()

    def full(*_: object) -> None:
        raise LedgerError("the disk is full")

    ledger = world.engine._parts.ports.ledger
    record, ledger.record = ledger.record, full
    body = await world.command("reload", params=StrategyParams(), pools=[SPEC, SPEC_2])
    assert (body["generation"], world.engine.figures()["poolsWatched"]) == (2, 2)
    ledger.record = record
    await settle()
    assert world.engine.state == "PAUSED"
    assert "disk is full" in str(world.engine.figures()["reason"])
    await world.stop()
