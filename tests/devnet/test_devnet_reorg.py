"""Reorgs as mainnet shows them."""

from __future__ import annotations

import pytest

from jitctl.devnet.calldata import Interface
from jitctl.devnet.door_client import DoorError
from jitctl.devnet.executor_setup import executor_artifact
from jitctl.devnet.reorg import ReorgMode
from jitctl.devnet.traffic import Traffic
from tests.devnet.door_people import GWEI, receipt
from tests.devnet.jit_by_hand import hashes, jit_bundle


async def landed_jit(net, door, searcher):
    """Land a JIT in a block of its own; return the bundle's raw transactions."""
    pool = net.manifest.pools[0]
    async with Traffic(net.manifest.rpc_url, net.manifest, 3) as traffic:
        victim = await traffic.swap(pool, amount_in=300 * 10**18, gas_factor=1.6, tip_wei=GWEI)
    raw = await door.call("eth_getRawTransactionByHash", victim)
    bundle = await jit_bundle(net, door, pool, raw, tip_wei=10**15)
    await searcher.bundle(bundle, net.chain.head.number + 1)
    block = await net.slot()
    assert block.block["transactions"] == hashes(bundle)
    return bundle


async def test_an_unbundled_jit_comes_back_as_public_transactions(net, door, searcher, connect):
    bundle = await landed_jit(net, door, searcher)
    old = net.chain.head
    socket = await connect()
    await socket.subscribe("newHeads")
    await socket.subscribe("newPendingTransactions")
    await socket.subscribe("logs", {"address": net.executor})
    (new,) = await net.reorg(1)
    assert (new.number, new.block["parentHash"]) == (old.number, old.block["parentHash"])
    assert new.block["hash"] != old.block["hash"]
    mint, victim, burn = hashes(bundle)
    # By tip the victim goes first; what is left of the bundle stands alone behind it and fails.
    assert new.block["transactions"][0] == victim
    assert set(new.block["transactions"]) == {mint, victim, burn}
    assert (await receipt(door, victim))["status"] == "0x1"
    assert (await receipt(door, mint))["blockHash"] == new.block["hash"]
    assert await door.call("eth_getBlockByHash", old.block["hash"], False) is None
    await socket.until(lambda: socket.of("newHeads"))
    removed = [log for log in socket.of("logs") if log["removed"]]
    expected = [log for log in old.logs(removed=True) if log["address"] == net.executor]
    assert removed == expected[::-1]
    assert removed
    assert all(log["blockHash"] == old.block["hash"] for log in removed)
    assert [head["hash"] for head in socket.of("newHeads")] == [new.block["hash"]]


async def test_an_unbundled_mint_can_stay_open(net, door, searcher):
    """In an empty new block everything waits in the pool, in public; the lone legs follow by nonce."""
    bundle = await landed_jit(net, door, searcher)
    (new,) = await net.reorg(1, mode=ReorgMode.EMPTY)
    assert new.block["transactions"] == []
    for tx_hash in hashes(bundle):
        assert (await door.call("eth_getTransactionByHash", tx_hash))["blockHash"] is None
    burn = hashes(bundle)[2]
    operator = net.people.operators[0]
    content = await door.call("txpool_contentFrom", operator.address)
    assert [row["hash"] for row in content["pending"].values()] == [hashes(bundle)[0], burn]


async def test_the_same_transactions_can_land_again_in_other_blocks(net, door, searcher):
    bundle = await landed_jit(net, door, searcher)
    await net.slot()
    old = [net.chain.record.behind(1), net.chain.head]
    # The mint is bound to its parent's hash, which stays; blocks above it are new.
    new = await net.reorg(2, mode=ReorgMode.SAME)
    assert [row.number for row in new] == [row.number for row in old]
    assert new[0].block["transactions"] == hashes(bundle)
    assert [row["status"] for row in new[0].receipts] == ["0x1"] * 3
    assert {row.block["hash"] for row in new}.isdisjoint({row.block["hash"] for row in old})
    interface = Interface(executor_artifact()["abi"])
    position = await door.call(
        "eth_call",
        {"to": net.executor, "data": interface.call("openPosition", net.manifest.pools[0].address)},
        "latest",
    )
    assert interface.result("openPosition", position, 1)[0] is False


async def test_private_transactions_can_be_lost_for_good(net, door, searcher):
    bundle = await landed_jit(net, door, searcher)
    await net.reorg(1, mode=ReorgMode.LOSE)
    mint, victim, burn = hashes(bundle)
    assert await door.call("eth_getTransactionByHash", mint) is None
    assert await door.call("eth_getTransactionByHash", burn) is None
    assert (await net.slot()).block["transactions"] == [victim]


async def test_deep_reorgs_keep_the_chain_linked_and_accounts_right(net, door, people, connect):
    user = people[0]
    for _ in range(5):
        await user.send()
        await net.slot()
    socket = await connect()
    await socket.subscribe("newHeads")
    anchor = net.chain.record.behind(4)
    new = await net.reorg(4, blocks=5)
    await socket.until(lambda: len(socket.of("newHeads")) == 5)
    parent = anchor.block["hash"]
    for head in socket.of("newHeads"):
        assert head["parentHash"] == parent
        parent = head["hash"]
    assert int(await door.call("eth_blockNumber"), 16) == anchor.number + 5
    # All four waited together and the first new block took them all.
    assert len(new[0].block["transactions"]) == 4
    nonce = await door.call("eth_getTransactionCount", user.address, "latest")
    assert int(nonce, 16) == user.nonce
    with pytest.raises(DoorError, match="cannot take back"):
        await door.admin("devnet_reorg", depth=500)


async def test_a_replacement_that_waits_wins_over_the_returning_transaction(net, door, people):
    user = people[0]
    first = await user.send(tip=GWEI)
    await net.slot()
    (new,) = await net.reorg(1, mode=ReorgMode.EMPTY)
    better = await user.send(nonce=user.nonce - 1, tip=2 * GWEI, max_fee=10 * GWEI, value=3)
    assert (await net.slot()).block["transactions"] == [better]
    assert await receipt(door, first) is None
    assert new.block["transactions"] == []
