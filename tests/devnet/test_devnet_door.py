"""The door as a node: what it offers, what it does not, subscriptions, time and base fee."""

from __future__ import annotations

import aiohttp
import orjson
import pytest
from eth_utils import keccak

from jitctl.devnet.calldata import Interface
from jitctl.devnet.chain_record import next_base_fee_wei
from jitctl.devnet.door_client import DoorClient, DoorError
from jitctl.devnet.fixtures import fixture
from tests.devnet.door_people import GWEI, SINK

TOKEN, BURNER, FEED = (Interface(fixture(name)["abi"]) for name in ("TestToken", "GasBurner", "PriceFeed"))


async def test_anvils_powers_and_unlocked_accounts_are_not_offered(door):
    assert await door.call("eth_accounts") == []
    for method in (
        "anvil_setBalance", "evm_mine", "hardhat_setCode", "eth_sendTransaction", "eth_sign", "personal_sign",
        "eth_newPendingTransactionFilter", "eth_newFilter", "anvil_nodeInfo", "debug_setHead",
        "eth_sendBundle", "devnet_slot", "no_such",
    ):  # fmt: skip
        with pytest.raises(DoorError) as caught:
            await door.call(method)
        assert caught.value.rpc_code == -32601, method


async def test_batches_ids_and_bad_requests(net):
    url = net.manifest.rpc_url
    async with aiohttp.ClientSession() as session:

        async def post(data):
            async with session.post(url, data=data) as response:
                return response.status, orjson.loads(await response.read())

        batch = [
            {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
            {"jsonrpc": "2.0", "id": None, "method": "eth_blockNumber", "params": []},
            {"jsonrpc": "2.0", "id": 3, "method": "nope", "params": []},
            17,
        ]
        _, replies = await post(orjson.dumps(batch))
        assert [reply["id"] for reply in replies] == ["a", None, 3, None]
        assert replies[0]["result"] == "0x7a69"
        assert replies[2]["error"]["code"] == -32601
        assert replies[3]["error"]["code"] == -32600
        assert (await post(b"{"))[0] == 400
        assert (await post(b"[]"))[1]["error"]["code"] == -32602
        assert (await post(b'{"id":1,"method":"eth_call","params":{}}'))[1]["error"]["code"] == -32602
        async with session.get(url) as response:
            assert response.status == 405
        async with session.post(url.rstrip("/") + "/admin/guess", data=b"{}") as response:
            assert response.status == 404


async def test_three_dependent_calls_are_simulated_on_the_coming_block(door, net):
    """Mint, approve, transferFrom: each needs the one before it; the block overrides are seen by all."""
    dai, user = net.uniswap.tokens["DAI"].address, net.people.users[0].address
    other = "0x" + "ab" * 20
    head = net.chain.head
    overrides = {
        "number": hex(head.number + 1),
        "time": hex(head.timestamp_s + 12),
        "feeRecipient": net.people.builder.address,
        "baseFeePerGas": hex(next_base_fee_wei(head.block)),
    }
    calls = [
        {"from": other, "to": dai, "data": TOKEN.call("mint", other, 500)},
        {"from": other, "to": dai, "data": TOKEN.call("approve", user, 500)},
        {"from": user, "to": dai, "data": TOKEN.call("transferFrom", other, SINK, 500)},
    ]
    request = {"blockStateCalls": [{"blockOverrides": overrides, "calls": calls}]}
    (block,) = await door.call("eth_simulateV1", request, "latest")
    assert [call["status"] for call in block["calls"]] == ["0x1"] * 3
    assert int(block["number"], 16) == head.number + 1
    alone = {"blockStateCalls": [{"blockOverrides": overrides, "calls": calls[2:]}]}
    (block,) = await door.call("eth_simulateV1", alone, "latest")
    assert block["calls"][0]["status"] == "0x0"


async def test_subscribers_hear_bodies_hashes_heads_and_their_logs(door, net, people, connect):
    full, bare = await connect(), await connect()
    dai, usdc = net.uniswap.tokens["DAI"].address, net.uniswap.tokens["USDC"].address
    transfer = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
    await full.subscribe("newPendingTransactions", True)
    await full.subscribe("newHeads")
    await full.subscribe("logs", {"address": dai, "topics": [[transfer, "0x" + "00" * 32]]})
    await bare.subscribe("newPendingTransactions")
    await bare.subscribe("logs", {"topics": [None, None, "0x" + "00" * 12 + SINK[2:]]})
    data = TOKEN.call("transfer", SINK, 5)
    sent = [
        await people[0].send(to=dai, data=data, gas=100_000, value=0),
        await people[1].send(to=usdc, data=data, gas=100_000, value=0, tip=GWEI // 2),
    ]
    block = await net.slot()
    await full.until(lambda: len(full.of("logs")) == 1)
    await bare.until(lambda: len(bare.of("logs")) == 2)
    assert [body["hash"] for body in full.of("newPendingTransactions")] == sent
    body = full.of("newPendingTransactions")[0]
    assert (body["from"], body["to"], body["input"], body["blockHash"]) == (
        people[0].address,
        dai,
        data,
        None,
    )
    assert {"gas", "nonce", "value", "type", "maxFeePerGas", "maxPriorityFeePerGas", "r", "s", "v"} <= set(
        body
    )
    assert bare.of("newPendingTransactions") == sent
    (head,) = full.of("newHeads")
    assert (head["hash"], head["parentHash"]) == (block.block["hash"], block.block["parentHash"])
    assert "transactions" not in head
    (log,) = full.of("logs")
    assert (log["transactionHash"], log["blockHash"], log["removed"]) == (sent[0], block.block["hash"], False)
    assert [log["address"] for log in bare.of("logs")] == [dai, usdc]


async def test_unsubscribing_ends_it_and_wrong_subscriptions_are_refused(net, people, connect):
    socket = await connect()
    heads = await socket.subscribe("newHeads")
    pending = await socket.subscribe("newPendingTransactions")
    assert await socket.call("eth_unsubscribe", heads) is True
    assert await socket.call("eth_unsubscribe", heads) is False
    for params in (("nonsense",), (), ("logs", "0x"), ("logs", {"address": [5]})):
        with pytest.raises(DoorError):
            await socket.call("eth_subscribe", *params)
    await net.slot()
    sent = await people[0].send()
    await socket.until(lambda: socket.heard)
    assert socket.heard == [("newPendingTransactions", sent)]
    assert pending != heads


async def test_time_base_fee_and_finality_move_as_on_mainnet(door, net, people):
    burner = net.uniswap.gas_burner
    for index in range(12):
        if index % 2:
            data = BURNER.call("burn", 16_000_000)
            await people[0].send(to=burner, data=data, gas=16_500_000, value=0)
        parent = net.chain.head
        block = await net.slot()
        assert block.timestamp_s == parent.timestamp_s + 12
        assert int(block.block["baseFeePerGas"], 16) == next_base_fee_wei(parent.block)
        assert block.block["miner"] == net.people.builder.address
        assert block.block["parentHash"] == parent.block["hash"]
        assert int(block.block["gasLimit"], 16) == 30_000_000
    number = net.chain.head.number
    depths = [
        int((await door.call("eth_getBlockByNumber", tag, False))["number"], 16)
        for tag in ("safe", "finalized")
    ]
    assert depths == [number - 4, number - 8]
    history = await door.call("eth_feeHistory", "0x3", "latest", [])
    assert int(history["baseFeePerGas"][-1], 16) == next_base_fee_wei(net.chain.head.block)


def test_the_base_fee_moves_at_least_one_wei_up_and_by_an_eighth_at_most():
    def after(base_fee, used):
        return next_base_fee_wei(
            {"baseFeePerGas": hex(base_fee), "gasUsed": hex(used), "gasLimit": hex(30_000_000)}
        )

    assert after(7, 15_000_001) == 8
    assert after(7, 15_000_000) == 7
    assert after(800, 30_000_000) == 900
    assert after(800, 0) == 700
    assert after(7, 0) == 7


async def test_slots_can_follow_the_clock_and_be_stopped_again(door, net):
    await door.admin("devnet_setSlotSeconds", seconds=0.05)
    before = net.chain.head
    for _ in range(3):
        await door.admin("devnet_nextBlock")
    assert net.chain.head.number >= before.number + 3
    assert net.chain.head.timestamp_s - before.timestamp_s >= 3
    await door.admin("devnet_setSlotSeconds", seconds=None)
    with pytest.raises(DoorError, match="must be positive"):
        await door.admin("devnet_setSlotSeconds", seconds=-1)


async def test_feeds_have_the_aggregator_shape_and_can_be_set(door, net, people):
    feed, abi = net.uniswap.price_feeds["WETH"], fixture("PriceFeed")["abi"]
    assert await net.read(feed, abi, "decimals") == (8,)
    assert await net.read(feed, abi, "description") == ("ETH / USD",)
    data = FEED.call("set", 2_600 * 10**8)
    await people[0].send(to=feed, data=data, gas=200_000, value=0)
    block = await net.slot()
    round_id, answer, started, updated, answered_in = await net.read(feed, abi, "latestRoundData")
    assert (answer, updated, started) == (2_600 * 10**8, block.timestamp_s, block.timestamp_s)
    assert round_id == answered_in == 3
    assert await net.usd("WETH") == 2_600 * 10**8


async def test_the_port_being_taken_is_said(net, tmp_path):
    from jitctl.devnet.network import Devnet
    from jitctl.errors import Refused

    with pytest.raises(Refused, match="is taken"):
        async with Devnet(tmp_path / "other", port=net.door.port):
            pass


async def test_two_equal_seeds_make_the_same_world(net, tmp_path):
    from jitctl.devnet.network import Devnet

    async with Devnet(tmp_path / "twin") as twin, DoorClient(twin.manifest.rpc_url) as door:
        assert twin.executor == net.executor
        assert [pool.address for pool in twin.uniswap.pools] == [pool.address for pool in net.uniswap.pools]
        assert twin.people.users[0].address == net.people.users[0].address
        assert int(await door.call("eth_blockNumber"), 16) == net.chain.head.number
