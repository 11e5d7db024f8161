"""Pause is a barrier: once its answer is there the relay receives nothing, whatever the engine was doing."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from rig import SLOT_SECONDS

from tests.conftest import FULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

RACES = 2_000 if FULL else 100
STOPS = 20 if FULL else 2
RACE_SLOT_S = 0.2
MOMENTS = ("eth_getBlockByHash", "eth_simulateV1", "eth_sendBundle")
"""The race begins when the engine asks the door this: a new head, a simulation, a submission."""
ANSWER_LIMIT_S = 2.5


def paused_at(rig, verb="pause"):
    """Pause by the socket; return the answer and when it was there."""
    reply = rig.client.call(verb, body={"reason": "race"})
    return reply, time.monotonic()


async def asked_for(rig, method, then=lambda: None):
    """Return once the engine asks the door for a method; `then` is called at that very moment."""
    reached = asyncio.Event()

    def listen(view, heard, params):
        if heard == method and not reached.is_set():
            then()
            reached.set()

    rig.net.door.listeners.append(listen)
    try:
        await asyncio.wait_for(reached.wait(), 20)
    finally:
        rig.net.door.listeners.remove(listen)


async def test_no_bundle_arrives_after_the_answer(rig, rng):
    await rig.admin.admin("devnet_setSlotSeconds", seconds=RACE_SLOT_S)
    rig.trade()
    close_calls, waits_s = 0, []
    for race in range(RACES):
        # In every third race the relay takes its time, so that a submission is under way for longer.
        late_ms = rng.randrange(50, 300) if race % 3 == 0 else 0
        if late_ms:
            await rig.admin.admin("devnet_fault", view="relay", fault="late", value=late_ms)
        await asked_for(rig, rng.choice(MOMENTS))
        # The delay is the race itself; nothing waits for anything with it.
        await asyncio.sleep(rng.uniform(0, 0.03))
        asked_s = time.monotonic()
        reply, answered_s = await asyncio.to_thread(paused_at, rig)
        assert (reply["state"], reply["forced"]) == ("PAUSED", False), reply
        await rig.admin.admin("devnet_clearFaults", view="relay")
        # Swaps go on: a new block comes with new reasons to submit.
        await rig.blocks(1)
        late = rig.door.bundles(answered_s)
        assert late == [], f"race {race}: a bundle {late[0].at_s - answered_s:.4f} s after the answer"
        close_calls += bool(rig.door.bundles(asked_s - 0.05))
        waits_s.append(answered_s - asked_s)
        resumed, _ = await asyncio.to_thread(paused_at, rig, "resume")
        assert resumed["state"] == "RUNNING"
    waits_s.sort()
    print(f"{RACES} races, {close_calls} with a bundle within 50 ms before the pause or during it;"
          f" answered within {waits_s[RACES // 2] * 1000:.0f} ms at the median,"
          f" {waits_s[-1] * 1000:.0f} ms at most")  # fmt: skip
    assert close_calls >= RACES // 10
    await rig.admin.admin("devnet_setSlotSeconds", seconds=SLOT_SECONDS)
    await rig.lands()
    await rig.whole()


@pytest.mark.parametrize("turn", range(STOPS))
async def test_an_engine_stopped_while_it_submits_is_ended(rig, turn):
    """It holds the barrier and cannot be asked: the answer says that it was ended, and it was."""
    rig.trade()
    await rig.lands()
    pid = (await rig.status())["engine"]["pid"]

    async with rig.fault("stall", "relay"):
        await asked_for(rig, "eth_sendBundle", lambda: os.kill(pid, signal.SIGSTOP))
        asked_s = time.monotonic()
        reply = await rig.bot.verb("pause", "--reason", "it hangs")
        answered_s = time.monotonic()
        assert reply["forced"] is True, reply
        assert "was ended" in reply["message"]
        assert answered_s - asked_s < ANSWER_LIMIT_S + 1.0  # the verb is a process of its own
    status = await rig.status()
    assert (status["engine"]["alive"], status["state"]) == (False, "STOPPED")
    await rig.blocks(1)
    assert rig.door.bundles(answered_s) == []
    status = await rig.start()
    assert status["state"] == "PAUSED"
    assert (await rig.ask("resume", reason="test"))["state"] == "RUNNING"
    await rig.lands()
    await rig.whole()


async def test_an_engine_stopped_in_between_is_paused_without_being_asked(rig, rng):
    """It does not hold the barrier: the flag is enough, and it heeds it when it wakes up."""
    rig.trade()
    await rig.lands()
    pid = (await rig.status())["engine"]["pid"]
    await rig.blocks(1)
    await asyncio.sleep(rng.uniform(0, 0.4))
    os.kill(pid, signal.SIGSTOP)
    try:
        reply, answered_s = await asyncio.to_thread(paused_at, rig)
    finally:
        os.kill(pid, signal.SIGCONT)
    if reply["forced"]:
        # The moment was within a submission after all.
        assert not (await rig.status())["engine"]["alive"]
        await rig.start()
    else:
        assert "does not answer" in reply["message"]
        await rig.until(lambda: state_is(rig, "PAUSED"), "the engine heeds the flag")
    await rig.blocks(1)
    assert rig.door.bundles(answered_s) == []
    assert (await rig.ask("resume", reason="test"))["state"] == "RUNNING"
    await rig.lands()
    await rig.whole()


async def state_is(rig, state):
    return (await rig.status())["state"] == state
