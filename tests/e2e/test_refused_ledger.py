"""The ledger's file is locked by somebody else while a JIT lands: trading pauses, and no wei is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any


async def test_a_ledger_that_is_locked_while_a_jit_lands(world: Any) -> None:
    seen = await world.pending_seen()
    victim = await world.big_swap()
    assert await world.bundle_for(victim, seen)
    with contextlib.closing(sqlite3.connect(world.ledger_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await world.net.slot()

        async def paused() -> bool:
            return (await world.figures())["state"] == "PAUSED"

        await world.until("it pauses", paused)
        assert "ledger" in (await world.figures())["reason"]
        await world.net.slot()
        other.execute("ROLLBACK")
    await world.bot.verb("resume", "--yes", "--reason", "the lock is gone")
    await world.in_step()
    await world.ledger_agrees()
    await world.jit_block()
    proof = await world.prove(await world.settle_and_stop())
    assert proof.problems == []
    assert len(proof.landed) == 2


async def test_a_strangers_nonce_while_the_ledger_is_locked_halts_the_next_start(world: Any) -> None:
    """The block cannot be taken over, so the engine ends and says so; the stolen key is not forgotten."""
    await world.in_step()
    operator = world.net.people.operators[0]
    with contextlib.closing(sqlite3.connect(world.ledger_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await world.net.slot()  # what this block leads to waits for the ledger, and so does what comes next
        await world.send(operator, world.net.people.users[0].address, wei=1)
        await world.net.slot()

        async def ended() -> dict[str, Any] | None:
            status = await world.status()
            return status if status["state"] == "STOPPED" else None

        status = await world.until("the engine ends", ended)
        assert "could not be taken over" in status["reason"]
        assert status["tradingReady"] is False
        other.execute("ROLLBACK")
    await world.bot.verb("start", "--mode", "production", "--yes", "--force", "--reason", "the lock is gone")

    async def halted() -> bool:
        return (await world.figures())["state"] == "HALTED"

    await world.until("it halts", halted)
    assert "moved without us" in (await world.figures())["reason"]
