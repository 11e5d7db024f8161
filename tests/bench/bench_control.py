"""The operator's way to the real daemon, and what it costs trading: pauses under a flood, a flood of readers.

The devnet, the daemon's two processes and whoever floods are processes of their own and share two cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jitctl.control.client import Client
from jitctl.devnet.door_client import DoorClient, DoorError
from jitctl.devnet.manifest import Manifest
from jitctl.devnet.traffic import Traffic
from jitctl.ledger.queries import LedgerReader
from tests.bench.live_bot import (
    REPOSITORY,
    Row,
    devnet,
    one,
    pending_seen,
    proxied,
    row,
    small_swap,
    started_bot,
    wanted_swap,
)

SEED = "4002"
"""Keys of its own: a signer runs once on a machine, and a demo may be running."""
PAUSES = int(os.environ.get("JITCTL_BENCH_PAUSES", "400"))
PROCESSES = 20
FLOOD_PER_S, SLOT_S = 2_000, 3.0
GAP_S = (0.005, 0.06)
"""Between two commands: long enough to meet every part of a second, and of a block."""
PAIRS = int(os.environ.get("JITCTL_BENCH_PAIRS", "7"))
ATTEMPTS = 12
"""Swaps of one leg: each router, both ways, twice."""
READS_PER_S = 500
SETTLE_S = 0.25
"""Long enough for everyone to have followed a block, read balances and gone idle again."""
DECIDED = ("decode", "evaluate", "seen_to_planned")


def rows() -> list[Row]:
    """Return the rows of the benchmark report."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Row]:
    async with devnet(folder, SEED) as manifest:
        async with started_bot(manifest) as (bot, data):
            read = await _under_readers(manifest, data, await bot.verb("status"))
        return [*await _under_pending(manifest), *read]


# -- pauses under pending transactions


async def _under_pending(manifest: Manifest) -> list[Row]:
    """Pause and resume the real daemon while its engine reads 2,000 pending transactions a second."""
    async with (
        DoorClient(manifest.rpc_url, manifest.admin_url) as door,
        Traffic(manifest.rpc_url, manifest, seed=5) as users,
        proxied(
            manifest,
            await door.call("eth_getTransactionByHash", await small_swap(users)),
            count=FLOOD_PER_S * 600,
            per_s=FLOOD_PER_S,
        ),
        started_bot(manifest) as (bot, data),
    ):
        client = Client(data.parent / "run" / "jitctl.sock")
        while pending_seen(client.call("status")) < FLOOD_PER_S:
            await asyncio.sleep(0.2)
        slots = asyncio.create_task(_slots(door))
        began_s, before = time.monotonic(), pending_seen(client.call("status"))
        replies = await asyncio.to_thread(_pauses, client, data.parent / "scratch")
        client.call("pause")
        rate = (pending_seen(client.call("status")) - before) / (time.monotonic() - began_s)
        client.call("resume")
        processes = []
        for _ in range(PROCESSES):
            began = time.perf_counter()
            await bot.verb("pause", "--reason", "benchmark")
            processes.append((time.perf_counter() - began) * 1000)
            await bot.verb("resume", "--yes")
        slots.cancel()
    note = f"{rate:,.0f} a second read by the engine, a block every {SLOT_S:g} s"
    paused = [each.pause_ms for each in replies]
    return [
        row("pause answered through the socket, 2,000 pending tx/s", paused, "ms", "p99 < 50",
            f"{len(replies)} pauses; {note}"),
        row("the same, from the request's arrival in the keeper", [each.daemon_ms for each in replies], "ms"),
        row("a read in between, for comparison", [each.read_ms for each in replies], "ms", "",
            "neither the engine nor the disk is asked"),
        row("one fsync of that disk, for comparison", [each.fsync_ms for each in replies], "ms", "",
            "a pause waits for four: flag, its record, ledger, audit trail"),
        row("resume answered through the socket, 2,000 pending tx/s", [each.resume_ms for each in replies],
            "ms"),
        row("jitctl pause as a whole process, 2,000 pending tx/s", processes, "ms", "120",
            f"{PROCESSES} processes"),
    ]  # fmt: skip


@dataclass(frozen=True)
class Replied:
    pause_ms: float
    daemon_ms: float
    read_ms: float
    fsync_ms: float
    resume_ms: float


def _fsync_ms(scratch: Path) -> float:
    with scratch.open("ab") as file:
        file.write(b"x" * 300)
        file.flush()
        began = time.perf_counter()
        os.fsync(file.fileno())
        return (time.perf_counter() - began) * 1000


def _pauses(client: Client, scratch: Path) -> list[Replied]:
    rng, found = random.Random(7), []
    for _ in range(PAUSES):
        began = time.perf_counter()
        paused = client.call("pause", body={"reason": "benchmark"})
        pause_ms = (time.perf_counter() - began) * 1000
        assert paused["changed"] and paused["state"] == "PAUSED", paused
        time.sleep(rng.uniform(*GAP_S))
        began = time.perf_counter()
        client.call("health")
        read_ms = (time.perf_counter() - began) * 1000
        fsync_ms = _fsync_ms(scratch)
        began = time.perf_counter()
        resumed = client.call("resume", body={"reason": "benchmark"})
        resume_ms = (time.perf_counter() - began) * 1000
        assert resumed["changed"] and resumed["state"] == "RUNNING", resumed
        found.append(Replied(pause_ms, float(paused["elapsedMs"]), read_ms, fsync_ms, resume_ms))
        time.sleep(rng.uniform(*GAP_S))
    return found


async def _slots(door: DoorClient) -> None:
    while True:
        await asyncio.sleep(SLOT_S)
        await door.admin("devnet_slot")


# -- decisions under readers


@dataclass(frozen=True)
class Leg:
    """The stages of a dozen attempts, and what the readers were served meanwhile, if they were there."""

    attempts: Sequence[dict[str, float]]
    served: dict[str, Any] | None

    def median(self, stage: str) -> float:
        return statistics.median(_stage(each, stage) for each in self.attempts)


async def _under_readers(manifest: Manifest, data: Path, status: dict[str, Any]) -> list[Row]:
    """Measure legs in pairs, with the readers and without, in turn first and last."""
    port, engine, keeper = urlsplit(status["http"]).port, status["engine"]["pid"], status["keeperPid"]
    ledger = LedgerReader(data / "ledger.db")
    pairs: list[tuple[Leg, Leg]] = []
    async with (
        DoorClient(manifest.rpc_url, manifest.admin_url) as door,
        Traffic(manifest.rpc_url, manifest, seed=3) as users,
        _readers(data.parent / "run" / "jitctl.sock", port) as readers,
    ):
        # The first turns load code and open files.
        await _leg(door, users, ledger, None)
        busy_s = -_cpu_s(keeper)
        for number in range(PAIRS):
            first = await _leg(door, users, ledger, readers if number % 2 else None)
            second = await _leg(door, users, ledger, None if number % 2 else readers)
            pairs.append((second, first) if number % 2 else (first, second))
            told = ", ".join(f"{stage} {_ratio(pairs[-1], stage):.2f}" for stage in (*DECIDED, "whole"))
            print(f"  pair {number + 1}, with readers against without: {told}", flush=True)
        busy_s += _cpu_s(keeper)
    assert Path(f"/proc/{engine}").exists(), "the engine ended"
    return _compared(pairs, busy_s)


def _compared(pairs: list[tuple[Leg, Leg]], busy_s: float) -> list[Row]:
    served = [with_readers.served for _, with_readers in pairs if with_readers.served is not None]
    answered, seconds = sum(each["answered"] for each in served), sum(each["seconds"] for each in served)
    others = sum(sum(each["statuses"].values()) for each in served) - answered
    kinds = "status, health and metrics in turn; both doors; kept and fresh connections"
    found = [
        one("API requests served, of 500 a second asked", round(answered / seconds, 1), "per s", "500",
            f"{kinds}; {others} answered otherwise than by 200"),
        {**row("an API request of these, there and back", [each["p50Ms"] for each in served], "ms"),
         "p99": round(max(each["p99Ms"] for each in served), 3)},
        one("processor time of the keeper for an API request", round(1e6 * busy_s / answered), "us"),
    ]  # fmt: skip
    for stage, goal in (("seen_to_planned", "1.2"), ("decode", ""), ("evaluate", ""), ("whole", "")):
        ratios = [_ratio(pair, stage) for pair in pairs]
        quiet, read = (statistics.median(pair[leg].median(stage) for pair in pairs) for leg in (0, 1))
        name = "notification to the relay's reply" if stage == "whole" else f"stage {stage}"
        found.append(
            one(f"{name}, with these readers against without", round(statistics.median(ratios), 2), "x", goal,
                f"{quiet:.3g} and {read:.3g} ms; pairs: {' '.join(f'{ratio:.2f}' for ratio in ratios)}")
        )  # fmt: skip
    return found


def _ratio(pair: tuple[Leg, Leg], stage: str) -> float:
    return pair[1].median(stage) / pair[0].median(stage)


def _stage(latencies_ms: dict[str, float], stage: str) -> float:
    return latencies_ms["seen_to_sent"] + latencies_ms["submit"] if stage == "whole" else latencies_ms[stage]


async def _leg(door: DoorClient, users: Traffic, ledger: LedgerReader, readers: Readers | None) -> Leg:
    if readers is not None:
        readers.say("on")
        await asyncio.sleep(0.5)
    began_s = time.time()
    for index in range(ATTEMPTS):
        with contextlib.suppress(DoorError):
            await wanted_swap(users, index)
        await asyncio.sleep(SETTLE_S)
        await door.admin("devnet_slot")
        await asyncio.sleep(SETTLE_S)
    served = await readers.stopped() if readers is not None else None
    await asyncio.sleep(SETTLE_S)
    measured = [each.latencies_ms for each in ledger.attempts(began_s)]
    whole = [dict(each) for each in measured if {"submit", *DECIDED, "seen_to_sent"} <= set(each)]
    assert len(whole) >= ATTEMPTS // 2, (len(whole), len(measured))
    return Leg(whole, served)


class Readers:
    """The flood of `api_flood`, as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")

    async def stopped(self) -> dict[str, Any]:
        """Stop asking; return what was served."""
        self.say("off")
        assert self._process.stdout is not None
        async with asyncio.timeout(10):
            served: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return served


@contextlib.asynccontextmanager
async def _readers(socket: Path, port: int | None) -> AsyncIterator[Readers]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.api_flood", str(socket), str(port), str(READS_PER_S),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    try:
        yield Readers(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
