"""What the engine adds: the pause barrier under a flood, the commit before a byte leaves, and its own loop.

Everything but the ports is real: the loop, the strategy, the latch and barrier, the ledger on this disk.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from jitctl.daemon import event_loop
from jitctl.domain.attempt_state import AttemptEvent
from jitctl.domain.chain import ChainMoved
from jitctl.domain.records import AttemptChange
from jitctl.ledger.store import LedgerStore
from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from tests.engine.engine_world import USER, World, a_hash, a_swap, account
from tests.ledger.ledger_records import an_attempt

FLOOD_PER_S = 2_000
PAUSES = 200
NOISE = a_swap(to=USER, calldata=b"\x01" * 260)


class RealClock:
    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_s(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def rows() -> list[dict[str, Any]]:
    """Return the rows of the benchmark report."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        return [
            event_loop.run(_pause_under_flood(Path(folder) / "pause")),
            event_loop.run(_noise(Path(folder) / "noise")),
            event_loop.run(_head_to_sent(Path(folder) / "head")),
            _commit(Path(folder)),
            _permission(Path(folder) / "permission"),
        ]


async def _started(folder: Path) -> World:
    folder.mkdir()
    world = World(folder)
    world.clock = RealClock()  # a bench measures real time
    world.observer.events = deque(maxlen=100)
    await world.boot()
    world.emit(ChainMoved((world.chain.blocks[-1],), resynced=True))
    while world.engine.state != "RUNNING":
        await asyncio.sleep(0.001)
    return world


async def _pause_under_flood(folder: Path) -> dict[str, Any]:
    world = await _started(folder)
    sink = world.source.sink
    assert sink is not None

    async def flood() -> None:
        number = 0
        while True:
            for _ in range(FLOOD_PER_S // 100):
                number += 1
                sink.offer_pending(replace(NOISE, hash=a_hash(number), sender=account(number)))
            await asyncio.sleep(0.01)

    flooding = asyncio.create_task(flood())
    taken = []
    for _ in range(PAUSES):
        began = time.perf_counter()
        await world.engine.command("pause", who="bench")
        taken.append((time.perf_counter() - began) * 1e3)
        await world.engine.command("resume", who="bench")
        await asyncio.sleep(0.003)
    flooding.cancel()
    await world.kill()
    return _row("pause answered, barrier held once, 2,000 pending tx/s", taken, "ms", "p99 < 50")


async def _noise(folder: Path) -> dict[str, Any]:
    world = await _started(folder)
    sink = world.source.sink
    assert sink is not None
    taken = []
    for chunk in range(20):
        txs = [
            replace(NOISE, hash=a_hash(n), sender=account(n))
            for n in range(chunk * 4000, chunk * 4000 + 4000)
        ]
        for tx in txs:
            sink.offer_pending(tx)
        seen = world.count("happenings", "pending_seen") + len(txs)
        began = time.perf_counter()
        while world.count("happenings", "pending_seen") < seen:
            await asyncio.sleep(0)
        taken.append((time.perf_counter() - began) / len(txs) * 1e6)
    await world.kill()
    return _row("a pending transaction that is no swap, through queue and loop", taken, "us", "")


async def _head_to_sent(folder: Path) -> dict[str, Any]:
    world = await _started(folder)
    await _until(lambda: world.source.sink is not None)
    assert world.source.sink is not None
    world.source.sink.offer_pending(a_swap())
    await _until(lambda: len(world.relays.submitted) == 1)
    taken = []
    for number in range(200):
        block = world.chain.add_block([])
        began = time.perf_counter()
        world.emit(ChainMoved((block,)))
        await _until(lambda sent=number + 2: len(world.relays.submitted) == sent)
        taken.append((time.perf_counter() - began) * 1e3)
        if number % 40 == 39:
            # A wanted swap is given up after a number of blocks: bring another.
            world.source.sink.offer_pending(a_swap(sender=account(number)))
            await asyncio.sleep(0.01)
    await world.kill()
    return _row("new head to bundle sent, node and relays answering at once", taken, "ms", "")


async def _until(met: Callable[[], bool]) -> None:
    limit = time.monotonic() + 5
    while not met() and time.monotonic() < limit:
        await asyncio.sleep(0)


def _commit(folder: Path) -> dict[str, Any]:
    taken = []
    with LedgerStore(folder / "ledger.db") as store:
        for number in range(500):
            store.open_attempt(an_attempt(number))
            store.move_attempt(f"attempt-{number}", AttemptEvent.SIMULATE_OK, AttemptChange(1.0))
            began = time.perf_counter()
            store.move_attempt(f"attempt-{number}", AttemptEvent.INTEND, AttemptChange(1.0), durable=True)
            taken.append((time.perf_counter() - began) * 1e3)
    return _row("SUBMITTING on disk (with PLANNED and SIMULATED before it)", taken, "ms", "")


def _permission(folder: Path) -> dict[str, Any]:
    latch, barrier = Latch(folder), SubmitBarrier(folder)
    latch.arm_initial("bench", 1.0)
    taken = []
    for _ in range(5_000):
        began = time.perf_counter()
        held = barrier.try_shared()
        assert held is not None
        assert latch.armed()
        assert not latch.paused()
        held.release()
        taken.append((time.perf_counter() - began) * 1e6)
    return _row("permission to sign: barrier, latch, pause flag", taken, "us", "")


def _row(name: str, taken: list[float], unit: str, goal: str) -> dict[str, Any]:
    ordered = sorted(taken)
    return {
        "name": name,
        "p50": statistics.median(ordered),
        "p99": ordered[int(len(ordered) * 0.99)],
        "unit": unit,
        "goal": goal,
        "note": "",
    }
