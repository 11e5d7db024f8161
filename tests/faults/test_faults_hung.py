"""Whatever hangs (the engine, every node, the keeper), `status`, `pause` and `stop` answer soon and truly.

The design's bound is 2 s for a whole process, by the sum of its time limits. What was measured is printed;
the tests hold to an outer bound that a busy machine meets too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import pytest_asyncio
from hanging_engine import BLOCK, BLOCK_HOLDING
from pause_doors import by_client
from rig import NODES, installed, two_nodes

from jitctl.errors import TimedOut
from jitctl.safety.process_identity import ProcessIdentity
from tests.conftest import FULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTER_BOUND_S = 10.0
STOPS = 20 if FULL else 1
ENGINE = Path(__file__).with_name("hanging_engine.py")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JITCTL_ENGINE_COMMAND", f"{sys.executable} {ENGINE}")
        async with installed(tmp_path_factory.mktemp("net"), seed, two_nodes) as running:
            await running.start()
            yield running


async def timed(rig, case, *words):
    """Run a whole verb; return its reply (or the error it ended with) and when it was there."""
    began_s = time.monotonic()
    try:
        reply = await rig.bot.verb(*words)
    except TimedOut as error:
        reply = error
    ended_s = time.monotonic()
    print(f"{case}: jitctl {' '.join(words)} answered in {ended_s - began_s:.2f} s")
    assert ended_s - began_s < OUTER_BOUND_S
    return reply, ended_s


async def trading(rig):
    """Have the bot submit; return its two process numbers."""
    status = await rig.status()
    if status["state"] == "PAUSED":
        await rig.ask("resume", reason="test")
    rig.trade()
    await rig.lands()
    return status["keeperPid"], status["engine"]["pid"]


async def back(rig):
    """Start after the daemon's end: paused if the engine did not end in good order."""
    status = await rig.start()
    await rig.blocks(1)
    return status["state"]


def gone(pid):
    return ProcessIdentity.of(pid) is None


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


HANGS = {"stopped": signal.SIGSTOP, "blocked": BLOCK, "blocked_with_the_barrier": BLOCK_HOLDING}


@pytest.mark.parametrize("how", HANGS if FULL else ["stopped", "blocked_with_the_barrier"])
async def test_the_engine_hangs(rig, how):
    keeper, engine = await trading(rig)
    os.kill(engine, HANGS[how])
    await timed(rig, how, "status")
    paused, answered_s = await timed(rig, how, "pause", "--reason", "it hangs")
    assert paused["state"] == ("STOPPED" if paused["forced"] else "PAUSED"), paused
    assert paused["forced"] or how != "blocked_with_the_barrier"
    assert gone(engine) == paused["forced"]
    shown, _ = await timed(rig, how, "status")
    assert shown["engine"]["responsive"] is False
    assert (shown["state"], shown["tradingReady"]) == (paused["state"], False)
    await rig.blocks(1)
    stopped, _ = await timed(rig, how, "stop")
    assert stopped["forced"] is not paused["forced"]
    assert rig.door.bundles(answered_s) == []
    assert gone(keeper)
    assert gone(engine)
    assert await back(rig) == "PAUSED"


async def test_a_stop_alone_ends_an_engine_that_hangs(rig):
    keeper, engine = await trading(rig)
    os.kill(engine, BLOCK_HOLDING)
    stopped, answered_s = await timed(rig, "blocked, not paused", "stop")
    assert (stopped["forced"], stopped["state"]) == (True, "STOPPED")
    assert "by force" in stopped["message"]
    assert gone(keeper)
    assert gone(engine)
    await rig.blocks(1)
    assert rig.door.bundles(answered_s) == []
    assert await back(rig) == "PAUSED"


async def test_every_node_hangs(rig):
    keeper, _ = await trading(rig)
    before = await rig.count("node_calls", "timed_out")
    async with rig.fault("stall", *NODES):
        await rig.grows("node_calls", "timed_out", beyond=before)
        shown, _ = await timed(rig, "nodes stall", "status")
        assert shown["engine"]["responsive"] is True
        paused, answered_s = await timed(rig, "nodes stall", "pause")
        assert (paused["state"], paused["forced"]) == ("PAUSED", False)
        late, _ = await timed(rig, "nodes stall", "pause", "--wait", "--timeout", "0")
        assert isinstance(late, TimedOut) or late["outstandingBundles"] == 0
        stopped, _ = await timed(rig, "nodes stall", "stop")
        assert (stopped["state"], stopped["forced"]) == ("STOPPED", False)
        assert gone(keeper)
    assert rig.door.bundles(answered_s) == []
    await back(rig)


async def test_the_keeper_hangs_and_pause_goes_round_it(rig):
    keeper, engine = await trading(rig)
    os.kill(keeper, signal.SIGSTOP)
    try:
        silent, _ = await timed(rig, "keeper stopped", "status")
        assert isinstance(silent, TimedOut)
        paused, answered_s = await timed(rig, "keeper stopped", "pause", "--reason", "no answer")
        assert (paused["state"], paused["forced"]) == ("PAUSED", False)
        assert "the daemon does not answer" in paused["message"]
        refused, _ = await timed(rig, "keeper stopped", "stop")
        assert isinstance(refused, TimedOut)
        assert "not confirmed" in refused.message
        await rig.blocks(1)
        assert rig.door.bundles(answered_s) == []
        os.kill(engine, signal.SIGSTOP)
        both, _ = await timed(rig, "keeper and engine stopped", "pause")
        assert "the daemon does not answer" in both["message"]
        os.kill(engine, signal.SIGCONT)
    finally:
        os.kill(keeper, signal.SIGCONT)
    # What was asked while it hung it does now; the stop too.
    await rig.until(lambda: gone(keeper), "the keeper does what it was asked")
    records = (rig.net.folder / "data" / "audit.jsonl").read_text()
    assert '"why": "no answer"' in records
    assert await back(rig) == "PAUSED"


@pytest.mark.parametrize("how", ["blocked", "stopped"] if FULL else ["blocked"])
async def test_the_keeper_is_killed_over_an_engine_that_hangs(rig, how):
    keeper, engine = await trading(rig)
    os.kill(engine, HANGS[how])
    os.kill(keeper, signal.SIGKILL)
    paused, answered_s = await timed(rig, f"keeper killed, engine {how}", "pause", "--reason", "orphan")
    assert paused["state"] == ("STOPPED" if paused["forced"] else "PAUSED")
    assert "no daemon listens" in paused["message"]
    if how == "stopped" and not paused["forced"]:
        os.kill(engine, signal.SIGCONT)
    # Also with its loop blocked for good: a thread watches for the keeper.
    await rig.until(lambda: gone(engine), "the engine ends by itself")
    await rig.blocks(1)
    assert rig.door.bundles(answered_s) == []
    with pytest.raises(Exception, match="no daemon listens"):
        await rig.bot.verb("pause")
    assert await back(rig) == "PAUSED"


@pytest.mark.parametrize("turn", range(STOPS))
async def test_an_engine_stopped_while_it_submits_is_ended(rig, turn):
    """It holds the barrier and cannot be asked: the answer says that it was ended, and it was."""
    _, pid = await trading(rig)

    async with rig.fault("stall", "relay"):
        await asked_for(rig, "eth_sendBundle", lambda: os.kill(pid, signal.SIGSTOP))
        reply, answered_s = await timed(rig, "stopped while it submits", "pause", "--reason", "it hangs")
        assert reply["forced"] is True, reply
        assert "was ended" in reply["message"]
    status = await rig.status()
    assert (status["engine"]["alive"], status["state"]) == (False, "STOPPED")
    await rig.blocks(1)
    assert rig.door.bundles(answered_s) == []
    status = await rig.start()
    assert status["state"] == "PAUSED"


async def test_an_engine_stopped_in_between_is_paused_without_being_asked(rig, rng):
    """It does not hold the barrier: the flag is enough, and it heeds it when it wakes up."""
    _, pid = await trading(rig)
    await rig.blocks(1)
    await asyncio.sleep(rng.uniform(0, 0.4))
    os.kill(pid, signal.SIGSTOP)
    try:
        reply, answered_s = await by_client(rig)
    finally:
        # It may have been ended: then the moment was within a submission after all.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    if reply["forced"]:
        assert not (await rig.status())["engine"]["alive"]
        await rig.start()
    else:
        assert "does not answer" in reply["message"]
        await rig.until(lambda: heeds_the_flag(rig), "the engine heeds the flag")
    await rig.blocks(1)
    assert rig.door.bundles(answered_s) == []


async def heeds_the_flag(rig):
    return (await rig.status())["figures"]["state"] == "PAUSED"


async def test_the_evidence_is_whole(rig):
    await trading(rig)
    await asyncio.wait_for(rig.whole(), 60)
