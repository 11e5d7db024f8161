"""A devnet, the daemon on it, and the flooding proxy between them: processes of their own, for benchmarks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from jitctl.devnet import running
from jitctl.devnet.demo import Bot
from jitctl.devnet.manifest import Manifest
from jitctl.devnet.traffic import Traffic

Row = dict[str, Any]
REPOSITORY = Path(__file__).parent.parent.parent
POOL = "WETH/USDC-0.05%"
ROUTERS = ("v3", "02", "universal")


@contextlib.asynccontextmanager
async def devnet(folder: Path, seed: str) -> AsyncIterator[Manifest]:
    """Run a devnet whose slots come when they are asked for."""
    manifest = await asyncio.to_thread(
        running.start_detached, folder, ["--slot-seconds", "0", "--seed", seed]
    )
    try:
        yield manifest
    finally:
        await asyncio.to_thread(running.stop, folder)


@contextlib.asynccontextmanager
async def started_bot(manifest: Manifest) -> AsyncIterator[tuple[Bot, Path]]:
    """Run the daemon in production mode; yields it and its data folder."""
    config = Path(manifest.data["configDir"])
    bot = Bot(config)
    try:
        await bot.verb("start", "--mode", "production", "--yes", "--force", "--reason", "benchmark")
        yield bot, config.parent / "data"
    finally:
        await bot.ensure_gone()


@contextlib.asynccontextmanager
async def proxied(
    manifest: Manifest, swap: Any, *, count: int, per_s: int
) -> AsyncIterator[asyncio.StreamReader]:
    """Put the flooding proxy between bot and door, in the bot's own configuration."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.flood_proxy",
        manifest.data["wsUrl"], str(count), str(per_s), json.dumps(swap),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        port = json.loads(await process.stdout.readline())["port"]
        config = Path(manifest.data["configDir"]) / "jitctl.toml"
        config.write_text(config.read_text().replace(manifest.data["wsUrl"], f"ws://127.0.0.1:{port}/"))
        yield process.stdout
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()


async def wanted_swap(users: Traffic, index: int) -> None:
    """Send a swap that is worth an attempt: sell WETH, then buy as much back, by each router in turn."""
    weth, router, buys = 60 * 10**18, ROUTERS[index // 2 % 3], index % 2 == 1
    await users.swap(
        POOL,
        amount_in=None if buys else weth,
        amount_out=weth if buys else None,
        token_in="USDC" if buys else "WETH",
        router=router,
        slippage_bps=300,
    )


async def small_swap(users: Traffic) -> str:
    """Send a swap that is worth nothing and return its hash."""
    return await users.swap(POOL, amount_in=10**15, token_in="WETH", router="v3")


def pending_seen(status: dict[str, Any]) -> int:
    """Return how many pending transactions the engine's feed has read, as of its last figures."""
    return int(status["figures"]["counts"]["pending_feed"]["seen"])


def row(name: str, samples: Sequence[float], unit: str, goal: str = "", note: str = "") -> Row:
    """Return the median and the 99th percentile of samples as a row of the report."""
    ordered = sorted(samples)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {
        "name": name, "p50": round(statistics.median(ordered), 3), "p99": round(p99, 3), "unit": unit,
        "goal": goal, "note": note,
    }  # fmt: skip


def one(name: str, value: float, unit: str, goal: str = "", note: str = "") -> Row:
    """Return a single figure as a row of the report."""
    return {"name": name, "p50": value, "p99": None, "unit": unit, "goal": goal, "note": note}
