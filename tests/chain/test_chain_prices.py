"""Marks from the devnet's feeds and pools: exact fractions, ages, and feeds that answer nonsense."""

from __future__ import annotations

from fractions import Fraction

import pytest

from jitctl.chain.prices import FeedPrices, PoolTwapPrices
from jitctl.errors import NodeError
from tests.chain.devnet_rig import DevnetRig

USD = 10**8


def feeds_of(rig: DevnetRig, node=None) -> FeedPrices:
    tokens = rig.net.manifest.tokens
    return FeedPrices(
        node or rig.nodes,
        weth=tokens["WETH"],
        tokens=[tokens[symbol] for symbol in ("WETH", "USDC", "DAI", "WBTC")],
        feeds=rig.net.uniswap.price_feeds,
    )


async def test_marks_are_exact_wei_per_base_unit(rig: DevnetRig):
    prices = feeds_of(rig)
    head = await rig.reader.head()
    marks, tokens = await prices.read(head), rig.net.manifest.tokens
    assert marks.block_hash == head.hash
    weth_usd, btc_usd = [await rig.net.usd(symbol) for symbol in ("WETH", "WBTC")]
    assert marks.usd_per_weth == Fraction(weth_usd, USD) and marks.source == "feeds"
    assert marks.weth_wei_per_base_unit[tokens["WETH"].address] == 1
    assert marks.weth_wei_per_base_unit[tokens["USDC"].address] == Fraction(USD * 10**12, weth_usd)
    assert marks.weth_wei_per_base_unit[tokens["DAI"].address] == Fraction(USD, weth_usd)
    assert marks.weth_wei_per_base_unit[tokens["WBTC"].address] == Fraction(btc_usd * 10**10, weth_usd)


async def test_marks_are_as_old_as_the_oldest_answer_at_their_block(rig: DevnetRig):
    prices = feeds_of(rig)
    young = await prices.read(await rig.reader.head())
    for _ in range(5):
        await rig.net.slot()
    assert (await prices.read(await rig.reader.head())).age_s == pytest.approx(young.age_s + 60)


async def test_a_missing_feed_is_said_at_once(rig: DevnetRig):
    tokens = rig.net.manifest.tokens
    with pytest.raises(ValueError, match="USDC"):
        FeedPrices(rig.nodes, weth=tokens["WETH"], tokens=[tokens["USDC"]], feeds={"WETH": "0x" + "11" * 20})


class Altered:
    """The real node, but one feed answers differently."""

    def __init__(self, rig: DevnetRig, feed: str, answer) -> None:
        self._rig, self._feed, self._answer = rig, feed, answer

    async def call(self, method, params=(), *, timeout_s=None):
        request = params[0]
        if request["to"] == self._feed and request["data"].startswith("0xfeaf968c"):
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer
        return await self._rig.nodes.call(method, params)


def round_data(answer: int, *, updated: int = 1, round_id: int = 5, answered_in: int = 5) -> str:
    words = (round_id, answer % 2**256, 1, updated, answered_in)
    return "0x" + b"".join(word.to_bytes(32, "big") for word in words).hex()


NONSENSE = [
    round_data(0), round_data(-5), round_data(USD, updated=0), round_data(USD, answered_in=4), "0x", "0x1234",
]  # fmt: skip


@pytest.mark.parametrize("answer", [*NONSENSE, NodeError("reverted", rpc_code=3)], ids=str)
async def test_a_tokens_feed_that_refuses_or_answers_nonsense_takes_its_mark_away(rig: DevnetRig, answer):
    tokens = rig.net.manifest.tokens
    prices = feeds_of(rig, node=Altered(rig, rig.net.uniswap.price_feeds["USDC"], answer))
    marks = await prices.read(await rig.reader.head())
    assert tokens["USDC"].address not in marks.weth_wei_per_base_unit
    assert tokens["DAI"].address in marks.weth_wei_per_base_unit
    assert prices.counters["bad_answer"] == 1


@pytest.mark.parametrize(
    "answer", [*NONSENSE, NodeError("away"), NodeError("reverted", rpc_code=3), 5, None, "0xzz"], ids=str
)
async def test_without_weth_there_are_no_marks(rig: DevnetRig, answer):
    prices = feeds_of(rig, Altered(rig, rig.net.uniswap.price_feeds["WETH"], answer))
    with pytest.raises(NodeError):
        await prices.read(await rig.reader.head())
    assert (prices.counters["read"], prices.counters["read_failed"]) == (0, 1)


async def test_pool_twaps_are_near_the_feeds(rig: DevnetRig):
    specs = [spec for spec in rig.specs if spec.quote_token.symbol in ("USDC", "USDT", "DAI", "WBTC")]
    twap, feeds = PoolTwapPrices(rig.nodes, specs=specs), feeds_of(rig)
    head = await rig.reader.head()
    seen, external = await twap.read(head), await feeds.read(head)
    assert seen.source == "pool_twap" and seen.age_s == 0
    for symbol in ("USDC", "DAI", "WBTC", "WETH"):
        at = rig.net.manifest.tokens[symbol].address
        ratio = seen.weth_wei_per_base_unit[at] / external.weth_wei_per_base_unit[at]
        assert abs(ratio - 1) < Fraction(1, 100), symbol
    assert abs(seen.usd_per_weth / external.usd_per_weth - 1) < Fraction(1, 100)


async def test_a_twap_moves_slowly(rig: DevnetRig):
    spec = rig.spec("WETH/USDC-0.05%")
    prices = PoolTwapPrices(rig.nodes, specs=[spec])

    async def mark() -> Fraction:
        marks = await prices.read(await rig.reader.head())
        return marks.weth_wei_per_base_unit[spec.quote_token.address]

    before = await mark()
    await rig.swap(spec, 500 * 10**18, gas=3_000_000)
    await rig.net.slot()
    assert await mark() == before
    for _ in range(60):
        await rig.net.slot()
    assert await mark() > before * Fraction(1001, 1000)


async def test_a_pool_that_does_not_remember_gives_no_mark(rig: DevnetRig):
    usdc, btc = rig.spec("WETH/USDC-0.05%"), rig.spec("WETH/WBTC-0.05%")
    node = Forgetful(rig, btc.address, NodeError("execution reverted: OLD", rpc_code=3))
    prices = PoolTwapPrices(node, specs=[usdc, btc])
    marks = await prices.read(await rig.reader.head())
    assert set(marks.weth_wei_per_base_unit) == {usdc.weth.address, usdc.quote_token.address}
    assert (prices.counters["read"], prices.counters["bad_answer"]) == (1, 1)


async def test_where_no_pool_remembers_there_are_no_marks(rig: DevnetRig):
    prices = PoolTwapPrices(rig.nodes, specs=rig.specs[:1], window_s=10**8)
    with pytest.raises(NodeError, match="observe"):
        await prices.read(await rig.reader.head())
    assert prices.counters["read_failed"] == 1


@pytest.mark.parametrize("source", ["feeds", "pool_twap"])
async def test_a_node_without_the_block_is_no_refusal_of_a_contract(rig: DevnetRig, source: str):
    """Behind a load balancer this is usual for a moment: nothing may lose its mark by it."""
    lacking = NodeError("header not found", rpc_code=-32000)
    if source == "feeds":
        prices = feeds_of(rig, Altered(rig, rig.net.uniswap.price_feeds["USDC"], lacking))
    else:
        spec = rig.spec("WETH/WBTC-0.05%")
        prices = PoolTwapPrices(Forgetful(rig, spec.address, lacking), specs=rig.specs)
    with pytest.raises(NodeError, match="header not found"):
        await prices.read(await rig.reader.head())
    assert prices.counters["read_failed"] == 1


class Forgetful:
    """The real node, but one pool's `observe` fails."""

    def __init__(self, rig: DevnetRig, pool: str, error: NodeError) -> None:
        self._rig, self._pool, self._error = rig, pool, error

    async def call(self, method, params=(), **limits):
        if params[0]["to"] == self._pool:
            raise self._error
        return await self._rig.nodes.call(method, params, **limits)
