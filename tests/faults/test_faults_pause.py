"""Pause is a barrier: 10,000 races against submissions of a real engine, and no bundle after its answer."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

import pytest
from pause_doors import by_client, by_http, by_verb
from rig import SLOT_SECONDS, installed, two_nodes

from tests.conftest import FULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

RACES_A_DEVNET = 500
"""The evidence is read as a whole at the end of each devnet, and each has a seed of its own."""
DEVNETS = 20 if FULL else 1
RACE_SLOT_S = 0.08
MOMENTS = ("eth_getBlockByHash", "eth_simulateV1", "eth_sendBundle", "eth_sendBundle", None)
"""The race begins when the engine asks the door this: a new head, a simulation, a submission; or whenever."""
DOORS = {by_client: 0.6, by_http: 0.38, by_verb: 0.02}
CLOSE_S = 0.05


@dataclass
class Races:
    """What the relay heard, and what the races showed."""

    arrivals_s: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    doors: Counter[str] = field(default_factory=Counter)
    close: int = 0
    during: int = 0

    def listen(self, view, method, params):
        if (view, method) == ("relay", "eth_sendBundle"):
            self.arrivals_s.append(time.monotonic())

    def heard(self, from_s, until_s):
        return self.arrivals_s[bisect_left(self.arrivals_s, from_s) : bisect_left(self.arrivals_s, until_s)]

    def told(self):
        waits_ms = sorted(wait * 1000 for wait in self.waits_s)
        return (
            f"{len(waits_ms)} races of a real engine ({dict(self.doors)}), 0 bundles after the answer;"
            f" {self.close} with a bundle within {CLOSE_S * 1000:.0f} ms before the pause or during it,"
            f" {self.during} of them while it was asked for;"
            f" answered within {waits_ms[len(waits_ms) // 2]:.0f} ms at the median,"
            f" {waits_ms[len(waits_ms) * 99 // 100]:.0f} ms at the 99th percentile,"
            f" {waits_ms[-1]:.0f} ms at most"
        )


class Moment:
    """Lets a race begin when the engine asks the door for a method; slows a chain that it cannot follow."""

    def __init__(self, rig):
        self._rig = rig
        self._reached = asyncio.Event()
        self._method = ""
        self.slot_s = RACE_SLOT_S

    def listen(self, view, method, params):
        if method == self._method:
            self._reached.set()

    async def come(self, method):
        self._method = method
        self._reached.clear()
        while True:
            try:
                async with asyncio.timeout(10 * self.slot_s):
                    return await self._reached.wait()
            except TimeoutError:
                # On a busy machine every plan is late for a slot as short as this one.
                self.slot_s *= 1.5
                assert self.slot_s < 10, f"no {method} comes: {self._rig.last_words()}"
                await self.set_slot()

    async def set_slot(self):
        await self._rig.admin.admin("devnet_setSlotSeconds", seconds=self.slot_s)


@pytest.mark.timeout(1800)
@pytest.mark.runbook("STOP-1")
@pytest.mark.parametrize("turn", range(DEVNETS))
async def test_no_bundle_arrives_after_the_answer(tmp_path, seed, turn):
    rng = random.Random(f"{seed}/{turn}")
    races = Races()
    async with installed(tmp_path / "net", seed + turn, two_nodes) as rig:
        await rig.start()
        rig.trade()
        await rig.lands()
        moment = Moment(rig)
        rig.net.door.listeners += [races.listen, moment.listen]
        await moment.set_slot()
        began_s = time.monotonic()
        for race in range(RACES_A_DEVNET):
            await one_race(rig, rng, races, moment, f"race {race} of seed {seed}/{turn}")
        race_ms = (time.monotonic() - began_s) / RACES_A_DEVNET * 1000
        print(f"{races.told()}; {race_ms:.0f} ms a race, slots of {moment.slot_s:g} s at last")
        # A race is one only if something was about to be sent.
        assert races.close >= RACES_A_DEVNET // 10
        await rig.admin.admin("devnet_setSlotSeconds", seconds=SLOT_SECONDS)
        await rig.lands()
        await rig.whole()


async def one_race(rig, rng, races, moment, which):
    """Pause at a random moment around a submission; nothing arrives from the answer until the resume."""
    # In some the relay takes its time, so that a submission is under way for longer; or for too long.
    late_ms = rng.choice((0, 0, 0, 0, 0, 0, rng.randrange(20, 300), 700 if rng.random() < 0.1 else 0))
    if late_ms:
        await rig.admin.admin("devnet_fault", view="relay", fault="late", value=late_ms)
    method = rng.choice(MOMENTS)
    if method is not None:
        await moment.come(method)
    # The delay is the race itself; nothing waits for anything with it.
    await asyncio.sleep(rng.uniform(0, 0.012 if method else RACE_SLOT_S / 2))
    door = rng.choices(list(DOORS), list(DOORS.values()))[0]
    asked_s = time.monotonic()
    reply, answered_s = await door(rig)
    assert (reply["state"], reply["forced"]) == ("PAUSED", False), f"{which}: {reply}"
    if late_ms:
        await rig.admin.admin("devnet_clearFaults", view="relay")
    # Swaps go on: with the next block come new reasons to submit.
    if rng.random() < 0.2:
        await rig.blocks(1)
    await asyncio.sleep(rng.uniform(0.005, 0.03))
    held_until_s = time.monotonic()
    assert (await rig.ask("resume", reason="race"))["state"] == "RUNNING", which
    late = races.heard(answered_s, held_until_s)
    assert late == [], f"{which}: a bundle {late[0] - answered_s:.4f} s after the answer"
    races.doors[door.__name__] += 1
    races.close += bool(races.heard(asked_s - CLOSE_S, answered_s))
    races.during += bool(races.heard(asked_s, answered_s))
    races.waits_s.append(answered_s - asked_s)
