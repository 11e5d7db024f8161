"""The executor contract's own limits, as read at run time, bound what is planned."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from engine_world import ETHER, POOL, World, a_pool, a_swap

from jitctl.domain.chain import Head
from jitctl.domain.guards import GuardReading, PoolRules
from jitctl.domain.values import Address

RULES = PoolRules(True, 500, 1_000, 2_000 * ETHER, 9_500)
FREE = GuardReading({POOL: a_pool().tick}, 100 * ETHER, {POOL: RULES})


class FakeGuards:
    """Says what it is told to, at any block."""

    def __init__(self, reading: GuardReading) -> None:
        self.reading = reading

    async def read(self, pools: Sequence[Address], head: Head) -> GuardReading:
        return self.reading


@pytest.mark.parametrize(
    ("reading", "skip"),
    [
        (FREE, ""),
        (replace(FREE, halted=True), "not_running"),
        (replace(FREE, loss_budget_left_wei=0), "no_capital"),
        (replace(FREE, rules={POOL: replace(RULES, may_open=False)}), "pool_disabled"),
        (replace(FREE, rules={POOL: replace(RULES, max_notional_wei=0)}), "no_capital"),
        (replace(FREE, rules={POOL: replace(RULES, max_range_ticks=1)}), "no_capital"),
        (replace(FREE, twap_ticks={POOL: a_pool().tick + 501}), "no_capital"),
    ],
    ids=["free", "halted", "no budget", "not allowed", "no notional", "no range", "far from the TWAP"],
)
async def test_what_the_contract_would_refuse_is_a_skip(
    tmp_path: Path, reading: GuardReading, skip: str
) -> None:
    world = await World(tmp_path, guards=FakeGuards(reading)).start()
    await world.pend(a_swap())
    assert len(world.simulator.drafts) == (not skip)
    assert not skip or world.count("skips", skip) == 1
    await world.stop()


async def test_what_the_owner_changes_counts_from_the_next_head(tmp_path: Path) -> None:
    guards = FakeGuards(replace(FREE, halted=True))
    world = await World(tmp_path, guards=guards).start()
    await world.pend(a_swap())
    assert world.engine.figures()["executorHalted"] is True
    guards.reading = FREE
    await world.mine()
    assert len(world.relays.submitted) == 1
    guards.reading = replace(FREE, rules={POOL: replace(RULES, max_tip_bps=100)})
    await world.mine()
    await world.mine()
    plan = world.draft_of(world.relays.submitted[-1]).plan
    assert plan.bid_wei <= plan.min_fees_wei // 100
    assert world.engine.figures()["lossBudgetLeftWei"] == str(100 * ETHER)
    await world.stop()
