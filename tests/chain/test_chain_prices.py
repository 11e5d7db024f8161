"""Marks from the devnet's feeds and pools: exact fractions, ages, and feeds that answer nonsense."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from jitctl.chain.prices import FeedPrices, PoolTwapPrices
from jitctl.errors import NodeError
from tests.chain.devnet_rig import DevnetRig
from tests.chain.manual_clock import ManualClock

USD = 10**8


def feeds_of(rig: DevnetRig, clock: ManualClock | None = None, node=None) -> FeedPrices:
    tokens = rig.net.manifest.tokens
    return FeedPrices(
        node or rig.nodes,
        weth=tokens["WETH"],
        tokens=[tokens[symbol] for symbol in ("WETH", "USDC", "DAI", "WBTC")],
        feeds=rig.net.uniswap.price_feeds,
        clock=clock or ManualClock(),
    )


async def test_marks_are_exact_wei_per_base_unit(rig: DevnetRig):
    prices = feeds_of(rig)
    head = await rig.reader.head()
    await prices.refresh(head)
    marks, tokens = prices.marks(), rig.net.manifest.tokens
    weth_usd, btc_usd = [await rig.net.usd(symbol) for symbol in ("WETH", "WBTC")]
    assert marks.usd_per_weth == Fraction(weth_usd, USD) and marks.source == "feeds"
    assert marks.weth_wei_per_base_unit[tokens["WETH"].address] == 1
    assert marks.weth_wei_per_base_unit[tokens["USDC"].address] == Fraction(USD * 10**12, weth_usd)
    assert marks.weth_wei_per_base_unit[tokens["DAI"].address] == Fraction(USD, weth_usd)
    assert marks.weth_wei_per_base_unit[tokens["WBTC"].address] == Fraction(btc_usd * 10**10, weth_usd)


async def test_marks_grow_old(rig: DevnetRig):
    clock = ManualClock()
    prices = feeds_of(rig, clock)
    assert prices.marks().age_s == float("inf") and prices.marks().weth_wei_per_base_unit == {}
    await prices.refresh(await rig.reader.head())
    young = prices.marks().age_s
    clock.advance(30)
    assert prices.marks().age_s == pytest.approx(young + 30)
    for _ in range(5):
        await rig.net.slot()
    await prices.refresh(await rig.reader.head())
    assert prices.marks().age_s == pytest.approx(young + 60)


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


@pytest.mark.parametrize("answer", NONSENSE)
async def test_nonsense_from_a_tokens_feed_takes_its_mark_away(rig: DevnetRig, answer):
    tokens = rig.net.manifest.tokens
    prices = feeds_of(rig, node=Altered(rig, rig.net.uniswap.price_feeds["USDC"], answer))
    await prices.refresh(await rig.reader.head())
    assert tokens["USDC"].address not in prices.marks().weth_wei_per_base_unit
    assert tokens["DAI"].address in prices.marks().weth_wei_per_base_unit
    assert prices.counters["bad_answer"] == 1


@pytest.mark.parametrize("answer", [*NONSENSE, NodeError("away"), 5, None, "0xzz"], ids=str)
async def test_without_weth_the_old_marks_stay_and_age(rig: DevnetRig, answer):
    clock = ManualClock()
    prices = feeds_of(rig, clock)
    await prices.refresh(await rig.reader.head())
    before = prices.marks()
    prices._node = Altered(rig, rig.net.uniswap.price_feeds["WETH"], answer)
    clock.advance(5)
    with pytest.raises(NodeError):
        await prices.refresh(await rig.reader.head())
    assert prices.marks() == dataclasses.replace(before, age_s=before.age_s + 5)


async def test_pool_twaps_are_near_the_feeds(rig: DevnetRig):
    specs = [spec for spec in rig.specs if spec.quote_token.symbol in ("USDC", "USDT", "DAI", "WBTC")]
    twap, feeds = PoolTwapPrices(rig.nodes, specs=specs, clock=ManualClock()), feeds_of(rig)
    head = await rig.reader.head()
    await twap.refresh(head)
    await feeds.refresh(head)
    seen, external = twap.marks(), feeds.marks()
    assert seen.source == "pool_twap" and seen.age_s == 0
    for symbol in ("USDC", "DAI", "WBTC", "WETH"):
        at = rig.net.manifest.tokens[symbol].address
        ratio = seen.weth_wei_per_base_unit[at] / external.weth_wei_per_base_unit[at]
        assert abs(ratio - 1) < Fraction(1, 100), symbol
    assert abs(seen.usd_per_weth / external.usd_per_weth - 1) < Fraction(1, 100)


async def test_a_twap_moves_slowly(rig: DevnetRig):
    spec = rig.spec("WETH/USDC-0.05%")
    prices = PoolTwapPrices(rig.nodes, specs=[spec], clock=ManualClock())
    await prices.refresh(await rig.reader.head())
    before = prices.marks().weth_wei_per_base_unit[spec.quote_token.address]
    await rig.swap(spec, 500 * 10**18, gas=3_000_000)
    await rig.net.slot()
    await prices.refresh(await rig.reader.head())
    assert prices.marks().weth_wei_per_base_unit[spec.quote_token.address] == before
    for _ in range(60):
        await rig.net.slot()
    await prices.refresh(await rig.reader.head())
    assert prices.marks().weth_wei_per_base_unit[spec.quote_token.address] > before * Fraction(1001, 1000)


async def test_a_pool_that_does_not_remember_is_an_error(rig: DevnetRig):
    prices = PoolTwapPrices(rig.nodes, specs=rig.specs[:1], window_s=10**8, clock=ManualClock())
    with pytest.raises(NodeError):
        await prices.refresh(await rig.reader.head())
    assert prices.marks().weth_wei_per_base_unit == {} and prices.counters["read_failed"] == 1
