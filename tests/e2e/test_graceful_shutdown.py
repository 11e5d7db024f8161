"""Going down in good order: pause, wait for what is in flight, stop (STOP-1 to STOP-3)."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from jitctl.errors import CannotDetermine, TimedOut


async def bundle_is_out(world: Any) -> int:
    """Have the bot send a bundle for the next block, which nobody builds yet; return that block's number."""
    for _ in range(6):
        seen = await world.pending_seen()
        if await world.bundle_for(await world.big_swap(), seen):
            return int(world.net.chain.head.number) + 1
        await world.net.slot()
    raise AssertionError("the bot sent no bundle")


def held(world: Any) -> list[Any]:
    return [entry for entry in world.net.chain.bundles.entries() if entry.outcome.state == "pending"]


@pytest.mark.runbook("STOP-1", "STOP-2", "STOP-3")
async def test_pause_waits_for_what_is_in_flight_and_then_it_stops(world: Any) -> None:
    target = await bundle_is_out(world)
    with pytest.raises(TimedOut) as caught:
        await world.bot.verb("pause", "--wait", "--timeout", "0.5", "--reason", "maintenance")
    assert f"out, the last for block {target}" in caught.value.message
    assert f"head {target - 1}" in caught.value.message
    # It stays paused, and a new swap is no reason to submit.
    assert (await world.status())["state"] == "PAUSED"
    sent = len(held(world))
    await world.big_swap("WETH/DAI-0.3%")

    waiting = asyncio.create_task(world.bot.verb("pause", "--wait", "--reason", "maintenance"))
    asked = len((world.net.folder / "data" / "audit.jsonl").read_text().splitlines())

    def paused_again() -> bool:
        lines = (world.net.folder / "data" / "audit.jsonl").read_text().splitlines()
        return len(lines) > asked or waiting.done()

    await world.until("the second pause is answered", paused_again)
    assert len(held(world)) == sent
    assert not waiting.done()
    await world.net.slot()
    reply = await waiting
    assert reply["message"] == "already paused; nothing is in flight"
    assert (reply["outstandingBundles"], reply["lastTargetBlock"]) == (0, target)
    assert reply["headNumber"] >= target
    assert reply["waitedS"] > 0
    assert await world.disagreements() == []
    assert (await world.bot.verb("stop"))["forced"] is False
    assert await world.open_pools() == []


async def test_an_engine_that_dies_meanwhile_cannot_tell(world: Any) -> None:
    target = await bundle_is_out(world)
    waiting = asyncio.create_task(world.bot.verb("pause", "--wait"))

    async def paused() -> bool:
        return (await world.status())["state"] == "PAUSED"

    await world.until("it is paused", paused)
    os.kill((await world.status())["engine"]["pid"], signal.SIGKILL)
    with pytest.raises(CannotDetermine) as caught:
        await waiting
    assert "engine" in caught.value.message
    assert caught.value.hint.endswith("jitctl verify-no-open-positions")
    # With the target block, the start after the crash knows.
    await world.net.slot()
    assert world.net.chain.head.number == target
    status = await world.bot.verb("start", "--mode", "production", "--yes", "--force", "--reason", "test")
    assert status["state"] == "PAUSED"
    clear = await world.bot.verb("pause", "--wait")
    assert clear["outstandingBundles"] == 0
    assert await world.disagreements() == []
