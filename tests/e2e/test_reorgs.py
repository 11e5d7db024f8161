"""Reorgs as mainnet shows them, under a bot that has landed JITs in the blocks that go."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from jitctl.chain.blocks import BlockFeed
from jitctl.chain.pool_state import load_pool
from jitctl.chain.pools import ChainPoolBook
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.devnet.calldata import Interface
from jitctl.devnet.door_client import DoorClient
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.network import Devnet
from jitctl.devnet.reorg import ReorgMode
from jitctl.devnet.traffic import Traffic
from jitctl.devnet.user_wallet import Fees, Order, sign_order
from jitctl.domain.chain import ChainMoved
from jitctl.domain.records import FlowKind, Outcome
from jitctl.errors import NodeError
from tests.conftest import FULL

GWEI = 10**9
DEPTHS = range(1, 8)
REORGS_IN_PROCESS = 32 if not FULL else 200
REORGS_OF_THE_DAEMON = 12 if not FULL else 56


def depths_and_modes(rng: random.Random, count: int) -> list[tuple[int, ReorgMode]]:
    """Every depth and every mode from 7 on, all pairs of them from 28 on, in random order."""
    depths, modes = list(DEPTHS), list(ReorgMode)
    rng.shuffle(depths)
    rng.shuffle(modes)
    # Seven depths and four modes have no common divisor: 28 steps meet every pair once.
    chosen = [(depths[step % len(depths)], modes[step % len(modes)]) for step in range(count)]
    rng.shuffle(chosen)
    return chosen


# -- snapshots ---------------------------------------------------------------------------------------------


async def _change_liquidity(
    net: Devnet, door: DoorClient, rng: random.Random, held: list[tuple[Any, ...]]
) -> None:
    """Let somebody open a position around the price, or close one that was opened so."""
    provider = Interface(fixture("LiquidityProvider")["abi"])
    user = net.people.users[-1]
    if held and rng.random() < 0.4:
        pool, position = held.pop(rng.randrange(len(held)))
        data = provider.call("remove", pool, [position])
    else:
        spec = rng.choice(net.uniswap.pools)
        slot0 = await net.read(spec.address, _POOL_ABI, "slot0")
        centre = slot0[1] // spec.tick_spacing
        position = (
            (centre - rng.randint(0, 5)) * spec.tick_spacing,
            (centre + rng.randint(1, 6)) * spec.tick_spacing,
            rng.randint(10**12, 10**15),
        )
        held.append((spec.address, position))
        data = provider.call("provide", spec.address, [position])
    nonce = int(await door.call("eth_getTransactionCount", user.address, "pending"), 16)
    order = Order(
        2,
        nonce,
        net.manifest.at("liquidityProvider"),
        data,
        0,
        900_000,
        Fees(20 * GWEI, rng.randint(1, GWEI)),
    )
    await door.call("eth_sendRawTransaction", sign_order(user.private_key, net.manifest.chain_id, order))


_POOL_ABI = [
    {
        "type": "function",
        "name": "slot0",
        "stateMutability": "view",
        "inputs": [],
        "outputs": [
            {"type": kind, "name": ""}
            for kind in ("uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool")
        ],
    }
]


async def test_snapshots_stay_equal_to_the_chain_through_random_reorgs(
    tmp_path: Path, rng: random.Random
) -> None:
    """Price, liquidity and every tick of every pool, after every move of the head; one load, no repair."""
    seed = rng.randrange(2, 1 << 30)
    async with (
        Devnet(tmp_path / "net", None, seed) as net,
        Traffic(net.manifest.rpc_url, net.manifest, seed) as users,
        DoorClient(net.manifest.rpc_url, net.manifest.admin_url) as door,
        NodePool([NodeEndpoint("door", net.manifest.rpc_url, net.manifest.data["wsUrl"])], 31337) as nodes,
    ):
        specs = net.uniswap.pools
        feed = BlockFeed(nodes, executor=net.executor, pools=[spec.address for spec in specs])
        book = ChainPoolBook(nodes)
        held: list[tuple[Any, ...]] = []
        changed = reorged_logs = 0

        async def follow() -> ChainMoved:
            nonlocal changed
            moved = await feed.advance()
            assert moved is not None
            before = book.pools()
            await book.apply(moved)
            assert moved.head.hash == net.chain.head.block["hash"]
            for spec in specs:
                assert book.pools()[spec.address] == await load_pool(nodes, spec, moved.head.hash), spec.name
                changed += book.pools()[spec.address] != before.get(spec.address)
            return moved

        await feed.advance()
        await book.load(specs, feed.tip())
        for depth, mode in depths_and_modes(rng, REORGS_IN_PROCESS):
            for _ in range(rng.randint(1, 2) if net.chain.record.reach >= depth else depth):
                for _ in range(rng.randint(1, 2)):
                    await _random_trade(users)
                if rng.random() < 0.5:
                    await _change_liquidity(net, door, rng, held)
                await net.slot()
                if net.chain.head.number > book.head().number + rng.randint(0, 2):
                    await follow()
            await follow() if book.head().hash != net.chain.head.block["hash"] else None
            reorged_logs += sum(len(net.chain.record.behind(back).receipts) for back in range(depth))
            await net.reorg(depth, mode=mode, blocks=depth + rng.choice((0, 0, 0, 1, 2)))
            moved = await follow()
            assert len(moved.removed) == depth
        print(f"{REORGS_IN_PROCESS} reorgs, {changed} snapshots changed, {reorged_logs} receipts went")
        counts = book.counters.snapshot()
        assert counts["loads"] == len(specs), "a pool had to be read again"
        assert counts["inconsistent"] == counts["mismatch"] == counts["resyncs"] == 0
        assert counts["rollbacks"] == REORGS_IN_PROCESS
        assert changed > REORGS_IN_PROCESS


async def _random_trade(users: Traffic) -> None:
    try:
        await users.random_swap()
    except NodeError:
        return  # the pool refuses it, as it would from anyone


# -- the daemon --------------------------------------------------------------------------------------------


async def test_landed_jits_survive_or_fall_with_their_blocks(world: Any) -> None:
    """The ledger follows the chain through every reorg, the executor stays flat, and the proof holds."""
    undone = {Outcome.LANDED: 0, Outcome.MISSED: 0, Outcome.REVERTED: 0}
    gifts: set[str] = set()
    # In the last one the older of two JITs certainly lands again.
    reorgs = [*depths_and_modes(world.rng, REORGS_OF_THE_DAEMON - 1), (2, ReorgMode.SAME)]
    for depth, mode in reorgs:
        await world.drain()
        gifts.add(await world.users.give("WETH", world.net.executor, 10**15))
        for _ in range(max(min(depth, 3), depth - world.net.chain.record.reach)):
            await world.jit_block()
        await world.in_step()
        await world.ledger_agrees()
        landed = {
            attempt.record.attempt_id
            for attempt in world.sent_attempts()
            if attempt.outcome is Outcome.LANDED
            and attempt.result.block_number > world.net.chain.head.number - depth
        }
        assert landed, "no JIT is in the blocks that go"
        hashes = {record.block["hash"] for record in await world.reorg(depth, mode)}
        await world.in_step()
        await world.ledger_agrees()
        assert await world.open_pools() == []
        for attempt in world.sent_attempts():
            if attempt.record.attempt_id in landed:
                undone[attempt.outcome] += 1
                assert attempt.result is None or attempt.result.block_hash in hashes
                if attempt.outcome is Outcome.LANDED:
                    # Its mint binds it to its parent, so only the first new block can hold it.
                    assert (await world.door.call("eth_getBlockByHash", attempt.result.block_hash, False))[
                        "parentHash"
                    ] == attempt.record.plan.parent_hash
    await world.drain()
    for _ in range(3):
        await world.jit_block()
    proof = await world.prove(await world.settle_and_stop())
    print(f"{REORGS_OF_THE_DAEMON} reorgs, landed JITs became {undone}; {len(proof.landed)} stand")
    print(f"{proof.balances.compared} balances in {proof.balances.blocks} blocks")
    assert proof.problems == []
    assert [jit.problems for jit in proof.landed if jit.problems] == []
    donations = [flow for flow in proof.balances.flows if flow.kind is FlowKind.DONATION]
    assert {flow.tx_hash for flow in donations} == gifts
    assert len(donations) == len(gifts), "a gift that came back in another block counts once"
    assert {flow.kind for flow in proof.balances.flows} <= {FlowKind.DONATION, FlowKind.GAS}
    assert undone[Outcome.LANDED] > 0
    assert undone[Outcome.REVERTED] > 0
    assert undone[Outcome.MISSED] > 0
    assert len(proof.landed) >= 3


async def _cancel(world: Any, victim: str) -> None:
    """Let the victim's sender replace it by a payment to itself."""
    tx = await world.door.call("eth_getTransactionByHash", victim)
    user = next(user for user in world.net.people.users if user.address == tx["from"].lower())
    await world.send(user, user.address, nonce=int(tx["nonce"], 16), tip=5 * GWEI)


async def _status(world: Any, tx_hash: str) -> str | None:
    receipt = await world.door.call("eth_getTransactionReceipt", tx_hash)
    return None if receipt is None else receipt["status"]


async def _landed(world: Any, victim: str) -> Any:
    """Return the attempt that landed around a victim, once the ledger has it."""
    await world.in_step()
    await world.ledger_agrees()
    (attempt,) = [
        attempt
        for attempt in world.sent_attempts()
        if attempt.record.plan.victim_hash == victim and attempt.outcome is Outcome.LANDED
    ]
    return attempt


async def test_a_lone_mint_opens_only_where_it_was_meant_to_and_is_closed_at_once(world: Any) -> None:
    """Unbundled legs in public: elsewhere the contract refuses them; at their place the bot cleans up."""
    pool = "WETH/USDC-0.05%"
    # Another block, the same chain before it.
    attempt = await _landed(world, await world.jit_block(pool))
    await world.reorg(1, ReorgMode.EMPTY)
    await _cancel(world, attempt.record.plan.victim_hash)
    await world.net.slot()
    assert await _status(world, attempt.mint_tx) == await _status(world, attempt.burn_tx) == "0x0"
    # Its own block number, on another parent.
    await world.net.slot()
    attempt = await _landed(world, await world.jit_block(pool))
    await world.reorg(2, ReorgMode.EMPTY, blocks=1)
    await _cancel(world, attempt.record.plan.victim_hash)
    block = await world.net.slot()
    assert block.number == attempt.record.target_block
    assert await _status(world, attempt.mint_tx) == await _status(world, attempt.burn_tx) == "0x0"
    assert await world.open_pools() == []
    await world.drain()

    # Its own place, but the victim is gone: the mint lands alone.
    attempt = await _landed(world, await world.jit_block(pool))
    await world.reorg(1, ReorgMode.UNBUNDLE, blocks=0)
    await _cancel(world, attempt.record.plan.victim_hash)
    await world.net.slot()
    assert (await _status(world, attempt.mint_tx), await _status(world, attempt.burn_tx)) == ("0x1", "0x0")
    assert await world.open_pools() == [pool]
    await _closed(world)
    first = world.ledger.attempt(attempt.record.attempt_id)
    # The block that holds the close goes, and the close is mined again; it counts once.
    await world.reorg(1, ReorgMode.EMPTY)
    assert await world.open_pools() == [pool]
    await _closed(world)
    again = world.ledger.attempt(attempt.record.attempt_id)
    assert (again.outcome, again.reason) == (Outcome.REVERTED, "lone_mint")
    assert again.result.amounts == first.result.amounts

    await world.jit_block(pool)
    proof = await world.prove(await world.settle_and_stop())
    assert proof.problems == []
    assert [jit.problems for jit in proof.landed] == [()]


async def _closed(world: Any) -> None:
    """Build blocks until the bot's close is mined and accounted for; the newest block holds it."""

    async def close_waits() -> bool:
        operators = {account.address for account in world.net.people.operators}
        return bool(operators & set(world.net.chain.mempool.senders()))

    await world.until("the bot's close is in the public pool", close_waits)
    await world.net.slot()
    assert await world.open_pools() == []

    def accounted() -> bool:
        return any(
            attempt.result is not None and attempt.result.close_tx is not None
            for attempt in world.sent_attempts()
        )

    await world.in_step()
    await world.until("the close is in the ledger", accounted)
