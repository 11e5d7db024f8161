"""The sliding loss budget against a plain list of losses."""

from __future__ import annotations

import random

import pytest
from executor_world import OWNER, Reverted, World, compiled

GWEI = 10**9
HOUR_S = 3600
DAY_S = 24 * HOUR_S


class Budget:
    """The contract's ledger, and beside it every loss with its second."""

    def __init__(self, budget_gwei: int) -> None:
        self.world = World()
        self.address = self.world.deploy(compiled("BudgetProbe"))
        self.losses: list[tuple[int, int]] = []
        self.send("setBudget(uint256)", budget_gwei * GWEI)

    def send(self, signature: str, *arguments: int | bool) -> None:
        self.world.send(OWNER, self.address, signature, *arguments)

    def figures(self) -> tuple[int, int, int, bool]:
        return self.world.read(self.address, "figures()", "uint256,uint256,uint256,bool")

    @property
    def spent_gwei(self) -> int:
        return self.figures()[0] // GWEI

    def open(self, bound_gwei: int) -> None:
        self.send("open(uint256)", bound_gwei)

    def close(self, bound_gwei: int, loss_gwei: int, drift_gwei: int = 0) -> None:
        self.send("close(uint256,uint256,uint256)", bound_gwei, loss_gwei * GWEI, drift_gwei * GWEI)
        self.losses.append((self.world.timestamp_s, loss_gwei))

    def lose(self, gwei: int) -> None:
        self.open(gwei)
        self.close(gwei, gwei)

    def lost_in_hours(self) -> int:
        hour = self.world.timestamp_s // HOUR_S
        return sum(loss for second, loss in self.losses if hour - 24 <= second // HOUR_S <= hour)


def test_an_opening_reserves_and_a_closing_books() -> None:
    budget = Budget(100)
    budget.open(60)
    assert budget.figures() == (0, 60 * GWEI, 100 * GWEI, False)
    budget.close(60, 25)
    assert budget.figures() == (25 * GWEI, 0, 100 * GWEI, False)


def test_no_opening_beyond_the_budget_counting_what_is_spent_and_reserved() -> None:
    budget = Budget(100)
    budget.lose(30)
    budget.open(40)
    with pytest.raises(Reverted, match="loss budget"):
        budget.open(31)
    budget.open(30)


def test_a_position_left_open_blocks_every_opening_until_closed() -> None:
    budget = Budget(100)
    budget.open(10)
    budget.open(10)
    budget.world.next_block()
    with pytest.raises(Reverted, match="left open"):
        budget.open(1)
    budget.close(10, 0)
    with pytest.raises(Reverted, match="left open"):
        budget.open(1)
    budget.close(10, 0)
    budget.open(1)


def test_a_reserve_does_not_age() -> None:
    budget = Budget(100)
    budget.open(90)
    budget.world.next_block(seconds=10 * DAY_S)
    assert budget.figures()[1] == 90 * GWEI
    budget.close(90, 90)
    assert budget.spent_gwei == 90


def test_losses_are_rounded_up_and_the_budget_down() -> None:
    budget = Budget(100)
    budget.send("setBudget(uint256)", 3 * GWEI + 999_999_999)
    assert budget.figures()[2] == 3 * GWEI
    budget.open(2)
    budget.send("close(uint256,uint256,uint256)", 2, GWEI + 1, 0)
    assert budget.spent_gwei == 2


@pytest.mark.parametrize(
    ("loss", "drift", "booked"),
    [(5, 0, 5), (5, 4, 5), (5, 6, 6), (0, 40, 40), (0, 41, 40), (5, 2**180, 40), (0, 0, 0)],
)
def test_a_loss_at_later_prices_uses_up_what_is_left_and_no_more(loss: int, drift: int, booked: int) -> None:
    budget = Budget(100)
    budget.lose(40)
    budget.open(20)
    budget.open(30)
    budget.close(30, loss, drift)
    assert budget.spent_gwei == 40 + booked and not budget.figures()[3]
    budget.close(20, 20)
    assert budget.figures()[3] == (booked == 40)


def test_a_loss_at_later_prices_with_the_budget_lowered_meanwhile() -> None:
    budget = Budget(100)
    budget.open(60)
    budget.send("setBudget(uint256)", 10 * GWEI)
    budget.close(60, 30, 50)
    assert budget.spent_gwei == 30 and budget.figures()[3]


def test_using_the_budget_up_halts() -> None:
    budget = Budget(100)
    budget.lose(99)
    assert not budget.figures()[3]
    budget.lose(1)
    assert budget.figures()[3]
    with pytest.raises(Reverted, match="halted"):
        budget.open(1)


def test_lowering_the_budget_stops_openings_and_the_next_loss_halts() -> None:
    budget = Budget(100)
    budget.open(50)
    budget.send("setBudget(uint256)", 10 * GWEI)
    with pytest.raises(Reverted, match="loss budget"):
        budget.open(1)
    budget.close(50, 0)
    assert not budget.figures()[3]
    budget.lose(10)
    assert budget.figures()[3]


def test_a_budget_of_nothing_opens_nothing() -> None:
    with pytest.raises(Reverted, match="loss budget"):
        Budget(0).open(1)


@pytest.mark.parametrize(
    ("start_s", "later_s", "counted"),
    [(0, DAY_S, True), (HOUR_S - 1, DAY_S, True), (HOUR_S - 1, DAY_S + 1, False), (0, DAY_S + HOUR_S, False)],
    ids=["24h", "24h_at_the_end_of_an_hour", "one_second_later", "25h"],
)
def test_the_edges_of_the_window(start_s: int, later_s: int, counted: bool) -> None:
    budget = Budget(100)
    hour_begins_s = (budget.world.timestamp_s // HOUR_S + 1) * HOUR_S
    budget.world.next_block(seconds=hour_begins_s + start_s - budget.world.timestamp_s)
    budget.lose(7)
    budget.world.next_block(seconds=later_s)
    assert budget.spent_gwei == (7 if counted else 0)


@pytest.mark.parametrize("seed", range(6))
def test_any_24_hours_stay_within_the_budget(seed: int) -> None:
    rng = random.Random(seed)
    budget = Budget(1_000)
    pending: list[int] = []
    for _ in range(250):
        bound = rng.choice([1, rng.randint(1, 400), 1_000])
        if rng.random() < 0.6:
            try:
                budget.open(bound)
                pending.append(bound)
            except Reverted as refused:
                spent, reserved, limit, halted = budget.figures()
                if str(refused) == "loss budget":
                    assert spent + reserved + bound * GWEI > limit
                elif str(refused) == "halted":
                    assert halted
                else:
                    assert pending
        elif pending:
            reserved = pending.pop(rng.randrange(len(pending)))
            budget.close(reserved, rng.choice([0, reserved, rng.randint(0, reserved)]))
        if rng.random() < 0.5:
            budget.world.next_block(seconds=rng.choice([12, 600, HOUR_S, rng.randint(1, 40 * HOUR_S)]))
        if budget.figures()[3] and rng.random() < 0.5:
            budget.send("setHalted(bool)", False)
        assert budget.spent_gwei == budget.lost_in_hours()
        assert budget.figures()[1] == sum(pending) * GWEI
        now_s = budget.world.timestamp_s
        assert sum(loss for second, loss in budget.losses if second > now_s - DAY_S) <= 1_000
