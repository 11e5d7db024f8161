"""Every wei: random traffic, gifts, top-ups and withdrawals, and the ledger explains each balance change."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jitctl.devnet.proof import Proof
from jitctl.devnet.reorg import ReorgMode
from jitctl.devnet.traffic import Kind
from jitctl.domain.records import ETH, FlowKind, Outcome
from jitctl.errors import NodeError
from tests.conftest import FULL

SWAPS = 70 if not FULL else 600
SWAPS_A_BLOCK = 3
ETHER = 10**18
UNWRAP_WETH9 = bytes.fromhex("49404b7c")
"""`unwrapWETH9(uint256 amountMinimum, address recipient)` of the router: all its wrapped ether, to anyone."""


async def _gifts(world: Any) -> list[tuple[FlowKind, str, str, int]]:
    """Let others and the owner move our balances; return the flows that must be named so."""
    net, tokens = world.net, world.net.uniswap.tokens
    giver, owner, operator = net.people.users[0], net.people.owner, net.people.operators[1].address
    executor = net.executor

    async def give(account: Any, symbol: str, amount: int) -> None:
        await world.send(account, tokens[symbol].address, world.token_abi.call("transfer", executor, amount))

    await give(giver, "WETH", 3 * 10**15)
    await give(giver, "USDT", 1_234_567)
    await give(giver, "TAX", 10_000)
    await world.send(giver, operator, wei=2 * 10**16)
    await world.send(owner, operator, wei=ETHER)
    # Ether out of a contract, as from a safe: no transaction goes to the operator.
    router = net.uniswap.routers["v3"]
    await world.send(giver, tokens["WETH"].address, world.token_abi.call("transfer", router, 4 * 10**15))
    await world.send(giver, router, UNWRAP_WETH9 + bytes(44) + bytes.fromhex(operator[2:]))
    for symbol, amount in (("DAI", 5 * ETHER), ("WETH", 7)):
        away = world.executor_abi.call("withdraw", tokens[symbol].address, amount, owner.address)
        await world.send(owner, executor, away)
    return [
        (FlowKind.DONATION, executor, tokens["WETH"].address, 3 * 10**15),
        (FlowKind.DONATION, executor, tokens["USDT"].address, 1_234_567),
        # This token keeps 1% of what is sent: what arrived counts.
        (FlowKind.DONATION, executor, tokens["TAX"].address, 9_900),
        (FlowKind.DONATION, operator, ETH, 2 * 10**16),
        (FlowKind.DEPOSIT, operator, ETH, ETHER),
        (FlowKind.TRANSFER, operator, ETH, 4 * 10**15),
        (FlowKind.WITHDRAWAL, executor, tokens["DAI"].address, -5 * ETHER),
        (FlowKind.WITHDRAWAL, executor, tokens["WETH"].address, -7),
    ]


async def _trade_oddly(world: Any) -> None:
    """Make sure of what chance may leave out: tokens that tax or block, a delegation, a late deadline."""
    seen = await world.pending_seen()
    await world.users.swap("WETH/TAX-0.3%", amount_in=25 * ETHER, slippage_bps=300, user=0)
    await world.users.swap("WETH/BLK-0.3%", amount_in=25 * ETHER, slippage_bps=300, user=1, tx_type=4)
    await world.users.swap("WETH/USDC-0.3%", amount_in=40 * ETHER, user=2, kind=Kind.EXPIRED)
    await world.users.swap("WETH/DAI-0.3%", amount_in=40 * ETHER, user=4, kind=Kind.REPLACED, gas_factor=1.8)
    await world.has_judged(seen + 5)
    await world.net.slot()


async def _trade(world: Any) -> None:
    """Send a few random swaps and build a block once the bot has had its say."""
    before = len(world.users.sent)
    seen = await world.pending_seen()
    for _ in range(SWAPS_A_BLOCK):
        try:
            await world.users.random_swap()
        except NodeError:
            continue  # the pool or the market refuses it, as it would from anyone
    await world.has_judged(seen + len(world.users.sent) - before)
    await world.net.slot()


async def test_every_balance_change_under_random_traffic_is_explained_to_the_wei(world: Any) -> None:
    expected: list[tuple[FlowKind, str, str, int]] = []
    given_at = SWAPS // 2
    await _trade_oddly(world)
    while len(world.users.sent) < SWAPS:
        if not expected and len(world.users.sent) >= given_at:
            # In the same blocks as JITs, in and out.
            expected = await _gifts(world)
        await _trade(world)
    proof: Proof = await world.prove(await world.settle_and_stop())
    _say(world, proof)
    assert proof.problems == []
    assert [jit.problems for jit in proof.landed if jit.problems] == []
    assert len(proof.landed) >= SWAPS // 10
    assert all(change > 0 for jit in proof.landed for change in jit.victim_gain.values())

    flows = Counter((flow.kind, flow.account, flow.token, flow.amount) for flow in proof.balances.flows)
    assert flows == Counter(expected)
    in_ledger = [attempt for attempt in world.sent_attempts() if attempt.outcome is Outcome.LANDED]
    assert len(in_ledger) == len(proof.landed)
    by_burn = {attempt.burn_tx: attempt.result for attempt in in_ledger}
    for jit in proof.landed:
        result = by_burn[jit.burn_hash]
        assert (result.amounts.tip_wei, result.gas_wei) == (jit.tip_wei, jit.gas_wei)
        assert (result.amounts.fees0, result.amounts.fees1) == (jit.fees0, jit.fees1)
    assert await world.open_pools() == []
    in_taxed = [
        a for a in world.sent_attempts() if a.record.pool == world.net.uniswap.pool("WETH/TAX-0.3%").address
    ]
    assert in_taxed == [], "a pool that cannot be paid in full"


async def test_what_moved_while_the_bot_was_down_is_named_when_it_is_back(world: Any) -> None:
    await world.jit_block()
    await world.bot.verb("stop", "--reason", "maintenance")
    expected = await _gifts(world)
    for _ in range(4):
        await world.net.slot()
    # A reorg that nobody saw: the gifts are mined again, in other blocks.
    await world.reorg(3, ReorgMode.SAME, blocks=4)
    await world.net.slot()
    await world.bot.verb("start", "--mode", "production", "--yes", "--force", "--reason", "go on")
    await world.in_step()
    await world.jit_block()

    async def caught_up() -> bool:
        return (await world.figures())["counts"]["happenings"]["gap_blocks"] >= 5

    await world.until("the missing blocks are read", caught_up)
    proof: Proof = await world.prove(await world.settle_and_stop())
    assert proof.problems == []
    assert len(proof.landed) == 2
    flows = Counter((flow.kind, flow.account, flow.token, flow.amount) for flow in proof.balances.flows)
    assert flows == Counter(expected)


async def test_ether_that_could_not_be_read_for_a_while_is_named_all_the_same(world: Any) -> None:
    await world.jit_block()
    await world.in_step()
    fault = {"view": "node", "fault": "error", "methods": ["eth_getBalance"]}
    await world.door.admin("devnet_fault", **fault)
    expected = await _gifts(world)
    for _ in range(5):
        before = (await world.figures())["counts"]["happenings"]["node_errors"]
        await world.net.slot()

        async def refused(before: int = before) -> bool:
            return (await world.figures())["counts"]["happenings"]["node_errors"] > before

        await world.until("a reading is refused", refused)
    await world.door.admin("devnet_clearFaults", view="node")
    await world.net.slot()
    await world.in_step()
    await world.jit_block()
    proof: Proof = await world.prove(await world.settle_and_stop())
    assert proof.problems == []
    assert len(proof.landed) == 2
    flows = Counter((flow.kind, flow.account, flow.token, flow.amount) for flow in proof.balances.flows)
    assert flows == Counter(expected)


def _say(world: Any, proof: Proof) -> None:
    kinds = Counter(str(swap.kind) for swap in world.users.sent)
    pools = Counter(pool for swap in world.users.sent for pool in swap.pools)
    types = Counter(swap.tx_type for swap in world.users.sent)
    print(f"{len(world.users.sent)} swaps: {dict(kinds)}, types {dict(types)}, {dict(pools)}")
    print(f"{len(proof.landed)} landed, {proof.balances.compared} balances in {proof.balances.blocks} blocks")
