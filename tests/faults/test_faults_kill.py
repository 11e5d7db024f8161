"""kill -9 of either process or both at any moment under load: nothing lost, nothing sent twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from jitctl.config.generations import Generations
from jitctl.config.load import load
from jitctl.domain.attempt_state import OPEN_STATES, AttemptState
from jitctl.errors import JitError
from jitctl.safety.process_identity import ProcessIdentity
from tests.conftest import FULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

KILLS = 100 if FULL else 10
"""Kills of the engine in one run."""
MOMENTS = ("eth_simulateV1", "eth_sendBundle", "eth_getLogs", None)
"""The engine dies a little after it asked the door this; None: whenever."""


async def killed_at_a_random_moment(rig, rng, pid):
    """Kill the process a few milliseconds after a request of the engine's has reached the door."""
    moment, delay_s = rng.choice(MOMENTS), rng.uniform(0, 0.03)
    reached = asyncio.Event()

    def listen(view, method, params):
        if moment in (None, method):
            reached.set()

    rig.net.door.listeners.append(listen)
    try:
        await asyncio.wait_for(reached.wait(), 20)
    finally:
        rig.net.door.listeners.remove(listen)
    # The delay is what is tried out here, nothing waits for anything with it.
    await asyncio.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    return moment, delay_s


async def gone(rig, pid):
    await rig.until(
        lambda: ProcessIdentity.of(pid) is None or not ProcessIdentity.of(pid).is_alive(), "it ends", 10
    )


async def back_again(rig):
    """Start after a crash: paused, nothing resent; trading again once resumed."""
    before = len(rig.door.bundles())
    status = await rig.start()
    assert status["state"] == "PAUSED", status["reason"]
    left = {each.state for each in rig.ledger().unsettled()}
    assert left <= {AttemptState.INCLUDED, AttemptState.MISSED, AttemptState.REVERTED, AttemptState.SUBMITTED}
    await rig.blocks(1)
    assert len(rig.door.bundles()) == before, "a paused engine has submitted"
    assert (await rig.ask("resume", reason="test"))["state"] == "RUNNING"
    return status


async def test_the_engine_dies_at_random_moments(rig, rng):
    left_open = 0
    for _ in range(KILLS):
        rig.trade()
        status = await rig.status()
        pid = status["engine"]["pid"]
        moment, delay_s = await killed_at_a_random_moment(rig, rng, pid)
        await rig.until(lambda: stopped(rig), "the keeper sees it")
        open_ones = [each for each in rig.ledger().attempts() if each.state in OPEN_STATES]
        left_open += len(open_ones)
        print(
            f"killed {delay_s * 1000:.1f} ms after {moment}: left {[str(each.state) for each in open_ones]}"
        )
        began_s = time.monotonic()
        await back_again(rig)
        print(f"back after {time.monotonic() - began_s:.1f} s")
    print(f"{left_open} attempts were under way when the engine died")
    await rig.lands()
    await rig.whole()


async def stopped(rig):
    return (await rig.status())["state"] == "STOPPED"


async def test_the_engine_ends_with_its_keeper_and_submits_nothing_more(rig, rng):
    for _ in range(10 if FULL else 2):
        rig.trade()
        await rig.lands()
        status = await rig.status()
        await killed_at_a_random_moment(rig, rng, status["keeperPid"])
        await gone(rig, status["engine"]["pid"])
        sent = len(rig.door.bundles())
        await rig.blocks(2)
        assert len(rig.door.bundles()) == sent
        await back_again(rig)
        await rig.lands()
    await rig.whole()


async def test_both_die_at_once(rig, rng):
    rig.trade()
    await rig.lands()
    status = await rig.status()
    await killed_at_a_random_moment(rig, rng, status["engine"]["pid"])
    os.kill(status["keeperPid"], signal.SIGKILL)
    await gone(rig, status["keeperPid"])
    await back_again(rig)
    await rig.lands()
    await rig.whole()


async def test_they_die_during_a_reload(rig, rng):
    """The next start runs one whole generation, and the disk names just that one; trading goes on."""
    pools, kept = rig.net.folder / "config" / "pools.toml", Generations(rig.net.folder / "data")
    whole = pools.read_text()
    head, _, last = whole.rpartition("[[pools]]")
    texts = (f"{head}[[pools]]{last.replace('enabled = true', 'enabled = false')}", whole)
    assert texts[0] != texts[1]
    for number in range(40 if FULL else 2):
        rig.trade()
        status = await rig.status()
        pids = (status["engine"]["pid"], status["keeperPid"])
        before = status["configHash"]
        pools.write_text(texts[number % 2])
        reloading = asyncio.create_task(rig.ask("reload-pools"))
        # This is the moment that is drawn.
        await asyncio.sleep(rng.uniform(0, 0.6))
        victims = rng.choice((pids[:1], pids[1:], pids))
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        answer = await asyncio.gather(reloading, return_exceptions=True)
        assert isinstance(answer[0], dict | JitError)
        await gone(rig, pids[0])
        current = kept.current()
        assert current.hash in (before, load(pools.parent).hash)
        status = await back_again(rig)
        current = kept.current()
        assert (current.number, current.hash) == (status["generation"], status["configHash"])
        assert load(pools.parent, kept.texts(current, pools.parent)).hash == current.hash
        assert current.hash == load(pools.parent).hash
        assert not list(kept.folder.glob(".*"))
        await rig.lands()
    await rig.whole()
