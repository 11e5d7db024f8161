"""Pause of an engine that hangs: the answer is true and soon, and the relay receives nothing after it."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from tests.conftest import FULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOPS = 20 if FULL else 2
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
