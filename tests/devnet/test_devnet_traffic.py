"""Users trade through all three routers, and each kind of trade ends as its name says."""

from __future__ import annotations

from collections import Counter

import pytest

from jitctl.devnet.door_client import DoorError
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.toolchain import artifact
from jitctl.devnet.traffic import TX_TYPES, Kind, Traffic
from jitctl.errors import UsageError
from tests.devnet.door_people import receipt

SWAP_TOPIC = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"


@pytest.fixture
async def traffic(net):
    async with Traffic(net.manifest.rpc_url, net.manifest, seed=11) as users:
        yield users


@pytest.mark.parametrize("router", ["v3", "02", "universal"])
async def test_every_router_swaps_exact_in_and_out_native_and_by_permit(net, door, traffic, router):
    pool, ether, dollars = net.manifest.pool("WETH/USDC-0.05%"), 10**18, 10**9
    cases = [
        ({"amount_in": ether}, "WETH"),
        ({"amount_out": dollars}, "WETH"),
        ({"amount_in": dollars}, "USDC"),
        ({"amount_out": ether}, "USDC"),
    ]
    # User 3 has no standing Permit2 approval for the UniversalRouter: it signs one with the trade.
    for user in (0, 3):
        for native in (False, True):
            for amounts, token_in in cases:
                sent = await traffic.swap(
                    pool,
                    **amounts,
                    token_in=token_in,
                    router=router,
                    native=native,
                    user=user,
                    gas_factor=1.3,
                )
                await net.slot()
                found = await receipt(door, sent)
                assert found["status"] == "0x1", (user, native, amounts, token_in)
                assert [log["address"] for log in found["logs"] if log["topics"][0] == SWAP_TOPIC] == [
                    pool.address
                ]


@pytest.mark.parametrize("router", ["v3", "02", "universal"])
async def test_paths_of_several_pools_in_both_directions(net, door, traffic, router):
    dollars = net.manifest.pool("USDC/DAI-0.05%")
    ether = net.manifest.pool("WETH/USDC-0.05%")
    bitcoin = net.manifest.pool("WETH/WBTC-0.05%")
    route = (dollars, ether, bitcoin)
    sent = [
        await traffic.swap(
            route, amount_in=5_000 * 10**18, token_in="DAI", router=router, user=1, gas_factor=1.3
        ),
        await traffic.swap(
            route, amount_out=10**7, token_in="DAI", router=router, user=2, gas_factor=1.3, slippage_bps=300
        ),
        await traffic.swap(
            (bitcoin, ether), amount_in=10**8, token_in="WBTC", router=router, user=4, gas_factor=1.3
        ),
    ]
    await net.slot()
    assert [(await receipt(door, row))["status"] for row in sent] == ["0x1"] * 3
    passed = [
        log["address"] for log in (await receipt(door, sent[0]))["logs"] if log["topics"][0] == SWAP_TOPIC
    ]
    assert passed == [pool.address for pool in route]


async def test_kinds_end_as_their_names_say(net, door, traffic):
    pool = "WETH/USDC-0.05%"
    expired = await traffic.swap(pool, amount_in=10**19, kind=Kind.EXPIRED, router="02", user=0)
    failing = await traffic.swap(pool, amount_in=10**19, kind="failing", user=1)
    replaced = await traffic.swap(pool, amount_in=10**19, kind="replaced", user=2)
    first = traffic.sent[-1].replaces
    block = await net.slot()
    assert (await receipt(door, expired))["status"] == "0x0"
    assert (await receipt(door, failing))["status"] == "0x0"
    assert (await receipt(door, replaced))["status"] == "0x1"
    assert first not in block.block["transactions"]
    assert replaced in block.block["transactions"]


async def test_an_informed_trade_follows_a_move_of_the_market(net, door, traffic):
    before = await net.usd("USDC")
    number = net.chain.head.number
    sent = await traffic.swap("WETH/USDC-0.05%", amount_in=10**20, kind="informed", gas_factor=1.4)
    assert net.chain.head.number == number + 1
    # Ether is sold for dollars because dollars have become dearer elsewhere, by more than the fee.
    assert await net.usd("USDC") > before * 1.0005
    assert await receipt(door, sent) is None
    await net.slot()
    assert (await receipt(door, sent))["status"] == "0x1"


@pytest.mark.parametrize("tx_type", list(TX_TYPES))
async def test_transactions_of_every_type_trade(net, door, traffic, tx_type):
    sent = await traffic.swap("WETH/DAI-0.3%", amount_in=10**18, tx_type=tx_type, gas_factor=1.3)
    body = await door.call("eth_getTransactionByHash", sent)
    assert body["type"] == hex(tx_type)
    await net.slot()
    assert (await receipt(door, sent))["status"] == "0x1"


async def test_random_traffic_is_varied_and_mostly_succeeds(net, door):
    async with Traffic(net.manifest.rpc_url, net.manifest, seed=5) as users:
        for index in range(60):
            try:
                await users.random_swap()
            except DoorError:
                continue
            if index % 6 == 5:
                await net.slot()
        await net.slot()
    results = Counter()
    for sent in users.sent:
        found = await receipt(door, sent.hash)
        if sent.kind not in (Kind.EXPIRED, Kind.FAILING, Kind.REPLACED) and found is not None:
            results[found["status"]] += 1
    assert results["0x1"] > 4 * results["0x0"]
    assert {sent.router for sent in users.sent} == {"v3", "02", "universal"}
    assert len({sent.tx_type for sent in users.sent}) >= 3
    assert any(len(sent.pools) == 2 for sent in users.sent)
    assert any(sent.trade.native_in or sent.trade.native_out for sent in users.sent)


async def test_background_traffic_holds_the_base_fee(net, traffic):
    for _ in range(12):
        await traffic.background()
        await net.slot()
    assert 0.5 * 10**9 < int(net.chain.head.block["baseFeePerGas"], 16) < 2 * 10**9


async def test_what_cannot_be_asked_is_said(traffic):
    for wrong in (
        {"pool": "WETH/NOPE", "amount_in": 1},
        {"pool": "WETH/USDC-0.05%"},
        {"pool": "WETH/USDC-0.05%", "amount_in": 1, "amount_out": 1},
        {"pool": "WETH/USDC-0.05%", "amount_in": 1, "token_in": "DAI"},
        {"pool": "WETH/USDC-0.05%", "amount_in": 1, "router": "v2"},
    ):
        with pytest.raises(UsageError):
            await traffic.swap(wrong.pop("pool"), **wrong)


async def test_the_fee_taking_token_can_be_bought(net, door, traffic):
    sent = await traffic.swap("WETH/TAX-0.3%", amount_in=10**17, gas_factor=1.3)
    await net.slot()
    assert (await receipt(door, sent))["status"] == "0x1"


def test_abis_that_traffic_uses_are_in_the_artifacts():
    names = {entry.get("name") for entry in artifact("v3-periphery", "QuoterV2")["abi"]}
    assert {"quoteExactInput", "quoteExactOutput"} <= names
    assert {entry.get("name") for entry in fixture("GasBurner")["abi"]} == {"burn"}
