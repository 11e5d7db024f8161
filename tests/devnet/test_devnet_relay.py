"""Relay and builder: signed requests, bundles whole and in order or not at all, best payment first."""

from __future__ import annotations

import orjson
import pytest

from jitctl.devnet.calldata import Interface
from jitctl.devnet.door_client import DoorError
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.traffic import Traffic
from tests.devnet.door_people import GWEI, hash_of, receipt
from tests.devnet.jit_by_hand import hashes, jit_bundle

ERC20 = Interface(fixture("TestToken")["abi"])


async def outcome(door, bundle_hash):
    rows = [row for row in await door.admin("devnet_bundles") if row["bundleHash"] == bundle_hash]
    return rows[-1]["state"], rows[-1]["reason"]


async def test_requests_must_be_signed_by_who_they_claim(net, searcher, rival):
    params = {"blockNumber": "0x1"}
    for header in ("", "0x0:0x0", f"{searcher.address}:0x" + "00" * 65, searcher.address):
        status, body = await searcher.post("flashbots_getUserStatsV2", params, header=header)
        assert status == 403
        assert orjson.loads(body)["error"]["code"] == -32600
    someone_elses = rival.signature(b"another body")
    assert (await searcher.post("flashbots_getUserStatsV2", params, header=someone_elses))[0] == 403
    status, body = await searcher.post("flashbots_getUserStatsV2", params)
    assert status == 200
    assert orjson.loads(body)["result"]["isHighPriority"] is False


async def test_a_jit_bundle_lands_whole_and_pays_the_builder(net, door, searcher, connect):
    pool = net.manifest.pools[0]
    watcher = await connect()
    await watcher.subscribe("newPendingTransactions")
    await watcher.subscribe("newHeads")
    async with Traffic(net.manifest.rpc_url, net.manifest, 3) as traffic:
        victim = await traffic.swap(pool, amount_in=300 * 10**18, gas_factor=1.6)
    raw = await door.call("eth_getRawTransactionByHash", victim)
    bundle = await jit_bundle(net, door, pool, raw, tip_wei=10**15, min_fees_wei=10**15)
    builder = net.people.builder.address
    before = int(await door.call("eth_getBalance", builder, "latest"), 16)
    sent = await searcher.bundle(bundle, net.chain.head.number + 1)
    block = await net.slot()
    assert block.block["transactions"] == hashes(bundle)
    assert [row["status"] for row in block.receipts] == ["0x1"] * 3
    assert await outcome(door, sent) == ("included", "")
    gained = int(await door.call("eth_getBalance", builder, "latest"), 16) - before
    victim_tip = int(block.receipts[1]["gasUsed"], 16) * (
        int(block.receipts[1]["effectiveGasPrice"], 16) - int(block.block["baseFeePerGas"], 16)
    )
    assert gained == 10**15 + victim_tip
    await watcher.until(lambda: watcher.of("newHeads"))
    assert watcher.of("newPendingTransactions") == [victim]
    assert len(net.chain.mempool) == 0


async def test_nobody_sees_bundled_transactions_before_their_block(net, door, people, searcher, connect):
    watcher = await connect()
    await watcher.subscribe("newPendingTransactions", True)
    private = [people[0].sign(tip=2 * GWEI), people[1].sign(tip=2 * GWEI)]
    await searcher.bundle(private, net.chain.head.number + 2)
    await searcher.call("eth_callBundle", txs=private, blockNumber=hex(net.chain.head.number + 1))
    await net.slot()
    for tx_hash in hashes(private):
        assert await door.call("eth_getTransactionByHash", tx_hash) is None
        assert await door.call("eth_getRawTransactionByHash", tx_hash) is None
    assert await door.call("eth_getTransactionCount", people[0].address, "pending") == hex(
        people[0].nonce - 1
    )
    assert (await net.slot()).block["transactions"] == hashes(private)
    public = await people[2].send()
    await watcher.until(lambda: watcher.heard)
    assert [body["hash"] for body in watcher.of("newPendingTransactions")] == [public]


async def test_a_bundle_with_a_failing_transaction_is_not_included_at_all(net, door, people, searcher):
    usdc = net.uniswap.tokens["USDC"].address
    too_much = ERC20.call("transfer", people[2].address, 2**200)
    fails = people[0].sign(to=usdc, data=too_much, gas=100_000, value=0)
    raws = [people[1].sign(), fails]
    target = net.chain.head.number + 1
    sent = await searcher.bundle(raws, target)
    assert (await net.slot()).block["transactions"] == []
    state, reason = await outcome(door, sent)
    assert (state, reason) == ("failed", f"{hash_of(fails)}: execution reverted")
    allowed = await searcher.bundle(raws, target + 1, revertingTxHashes=[hash_of(fails)])
    block = await net.slot()
    assert block.block["transactions"] == hashes(raws)
    assert [row["status"] for row in block.receipts] == ["0x1", "0x0"]
    assert (await outcome(door, allowed))[0] == "included"


async def test_nonce_base_fee_balance_and_payment_are_checked_strictly(net, door, people, stranger, searcher):
    user, poor = people[0], await stranger(5, wei=10**15)
    base_fee = int(net.chain.head.block["baseFeePerGas"], 16)
    cases = {
        "not valid at its place": [user.sign(nonce=user.nonce + 1)],
        "max fee per gas less than block base fee": [
            user.sign(nonce=user.nonce, max_fee=base_fee // 2, tip=1)
        ],
        "pays nothing": [user.sign(nonce=user.nonce, max_fee=base_fee, tip=0)],
        poor.address: [poor.sign(nonce=0, value=10**15)],
        "nonce": [user.sign(nonce=user.nonce - 1)],
    }
    target = net.chain.head.number + 1
    sent = {words: await searcher.bundle(raws, target) for words, raws in cases.items()}
    assert (await net.slot()).block["transactions"] == []
    for words, bundle in sent.items():
        state, reason = await outcome(door, bundle)
        assert state == "failed"
        assert words in reason or words == poor.address, reason


async def test_the_best_payment_per_gas_goes_first_and_rivals_for_a_nonce_lose(
    net, door, people, searcher, rival
):
    target = net.chain.head.number + 1
    low = [people[0].sign(tip=GWEI)]
    high = [people[1].sign(tip=3 * GWEI)]
    rivals = [people[1].sign(nonce=people[1].nonce - 1, tip=2 * GWEI, value=7)]
    public = await people[2].send(tip=4 * GWEI)
    sent = [await searcher.bundle(low, target), await searcher.bundle(high, target)]
    lost = await rival.bundle(rivals, target)
    block = await net.slot()
    assert block.block["transactions"] == [*hashes(high), *hashes(low), public]
    assert [(await outcome(door, row))[0] for row in (*sent, lost)] == ["included", "included", "outbid"]


async def test_a_public_transaction_in_a_bundle_runs_once_and_its_tip_is_no_payment(
    net, door, people, searcher
):
    victim_raw = people[0].sign(tip=3 * GWEI)
    victim = await door.call("eth_sendRawTransaction", victim_raw)
    base_fee = int(net.chain.head.block["baseFeePerGas"], 16)
    free_ride = [victim_raw, people[1].sign(tip=0, max_fee=base_fee)]
    lost = await searcher.bundle(free_ride, net.chain.head.number + 1)
    assert (await net.slot()).block["transactions"] == [victim]
    assert await outcome(door, lost) == ("failed", "pays nothing")
    victim_raw = people[0].sign(tip=3 * GWEI)
    await door.call("eth_sendRawTransaction", victim_raw)
    paying = [victim_raw, people[1].sign(nonce=people[1].nonce - 1, tip=1)]
    await searcher.bundle(paying, net.chain.head.number + 1)
    assert (await net.slot()).block["transactions"] == hashes(paying)
    assert len(net.chain.mempool) == 0


async def test_the_same_swap_in_two_bundles_goes_to_the_better_one(net, door, searcher, rival):
    pool = net.manifest.pools[0]
    async with Traffic(net.manifest.rpc_url, net.manifest, 4) as traffic:
        victim = await traffic.swap(pool, amount_in=300 * 10**18, gas_factor=1.6)
    raw = await door.call("eth_getRawTransactionByHash", victim)
    target = net.chain.head.number + 1
    cheap = await searcher.bundle(await jit_bundle(net, door, pool, raw, tip_wei=10**14), target)
    better = await jit_bundle(net, door, pool, raw, lane=1, tip_wei=3 * 10**14)
    won = await rival.bundle(better, target)
    assert (await net.slot()).block["transactions"] == hashes(better)
    assert ((await outcome(door, cheap))[0], (await outcome(door, won))[0]) == ("outbid", "included")


async def test_targets_times_replacement_and_cancellation(net, door, people, searcher, rival):
    head = net.chain.head
    user = people[0]
    raw = user.sign(nonce=user.nonce)
    with pytest.raises(DoorError, match="not in the future"):
        await searcher.bundle([raw], head.number)
    late = await searcher.bundle([raw], head.number + 1, minTimestamp=head.timestamp_s + 13)
    over = await rival.bundle([raw], head.number + 1, maxTimestamp=head.timestamp_s + 11)
    assert late == over
    assert (await net.slot()).block["transactions"] == []
    assert (await outcome(door, late))[0] == "expired"

    target = net.chain.head.number + 1
    first = await searcher.bundle([raw], target, replacementUuid="u-1")
    assert await rival.call("eth_cancelBundle", replacementUuid="u-1") == []
    other = user.sign(nonce=user.nonce, value=2)
    await searcher.bundle([other], target, replacementUuid="u-1")
    assert (await outcome(door, first))[0] == "replaced"
    gone = await searcher.call("eth_cancelBundle", replacementUuid="u-1")
    assert len(gone) == 1
    assert (await net.slot()).block["transactions"] == []
    await searcher.bundle([other], net.chain.head.number + 1, uuid="u-1")
    assert (await net.slot()).block["transactions"] == [hash_of(other)]


async def test_malformed_bundles_are_refused(net, people, searcher):
    good = people[0].sign()
    block = hex(net.chain.head.number + 1)
    unprotected = people[0].sign(nonce=0, gasPrice=GWEI, chainId=None)
    for params in (
        {"txs": [], "blockNumber": block},
        {"blockNumber": block},
        {"txs": ["0x00"], "blockNumber": block},
        {"txs": [good, good], "blockNumber": block},
        {"txs": [good], "blockNumber": "later"},
        {"txs": [people[0].sign(chainId=1)], "blockNumber": block},
        {"txs": [unprotected], "blockNumber": block},
        {"txs": [good] * 101, "blockNumber": block},
    ):
        with pytest.raises(DoorError):
            await searcher.call("eth_sendBundle", **params)
    with pytest.raises(DoorError, match="does not exist"):
        await searcher.call("eth_sendPrivateTransaction", tx=good)


async def test_call_bundle_shows_what_a_block_would(net, door, searcher):
    pool = net.manifest.pools[0]
    async with Traffic(net.manifest.rpc_url, net.manifest, 5) as traffic:
        victim = await traffic.swap(pool, amount_in=200 * 10**18, gas_factor=1.6)
    raw = await door.call("eth_getRawTransactionByHash", victim)
    bundle = await jit_bundle(net, door, pool, raw, tip_wei=10**15)
    head = net.chain.head
    answer = await searcher.call(
        "eth_callBundle", txs=bundle, blockNumber=hex(head.number + 1), stateBlockNumber="latest"
    )
    assert net.chain.head is head
    assert int(await door.call("eth_blockNumber"), 16) == head.number
    assert [row["txHash"] for row in answer["results"]] == hashes(bundle)
    assert all("error" not in row for row in answer["results"])
    assert answer["results"][2]["ethSentToCoinbase"] == str(10**15)
    assert answer["stateBlockNumber"] == head.number
    await searcher.bundle(bundle, head.number + 1)
    block = await net.slot()
    assert [row["gasUsed"] for row in answer["results"]] == [
        int(row["gasUsed"], 16) for row in block.receipts
    ]
    assert answer["totalGasUsed"] == int(block.block["gasUsed"], 16)
    with pytest.raises(DoorError, match="not available"):
        await searcher.call("eth_callBundle", txs=bundle, blockNumber="0x1", stateBlockNumber="0x1")
    with pytest.raises(DoorError, match="bundle is not valid"):
        await searcher.call("eth_callBundle", txs=bundle, blockNumber=hex(net.chain.head.number + 1))


async def test_statistics_follow_a_bundle(net, people, searcher):
    target = net.chain.head.number + 1
    sent = await searcher.bundle([people[0].sign()], target)
    stats = await searcher.call("flashbots_getBundleStatsV2", bundleHash=sent, blockNumber=hex(target))
    assert (stats["isSimulated"], stats["sealedByBuildersAt"]) == (False, [])
    await net.slot()
    stats = await searcher.call("flashbots_getBundleStatsV2", bundleHash=sent, blockNumber=hex(target))
    assert stats["isSimulated"] is True
    assert len(stats["consideredByBuildersAt"]) == len(stats["sealedByBuildersAt"]) == 1
    unknown = await searcher.call("flashbots_getBundleStatsV2", bundleHash="0x00", blockNumber=hex(target))
    assert unknown == {"isSimulated": False}


async def test_set_code_transactions_ride_in_bundles_too(net, door, people, searcher):
    from eth_account import Account

    authority = Account.from_key("0x" + "55" * 32)
    auth = authority.sign_authorization({"chainId": 31337, "address": net.uniswap.gas_burner, "nonce": 0})
    raw = people[0].sign(type=4, authorizationList=[auth], gas=100_000)
    await searcher.bundle([raw], net.chain.head.number + 1)
    assert (await net.slot()).block["transactions"] == [hash_of(raw)]
    code = await door.call("eth_getCode", authority.address, "latest")
    assert code == "0xef0100" + net.uniswap.gas_burner[2:]
    assert (await receipt(door, hash_of(raw)))["status"] == "0x1"
