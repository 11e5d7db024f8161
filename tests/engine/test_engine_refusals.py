"""A ledger that refuses pauses the engine or ends it; afterwards everything is found, and nothing twice.

Each scenario runs once undisturbed. Then every ledger call that its blocks lead to is refused once, one run
for each: the engine pauses, or ends and starts again on the same files, and must come to the same figures.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from engine_story import Story, a_lone_mint_is_closed, first_bundle
from engine_world import OPERATOR, USER, a_hash

from jitctl.domain.chain import MinedTx
from jitctl.domain.records import FlowKind


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
