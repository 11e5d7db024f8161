"""The runbook's configuration procedures on the devnet: edit, validate, back up, apply live, verify, recover.

The bot trades in production all the while; slots are built by the test, so that "the very next swap" is one.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from jitctl.errors import ConfigError, JitError
from tests.e2e.conftest import World, running_world

ADDED, REMOVED = "WETH/DAI-0.3%", "WETH/WBTC-0.05%"
KEPT = "WETH/USDC-0.05%"


def pools_of(config: Path) -> dict[str, dict[str, Any]]:
    return {pool["name"]: pool for pool in tomllib.loads((config / "pools.toml").read_text())["pools"]}


def write_pools(config: Path, pools: dict[str, dict[str, Any]]) -> None:
    (config / "pools.toml").write_text(tomli_w.dumps({"pools": list(pools.values())}))


@pytest.fixture
async def without_added(tmp_path: Path, rng: random.Random) -> AsyncIterator[tuple[World, dict[str, Any]]]:
    """A bot that was started without one pool, and that pool as it may be configured."""
    left_out: dict[str, Any] = {}

    def leave_out(config: Path) -> None:
        pools = pools_of(config)
        left_out.update(pools.pop(ADDED))
        write_pools(config, pools)

    async with running_world(tmp_path / "net", rng, leave_out) as running:
        yield running, left_out


async def taken(world: World, pool: str) -> bool:
    """Let a user make one swap that is worth it; whether the bot bundles it. The block is built."""
    seen = await world.pending_seen()
    victim = await world.big_swap(pool)
    bundled = await world.bundle_for(victim, seen)
    await world.net.slot()
    await world.in_step()
    return bundled


def shown(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in status["pools"]}


@pytest.mark.runbook("CONF-1", "CONF-2", "CONF-3", "CONF-4", "DAY-6")
async def test_pool_configuration_changes(without_added: tuple[World, dict[str, Any]]) -> None:
    world, left_out = without_added
    config, bot = world.net.folder / "config", world.bot
    before = await world.status()
    assert not await taken(world, ADDED)
    assert ADDED not in shown(await bot.verb("pool-status"))

    # 1. validate, 2. back up, 3. apply live, 4. verify
    pools = pools_of(config)
    write_pools(config, {**pools, ADDED: left_out})
    assert (await bot.verb("validate-config", str(config / "pools.toml")))["valid"] is True
    await bot.verb("backup", "config")
    await bot.verb("reload-pools", "--reason", "one pool more")
    assert await taken(world, ADDED), "the very next swap in a pool that was added"
    row = shown(await bot.verb("pool-status"))[ADDED]
    assert (row["enabled"], row["healthy"]) == (True, True)
    assert int(row["liquidity"]) > 0

    # The other way round, with a swap of the pool that goes still waiting in the mempool.
    seen = await world.pending_seen()
    waiting = await world.big_swap(REMOVED)
    assert await world.bundle_for(waiting, seen)
    pools = pools_of(config)
    del pools[REMOVED]
    write_pools(config, pools)
    await bot.verb("reload-pools", "--reason", "one pool less")
    sent = {each.record.attempt_id for each in world.sent_attempts()}
    await world.net.slot()
    await world.in_step()
    for _ in range(2):
        assert not await taken(world, REMOVED), "a swap in a pool that was removed"
    assert await taken(world, KEPT)
    removed = world.net.uniswap.pool(REMOVED).address
    late = [each for each in world.sent_attempts() if each.record.attempt_id not in sent]
    assert removed not in {each.record.plan.pool for each in late}
    after = await world.status()
    assert after["generation"] == before["generation"] + 2
    assert after["configHash"] != before["configHash"]

    # Disabled is told apart from removed.
    pools[KEPT]["enabled"] = False
    write_pools(config, pools)
    await bot.verb("reload-pools")
    row = shown(await bot.verb("pool-status"))[KEPT]
    assert row["enabled"] is False
    assert row["reason"]
    assert not await taken(world, KEPT)

    # What was sent for the pool that went is followed to its end, and the books agree to the wei.
    proof = await world.prove(await world.settle_and_stop())
    assert proof.holds, proof
    assert any(each.record.plan.pool == removed for each in world.sent_attempts())


@pytest.mark.runbook("CONF-5", "CONF-6", "DAY-7")
async def test_strategy_parameter_updates(world: World) -> None:
    config, bot = world.net.folder / "config", world.bot
    file = config / "strategy.toml"
    assert await taken(world, KEPT)
    whole = file.read_text()
    strategy = tomllib.loads(whole)
    strategy["limits"]["min_profit_wei"] = "100 ether"
    strategy["limits"]["max_notional_wei"] = "1000 ether"
    file.write_text(tomli_w.dumps(strategy))
    assert (await bot.verb("validate-strategy-config"))["valid"] is True
    with pytest.raises(JitError):  # exit code 1: they differ
        await bot.verb("config", "diff")
    reloaded = await bot.verb("reload-strategy", "--reason", "only the best")
    assert reloaded["changed"] is True
    assert not await taken(world, KEPT)
    same = await bot.verb("config", "diff")
    assert not same["differences"]
    # 4. its effect is in the log
    decisions = [
        said
        for line in (world.net.folder / "logs" / "jit-bot.log").read_text().splitlines()
        if (said := json.loads(line))["event"] == "strategy_decision"
    ]
    assert (decisions[-1]["decision"], decisions[-1]["reason"]) == ("skip", "too_small")

    # Back to what was, in one command.
    rolled_back = await bot.verb("config", "rollback", "--yes", "--reason", "too strict")
    assert rolled_back["reload"]["changed"] is True
    assert tomllib.loads(file.read_text()) == tomllib.loads(whole)
    assert await taken(world, KEPT)
    await bot.verb("config", "diff")


@pytest.mark.runbook("REC-1", "CONF-2", "DAY-7")
async def test_configuration_recovery(world: World) -> None:
    config, bot = world.net.folder / "config", world.bot
    before = await world.status()
    await bot.verb("backup", "config")
    texts = {path.name: path.read_bytes() for path in config.glob("*.toml")}
    (config / "pools.toml").write_bytes(texts["pools.toml"][:-40])
    (config / "strategy.toml").unlink()
    with pytest.raises(ConfigError, match=r"pools\.toml"):
        await bot.verb("reload-pools")
    assert await taken(world, KEPT), "the old configuration goes on"
    await bot.verb("restore", "config", "--yes", "--reason", "they were broken")
    assert {path.name: path.read_bytes() for path in config.glob("*.toml")} == texts
    assert (await bot.verb("validate-config"))["valid"] is True
    await bot.verb("config", "diff")
    assert (await bot.verb("reload-pools"))["changed"] is False
    after = await world.status()
    assert (after["configHash"], after["generation"]) == (before["configHash"], before["generation"])
    assert await taken(world, KEPT)
