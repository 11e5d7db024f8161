"""Exceptions that nobody foresaw: each is told, pauses trading, and leaves the engine answering."""

from pathlib import Path

import pytest
from engine_world import World, a_swap

from jitctl.errors import JitError


async def test_a_source_that_breaks_pauses_the_engine_and_is_started_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.source.end(ZeroDivisionError("a defect"))
    await world.clock.advance(1.1)
    assert world.source.runs == 2
    assert world.engine.state == "PAUSED"
    assert "ZeroDivisionError: a defect" in str(world.engine.figures()["reason"])
    assert len(world.observer.named("task_failed")) == 1
    # Its blocks are followed all the same, and the operator can go on.
    await world.mine()
    assert world.engine.figures()["headNumber"] == 101
    await world.command("resume")
    await world.pend(a_swap())
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_a_command_that_breaks_is_answered_and_pauses(tmp_path: Path) -> None:
    world = await World(tmp_path).start()

    def broken() -> None:
        raise ZeroDivisionError("a defect")

    world.engine._commands._reporting.pools = broken
    with pytest.raises(JitError, match="unexpected ZeroDivisionError: a defect"):
        await world.command("pool-status")
    assert world.engine.state == "PAUSED"
    assert world.latch.paused()
    assert len(world.observer.named("engine_error")) == 1
    assert (await world.command("ping"))["message"] == "pong"
    await world.stop()


async def test_a_defect_in_an_attempts_task_abandons_it_and_pauses(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.signer.failure = ZeroDivisionError("a defect")
    await world.pend(a_swap())
    assert world.relays.submitted == []
    assert world.count("abandons", "internal") == 1
    assert world.engine.state == "PAUSED"
    assert world.latch.paused()
    await world.stop()
