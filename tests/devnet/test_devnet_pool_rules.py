"""The public pool's rules, through the door."""

from __future__ import annotations

import pytest

from jitctl.devnet.door_client import DoorError
from tests.devnet.door_people import GWEI, hash_of, receipt


async def test_only_a_ten_percent_raise_of_both_fees_replaces(door, net, people):
    user = people[0]
    first = await user.send(nonce=user.nonce, tip=GWEI, max_fee=10 * GWEI)
    for tip, max_fee in ((GWEI * 109 // 100, 11 * GWEI), (2 * GWEI, 10 * GWEI * 109 // 100)):
        with pytest.raises(DoorError, match="replacement transaction underpriced"):
            await user.send(nonce=user.nonce, tip=tip, max_fee=max_fee, value=2)
    second = await user.send(nonce=user.nonce, tip=GWEI * 110 // 100, max_fee=11 * GWEI, value=2)
    assert await door.call("eth_getTransactionByHash", first) is None
    assert (await door.call("eth_getTransactionByHash", second))["blockHash"] is None
    block = await net.slot()
    assert block.block["transactions"] == [second]


async def test_a_nonce_gap_waits_unannounced_until_it_is_filled(door, net, people, connect):
    user, socket = people[0], await connect()
    await socket.subscribe("newPendingTransactions")
    await socket.subscribe("newHeads")
    late = await user.send(nonce=user.nonce + 2)
    middle = await user.send(nonce=user.nonce + 1)
    assert await door.call("eth_getTransactionCount", user.address, "pending") == hex(user.nonce)
    status = await door.call("txpool_status")
    assert status == {"pending": "0x0", "queued": "0x2"}
    await net.slot()
    await socket.until(lambda: socket.of("newHeads"))
    assert socket.of("newPendingTransactions") == []
    first = await user.send(nonce=user.nonce)
    await socket.until(lambda: len(socket.of("newPendingTransactions")) == 3)
    assert socket.of("newPendingTransactions") == [first, middle, late]
    assert await door.call("eth_getTransactionCount", user.address, "pending") == hex(user.nonce + 3)
    assert (await net.slot()).block["transactions"] == [first, middle, late]


async def test_what_a_node_refuses_is_refused_in_its_words(door, net, people, stranger):
    user, poor = people[0], await stranger(1, wei=10**15)
    cases = {
        "nonce too low": {"nonce": user.nonce - 1},
        "invalid chain id": {"nonce": user.nonce, "chainId": 1},
        "intrinsic gas too low": {"nonce": user.nonce, "gas": 20_999},
        "max priority fee per gas higher": {"nonce": user.nonce, "tip": 6 * GWEI},
        "gas limit too high": {"nonce": user.nonce, "gas": 2**24 + 1},
        "transaction underpriced": {"nonce": user.nonce, "tip": 0},
    }
    for words, fields in cases.items():
        with pytest.raises(DoorError, match=words):
            await user.send(**fields)
    with pytest.raises(DoorError, match="insufficient funds for gas"):
        await poor.send(value=10**15)
    sent = user.sign(nonce=user.nonce)
    await door.call("eth_sendRawTransaction", sent)
    with pytest.raises(DoorError, match="already known"):
        await door.call("eth_sendRawTransaction", sent)
    for garbage in ("0x", "0x03ff", "hello", 5):
        with pytest.raises(DoorError):
            await door.call("eth_sendRawTransaction", garbage)


async def test_the_costs_of_all_waiting_transactions_must_be_covered(stranger):
    someone = await stranger(1, wei=10**18)
    await someone.send(value=6 * 10**17)
    with pytest.raises(DoorError, match="overshot"):
        await someone.send(value=6 * 10**17)


async def test_blocks_order_by_tip_and_keep_each_sender_in_sequence(door, net, people):
    alice, bob, carol = people[:3]
    low_first = [await alice.send(tip=GWEI // 10), await alice.send(tip=4 * GWEI)]
    middle = await bob.send(tip=GWEI)
    high = await carol.send(tip=2 * GWEI)
    block = await net.slot()
    assert block.block["transactions"] == [high, middle, *low_first]
    assert len(net.chain.mempool) == 0


async def test_a_fee_below_the_base_fee_waits_for_a_cheaper_block(door, net, people):
    base_fee = int(net.chain.head.block["baseFeePerGas"], 16)
    sent = await people[0].send(tip=1, max_fee=base_fee // 2)
    await net.slot()
    assert await receipt(door, sent) is None
    while int(net.chain.head.block["baseFeePerGas"], 16) > base_fee // 2:
        await net.slot()
    assert await receipt(door, sent) is not None


async def test_a_sender_who_cannot_pay_at_its_turn_is_left_out_and_the_block_goes_on(
    door, net, stranger, people
):
    someone = await stranger(1, wei=10**18)
    unpaid = await someone.send(value=9 * 10**17)
    paid = await people[0].send()
    await door.admin("devnet_anvil", method="anvil_setBalance", params=[someone.address, "0x1"])
    assert (await net.slot()).block["transactions"] == [paid]
    assert await door.call("eth_getTransactionByHash", unpaid) is None


async def test_pending_transactions_can_be_looked_up_like_on_a_node(door, net, people):
    raw = people[0].sign()
    sent = await door.call("eth_sendRawTransaction", raw)
    assert sent == hash_of(raw)
    assert await door.call("eth_getRawTransactionByHash", sent) == raw
    assert await door.call("eth_getTransactionReceipt", sent) is None
    content = await door.call("txpool_content")
    assert content["pending"][people[0].address][str(people[0].nonce - 1)]["hash"] == sent
    await net.slot()
    mined = await door.call("eth_getTransactionByHash", sent)
    assert int(mined["blockNumber"], 16) == net.chain.head.number
    assert await door.call("eth_getRawTransactionByHash", sent) == raw
