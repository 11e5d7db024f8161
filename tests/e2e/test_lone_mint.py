"""A mint that lands without its burn: the bot closes it for real, counts it, and trades on."""

from __future__ import annotations

from typing import Any

from jitctl.domain.records import Outcome

POOL = "WETH/USDC-0.05%"


async def mint_without_its_burn(world: Any) -> str:
    """Leak the mint of a waiting bundle to the public pool, with its victim replaced; return its hash."""
    seen = await world.pending_seen()
    victim = await world.big_swap(POOL)
    assert await world.bundle_for(victim, seen)
    entry = next(
        entry
        for entry in reversed(world.net.chain.bundles.entries())
        if victim in [tx.hash for tx in entry.bundle.txs]
    )
    mint, swap, _ = entry.bundle.txs
    user = next(user for user in world.net.people.users if user.address == swap.sender)
    await world.send(user, user.address, nonce=swap.nonce, tip=50 * 10**9)
    await world.until("the bot cancels its bundle", lambda: entry.outcome.state == "cancelled")
    # Its tip is zero, which no pool takes from a sender: as after a reorg, it is there all the same.
    await world.net.chain.read_states({mint.sender})
    assert world.net.chain.reinject([mint]) == [mint]
    await world.net.slot()
    return mint.hash


async def shown(world: Any, positions: int) -> bool:
    return len((await world.figures())["openPositions"]) == positions


async def test_a_lone_mint_is_closed_in_public_and_belongs_to_its_attempt(world: Any) -> None:
    mint = await mint_without_its_burn(world)
    receipt = await world.door.call("eth_getTransactionReceipt", mint)
    assert receipt is not None
    assert receipt["status"] == "0x1"
    assert await world.open_pools() == [POOL]

    async def close_waits() -> bool:
        operators = {account.address for account in world.net.people.operators}
        return bool(operators & set(world.net.chain.mempool.senders()))

    await world.until("the bot's close in the public pool", close_waits)
    await world.until("status names it", lambda: shown(world, 1))
    # Nothing is opened meanwhile: the executor would refuse it.
    held = await world.big_swap("WETH/DAI-0.3%")
    await world.net.slot()
    assert await world.open_pools() == []
    await world.in_step()

    def closed() -> Any:
        lone = [attempt for attempt in world.sent_attempts() if attempt.mint_tx == mint]
        return lone[0] if lone and lone[0].result is not None and lone[0].result.close_tx else None

    attempt = await world.until("the close is booked", closed)
    assert (attempt.outcome, attempt.reason) == (Outcome.REVERTED, "lone_mint")
    amounts = attempt.result.amounts
    plan = attempt.record.plan
    assert (amounts.minted0, amounts.minted1) == (plan.expected_mint0, plan.expected_mint1)
    assert 0 <= amounts.minted0 - amounts.collected0 <= 1
    assert 0 <= amounts.minted1 - amounts.collected1 <= 1
    assert (amounts.fees0, amounts.fees1, amounts.tip_wei) == (0, 0, 0)
    await world.until("status shows none", lambda: shown(world, 0))
    assert held not in [attempt.record.plan.victim_hash for attempt in world.sent_attempts()]

    victim = await world.jit_block("WETH/DAI-0.3%")
    await world.ledger_agrees()
    landed = [each for each in world.sent_attempts() if each.outcome is Outcome.LANDED]
    assert [each.record.plan.victim_hash for each in landed] == [victim]
    proof = await world.prove(await world.settle_and_stop())
    assert proof.problems == []


async def test_a_close_that_is_mined_after_the_engine_was_killed_is_ours(world: Any) -> None:
    mint = await mint_without_its_burn(world)
    operators = {account.address for account in world.net.people.operators}
    await world.until(
        "the bot's close in the public pool", lambda: operators & set(world.net.chain.mempool.senders())
    )
    await world.kill_engine()
    for _ in range(3):
        await world.net.slot()
    assert await world.open_pools() == []
    status = await world.bot.verb("start", "--mode", "production", "--yes", "--force", "--reason", "killed")
    assert (status["state"], "without stopping" in status["reason"]) == ("PAUSED", True)
    await world.bot.verb("resume", "--yes", "--reason", "all is well")

    def closed() -> bool:
        lone = [attempt for attempt in world.sent_attempts() if attempt.mint_tx == mint]
        return bool(lone and lone[0].result is not None and lone[0].result.close_tx)

    await world.until("the close is booked", closed)
    await world.jit_block("WETH/DAI-0.3%")
    await world.ledger_agrees()
    proof = await world.prove(await world.settle_and_stop())
    assert proof.problems == []
    assert proof.balances.flows == []
