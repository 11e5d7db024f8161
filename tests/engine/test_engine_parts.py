"""The engine's small parts, one by one."""

import asyncio
from collections import Counter

import pytest
from engine_world import (
    OPERATOR,
    OPERATOR_2,
    POOL,
    POOL_2,
    FakeClock,
    FakeObserver,
    a_hash,
    a_swap,
    account,
    settle,
)

from jitctl.domain.bundle import ABANDON_REASONS, LegAmounts, MinedBundle, MinedLeg
from jitctl.domain.chain import Block, Head, MinedTx, PendingGone
from jitctl.domain.counters import Counters
from jitctl.domain.engine_state import CrisisLevel, EngineEvent, EngineState, IllegalMove
from jitctl.domain.records import EngineRecord, Mode
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import ZERO_ADDRESS, Hash32
from jitctl.engine.accounting import classify, leaves_position
from jitctl.engine.background import Background
from jitctl.engine.book import SeenHashes, Wanted, WantedBook
from jitctl.engine.events import Asked, Replan, TaskFailed, Tick
from jitctl.engine.inbox import Inbox
from jitctl.engine.lanes import Lanes
from jitctl.engine.metrics import HAPPENINGS, RECENT_S, RESERVOIR, STAGES, Metrics
from jitctl.engine.standing import Standing
from jitctl.engine.watch import PositionWatch
from jitctl.engine.within import within
from jitctl.errors import LedgerError, NodeError, TimedOut


def counts() -> Counters:
    return Counters(HAPPENINGS)


async def test_inbox_gives_commands_first_then_blocks_notes_replans_and_pending() -> None:
    inbox = Inbox(10, counts())
    pending, gap = a_swap(), PendingGone("test")
    asked = Asked("ping", "ann", "", {}, asyncio.get_running_loop().create_future())
    inbox.offer_pending(pending)
    inbox.replan([Replan(a_hash(1))])
    inbox.note(Tick())
    inbox.put(gap)
    inbox.ask(asked)
    assert inbox.depths() == {"commands": 1, "chain": 1, "notes": 1, "replans": 1, "pending": 1}
    assert [await inbox.get() for _ in range(5)] == [asked, gap, Tick(), Replan(a_hash(1)), pending]


async def test_inbox_waits_and_a_new_replan_replaces_the_old() -> None:
    inbox = Inbox(10, counts())
    waiting = asyncio.create_task(inbox.get())
    await settle(3)
    assert not waiting.done()
    inbox.note(Tick())
    assert await waiting == Tick()
    inbox.replan([Replan(a_hash(1)), Replan(a_hash(2))])
    inbox.replan([Replan(a_hash(3))])
    assert await inbox.get() == Replan(a_hash(3))
    assert inbox.depths()["replans"] == 0


def wanted(number: int, *, head: int = 1, worth: int = 0, nonce: int = 0) -> Wanted:
    tx = a_swap(sender=account(number), nonce=nonce)
    return Wanted(tx, SwapTx(tx.hash, tx.sender, 0, ()), head, worth)


def test_the_book_drops_the_least_promising_then_the_oldest() -> None:
    book = WantedBook(3, 10)
    entries = [wanted(1, worth=5), wanted(2, head=1), wanted(3, head=2)]
    assert [book.add(entry) for entry in entries] == [None, None, None]
    newest = wanted(4, head=2)
    assert book.add(newest) is entries[1]
    assert book.best_first()[0] == entries[0].tx.hash
    assert book.expire(11) == []
    assert book.expire(12) == [entries[0]]
    assert sorted(book.best_first()) == sorted([entries[2].tx.hash, newest.tx.hash])


def test_the_book_knows_rivals_and_what_a_block_made_impossible() -> None:
    book = WantedBook(10, 10)
    first = wanted(1, nonce=4)
    book.add(first)
    rival = a_swap(sender=account(1), nonce=4)
    assert book.rival_of(rival) == first.tx.hash
    assert book.rival_of(first.tx) is None
    assert book.rival_of(a_swap(sender=account(1), nonce=5)) is None
    gone = book.remove_mined([MinedTx(rival.hash, account(1), None, 4, 0)])
    assert gone == [first]
    assert len(book) == 0
    assert book.remove(first.tx.hash) is None


def test_seen_hashes_forget_the_oldest() -> None:
    seen = SeenHashes(2)
    assert [seen.first_time(a_hash(n)) for n in (1, 1, 2, 3, 1)] == [True, False, True, True, True]
    seen.forget(a_hash(1))
    assert seen.first_time(a_hash(1))


def block(number: int, *txs: MinedTx) -> Block:
    head = Head(number, a_hash(number), a_hash(number - 1), 0, 1, 2, 1, ZERO_ADDRESS)
    return Block(head, txs, (), ())


def test_lanes_are_owned_until_their_block_and_follow_nonces_through_reorgs() -> None:
    lanes = Lanes([(OPERATOR, 5), (OPERATOR_2, 9)])
    first, second = lanes.acquire("a", 10), lanes.acquire("b", 11)
    assert first is not None
    assert second is not None
    assert lanes.acquire("c", 10) is None
    assert not lanes.any_free()
    lanes.free_seen(10)
    assert (first.owner, second.owner) == (None, "b")
    assert not lanes.owns("a", OPERATOR)
    assert lanes.owns("b", OPERATOR_2)
    lanes.release("b")
    assert lanes.any_free()
    ours = MinedTx(a_hash(1), OPERATOR, None, 5, 0), MinedTx(a_hash(2), OPERATOR, None, 6, 0)
    alien = MinedTx(a_hash(3), OPERATOR_2, None, 9, 0)
    other = MinedTx(a_hash(4), account(4), None, 1, 0)
    mined = block(10, *ours, alien, other)
    assert lanes.follow(mined, lambda tx: tx in ours) == [alien]
    assert [lane.next_nonce for lane in lanes.all()] == [7, 10]
    lanes.undo_block(a_hash(11))
    assert first.next_nonce == 7
    lanes.undo_block(mined.head.hash)
    assert [lane.next_nonce for lane in lanes.all()] == [5, 9]
    lanes.set_nonces({OPERATOR: 6})
    assert lanes.get(OPERATOR).next_nonce == 6
    assert lanes.get(account(5)) is None


def test_watch_remembers_until_closed_or_gone() -> None:
    watch = PositionWatch()
    assert watch.left_open(POOL, 5)
    assert not watch.left_open(POOL, 6)
    left = watch.get(POOL)
    assert left is not None
    assert left.due(5)
    mined: set[Hash32] = {a_hash(1)}
    assert watch.gone([], 5, mined.__contains__) == []
    left.add_close(a_hash(1))
    assert watch.gone([], 9, mined.__contains__) == []
    assert watch.closed(POOL) is left
    watch.left_open(POOL_2, 5)
    assert watch.gone([POOL_2], 9, mined.__contains__) == []
    assert watch.gone([], 9, mined.__contains__) == [POOL_2]
    watch.restore(left)
    assert watch.gone([], 9, lambda _: False) == [POOL], "its close is not mined, so another one was"
    assert len(watch) == 0


class FakeSavings:
    """As much of a ledger as `Standing` uses."""

    def __init__(self) -> None:
        self.saved: list[EngineRecord] = []
        self.full = False

    def save_engine(self, record: EngineRecord) -> None:
        if self.full:
            raise LedgerError("full")
        self.saved.append(record)


def a_standing() -> tuple[Standing, FakeSavings]:
    ledger = FakeSavings()
    return Standing(Mode.TEST, FakeClock(), ledger, Metrics(), FakeObserver()), ledger


def test_standing_keeps_who_why_and_when_and_refuses_what_the_table_lacks() -> None:
    standing, ledger = a_standing()
    with pytest.raises(IllegalMove):
        standing.move(EngineEvent.RESUME, "ann", "")
    assert (standing.state, ledger.saved) == (EngineState.STARTING, [])
    for event in (EngineEvent.BOOT, EngineEvent.SYNCED, EngineEvent.PAUSE):
        standing.move(event, "ann", event.value)
    standing.move(EngineEvent.PAUSE, "bob", "again")
    assert (standing.state, standing.who, standing.why) == (EngineState.PAUSED, "ann", "pause")
    assert [record.state for record in ledger.saved] == ["SYNCING", "RUNNING", "PAUSED"]


def test_standing_tightens_without_a_ledger_and_loosens_only_with_one() -> None:
    standing, ledger = a_standing()
    standing.move(EngineEvent.BOOT, "ann", "")
    standing.move(EngineEvent.SYNCED, "ann", "")
    ledger.full = True
    standing.move(EngineEvent.PAUSE, "ann", "")
    assert standing.state is EngineState.PAUSED
    with pytest.raises(LedgerError):
        standing.move(EngineEvent.RESUME, "ann", "")
    assert standing.state is EngineState.PAUSED
    assert standing.set_crisis(CrisisLevel.HIGH, "ann", "")
    with pytest.raises(LedgerError):
        standing.set_crisis(CrisisLevel.LOW, "ann", "")
    assert standing.crisis is CrisisLevel.HIGH
    ledger.full = False
    standing.save_again()
    assert (ledger.saved[-1].state, ledger.saved[-1].crisis) == (EngineState.PAUSED, CrisisLevel.HIGH)
    saved = len(ledger.saved)
    standing.save_again()
    assert len(ledger.saved) == saved
    assert not standing.set_crisis(CrisisLevel.HIGH, "bob", "")


async def test_within_returns_raises_and_cancels() -> None:
    clock = FakeClock()
    ended: list[str] = []

    async def work(seconds: float) -> str:
        try:
            await clock.sleep(seconds)
            return "done"
        finally:
            ended.append("ended")

    quick = asyncio.create_task(within(clock, 1.0, "work", work(0.5)))
    slow = asyncio.create_task(within(clock, 1.0, "work", work(2.0)))
    await clock.advance(1.0)
    assert await quick == "done"
    with pytest.raises(TimedOut, match="work took longer than 1 s"):
        await slow
    assert ended == ["ended", "ended"]

    async def fail() -> None:
        raise NodeError("down")

    with pytest.raises(NodeError):
        await within(clock, 1.0, "work", fail())
    given_up = asyncio.create_task(within(clock, 1.0, "work", work(0.5)))
    await settle(3)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    assert ended == ["ended"] * 3


async def test_background_runs_a_key_once_bounds_itself_and_reports_failures() -> None:
    inbox = Inbox(10, counts())
    background = Background(inbox, max_tasks=2)
    release = asyncio.Event()

    async def wait() -> Tick:
        await release.wait()
        return Tick()

    async def fail() -> None:
        raise LedgerError("full")

    assert background.start("a:1", wait)
    assert not background.start("a:1", wait)
    assert background.start("a:2", wait)
    assert not background.start("b", wait)
    assert (background.count("a:"), len(background)) == (2, 2)
    release.set()
    await settle(5)
    assert [await inbox.get(), await inbox.get()] == [Tick(), Tick()]
    assert background.start("b", fail)
    assert await inbox.get() == TaskFailed("b", "full", ledger=True)
    release.clear()
    background.start("c", wait)
    await background.end()
    assert len(background) == 0


def test_metrics_keep_fixed_memory_and_closed_names() -> None:
    metrics = Metrics()
    for number in range(3 * RESERVOIR):
        metrics.time("evaluate", float(number))
    times = metrics.stages()["evaluate"]
    assert times.count == 3 * RESERVOIR
    assert (times.max_ms, times.p50_ms) == (3 * RESERVOIR - 1, 2.5 * RESERVOIR)
    with pytest.raises(KeyError):
        metrics.time("lunch", 1.0)
    with pytest.raises(KeyError):
        metrics.happenings.add("lunch")
    assert set(metrics.snapshot()["abandons"]) == ABANDON_REASONS
    assert not [name for name, count in Counter([*HAPPENINGS, *STAGES]).items() if count > 1]


def leg(success: bool = True, block_hash: int = 1) -> MinedLeg:
    return MinedLeg(a_hash(9), 1, a_hash(block_hash), 0, success, 1, 1)


@pytest.mark.parametrize(
    ("mint", "victim", "burn", "expected"),
    [
        (None, None, None, ("seen_absent", "victim_not_landed", False)),
        (None, leg(), None, ("seen_absent", "victim_landed_without_us", False)),
        (leg(), leg(), leg(), ("seen_landed", "", False)),
        (leg(), leg(), leg(block_hash=2), ("seen_reverted", "burned_later", False)),
        (leg(), None, None, ("seen_reverted", "lone_mint", True)),
        (leg(), leg(), leg(success=False), ("seen_reverted", "lone_mint", True)),
        (leg(success=False), None, None, ("seen_reverted", "mint_reverted", False)),
        (leg(success=False), leg(), leg(success=False), ("seen_reverted", "mint_reverted", False)),
        (None, None, leg(success=False), ("seen_reverted", "lone_burn", False)),
    ],
)
def test_classification(
    mint: MinedLeg | None, victim: MinedLeg | None, burn: MinedLeg | None, expected: tuple[str, str, bool]
) -> None:
    mined = MinedBundle(mint, victim, burn, LegAmounts(0, 0, 0, 0, 0, 0, 0))
    event, reason = classify(mined)
    assert (event.value, reason, leaves_position(mined)) == expected


def test_old_good_timings_do_not_hide_that_it_is_slow_now():
    now_s = 0.0
    metrics = Metrics(lambda: now_s)
    for _ in range(200):
        metrics.time("seen_to_simulated", 5.0)
    now_s = RECENT_S + 1
    times = metrics.stages()["seen_to_simulated"]
    assert (times.recent_count, times.recent_p95_ms) == (0, None)
    metrics.time("seen_to_simulated", 400.0)
    times = metrics.stages()["seen_to_simulated"]
    assert (times.count, times.p95_ms, times.recent_count, times.recent_p95_ms) == (201, 5.0, 1, 400.0)
