"""The mean tick that the executor reads, against a record of the price second by second."""

from __future__ import annotations

import random
from fractions import Fraction
from math import floor

import pytest
from executor_world import ETH, OWNER, ExecutorPool, Reverted, Rules, World, compiled

WINDOW_S = 600
NEVER = 10**6
"""A tolerance that no history exceeds."""


class History:
    """A pool of tick spacing 1 whose price is moved at times of the test's choice."""

    def __init__(self, tick: int = 0, cardinality: int = 100) -> None:
        self.world = World()
        self.world.send(OWNER, self.world.factory, "enableFeeAmount(uint24,int24)", 100, 1)
        rules = Rules(twap_window_s=WINDOW_S)
        self.began: list[tuple[int, int]] = []
        self.pool: ExecutorPool = self.world.new_pool(
            tick=tick, fee_pips=100, rules=rules, cardinality=cardinality, depth=10**22
        )
        self.began.append((self.world.timestamp_s - WINDOW_S - 12, tick))
        self.probe = self.world.deploy(compiled("TwapProbe"))

    def move(self, tick: int) -> None:
        """Move the price now; it counts from now on."""
        self.pool.move_to(tick)
        self.began.append((self.world.timestamp_s, self.pool.tick))

    def read(self, max_shift: int = NEVER) -> tuple[int, int]:
        """The mean tick and the tick that the block began with."""
        signature = "read(address,uint256,int256)"
        return self.world.read(self.probe, signature, "int256,int256", self.pool.address, WINDOW_S, max_shift)

    def mean(self, max_shift: int = NEVER) -> int:
        return self.read(max_shift)[0]

    def true_mean(self, age_s: int) -> Fraction:
        """The mean over the last `age_s` seconds, before this block's own changes."""
        now_s = self.world.timestamp_s
        total = 0
        for (begin_s, tick), (end_s, _) in zip(self.began, [*self.began[1:], (now_s, 0)], strict=True):
            total += tick * max(0, min(end_s, now_s) - max(begin_s, now_s - age_s))
        return Fraction(total, age_s)

    def fits(self, mean: int) -> bool:
        return any(floor(self.true_mean(age_s)) == mean for age_s in range(WINDOW_S, WINDOW_S * 3 // 2 + 1))


@pytest.mark.parametrize("tick", [-887, -1, 0, 5, 1_234])
def test_a_still_price_is_its_own_mean(tick: int) -> None:
    assert History(tick).mean() == tick


@pytest.mark.parametrize(("first", "second", "mean"), [(-7, -8, -8), (7, 8, 7), (-1, 0, -1), (0, -3, -2)])
def test_a_mean_between_two_ticks_is_rounded_down(first: int, second: int, mean: int) -> None:
    history = History(first)
    history.move(second)
    history.world.next_block(seconds=WINDOW_S // 2)
    assert history.true_mean(WINDOW_S).denominator == 2
    assert history.mean() == mean


def test_nothing_done_in_a_block_changes_what_is_read_in_it() -> None:
    history = History()
    for _ in range(80):
        history.move(random.Random(1).randint(-5, 5))
        history.world.next_block()
    before = history.read()
    assert before[1] == history.pool.tick
    for tick in (5_000, -5_000, 100):
        history.move(tick)
        assert history.read() == before


@pytest.mark.parametrize("tick", [-400, 400])
def test_the_tick_that_a_block_began_with_is_known_after_any_first_write(tick: int) -> None:
    history = History()
    history.move(tick)
    history.world.next_block(seconds=40 * WINDOW_S)
    began = history.pool.tick
    history.pool.provide(tick - 10, tick + 10, 10**20)
    assert history.read()[1] == began
    history.move(0)
    assert history.read()[1] == began
    history.world.next_block()
    assert history.read()[1] == history.pool.tick != began


@pytest.mark.parametrize("gap_s", [(12, 12), (12, 60), (1, 2), (100, 900), (12, 2_000)], ids=str)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_busy_and_quiet_pools_are_read_right(seed: int, gap_s: tuple[int, int]) -> None:
    rng = random.Random(seed)
    history = History(cardinality=800 if gap_s[0] == 1 else 100)
    for turn in range(900 if gap_s[0] == 1 else 120):
        history.move(rng.randint(-300, 300))
        history.world.next_block(seconds=rng.randint(*gap_s))
        if turn % 30 == 0:
            assert history.fits(history.mean())
    assert history.fits(history.mean())


def test_a_growing_record_is_read_right() -> None:
    history = History(cardinality=60)
    rng = random.Random(5)
    for turn in range(300):
        history.move(rng.randint(-300, 300))
        history.world.next_block()
        if turn == 70:
            history.world.send(OWNER, history.pool.address, "increaseObservationCardinalityNext(uint16)", 200)
        assert history.fits(history.mean()), turn


def test_a_record_too_short_is_refused_by_the_pools_own_name() -> None:
    history = History(cardinality=10)
    for _ in range(30):
        history.move(random.Random(3).randint(-9, 9))
        history.move(20)
        history.world.next_block()
    with pytest.raises(Reverted, match="OLD"):
        history.mean()


@pytest.mark.parametrize("busy", [True, False])
def test_a_spike_in_one_part_of_the_window_cannot_move_the_mean_further_than_allowed(busy: bool) -> None:
    for height in (100, 1_000, 10_000, 100_000):
        history = History()
        if busy:
            _trade(history, 60)
        history.move(height)
        history.world.next_block()
        history.move(0)
        if busy:
            _trade(history, 10)
        for max_shift in (1, 5, 20, 100, 500):
            try:
                assert abs(history.mean(max_shift)) <= max_shift * 3 / 2 + 1
            except Reverted as refused:
                assert str(refused) == "twap unsteady"
                assert abs(history.mean()) > max_shift - 2


@pytest.mark.parametrize("step", [5, 50, 150])
@pytest.mark.parametrize("busy", [True, False])
def test_an_honest_step_within_the_spots_distance_is_steady(step: int, busy: bool) -> None:
    max_spot = 60
    history = History()
    if busy:
        _trade(history, 80)
    history.move(step)
    for _ in range(70):
        history.world.next_block()
        if busy:
            history.pool.swap(True, ETH // 10**6)
            history.pool.swap(False, ETH // 10**6)
        if abs(step - history.mean()) < max_spot - 2:
            assert history.mean(max_spot) <= step


def _trade(history: History, blocks: int) -> None:
    for turn in range(blocks):
        history.world.next_block()
        history.move(turn % 2)
