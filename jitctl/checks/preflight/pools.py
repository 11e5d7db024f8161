"""pools and price-marks: the pools are the ones that the configuration means, and can be valued."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jitctl.chain.lens import is_revert, view, view_each
from jitctl.chain.prices import FeedPrices, PoolTwapPrices
from jitctl.checks.preflight.context import Believed, Context
from jitctl.checks.preflight.verdict import NotAsked, Verdict, failed, together
from jitctl.config.domain_types import tokens
from jitctl.domain.values import Address, PoolSpec, Token
from jitctl.errors import NodeError

_TOKEN0, _TOKEN1, _FEE, _TICK_SPACING, _DECIMALS, _FACTORY = (
    bytes.fromhex(text) for text in ("0dfe1681", "d21220a7", "ddca3f43", "d0c93a7c", "313ce567", "c45a0155")
)
_NO_PRICE = ("the price feed of WETH", "no watched pool")
"""How the sources of marks begin when it is not the node that fails."""
_GET_POOL = bytes.fromhex("1698ee82")


async def _word(node: Believed, target: Address, calldata: bytes) -> int | None:
    """Return the one word that a contract answers; None if it answers anything else, or refuses."""
    try:
        answer = await view(node.nodes, target, calldata, node.head.hash)
    except NodeError as error:
        if not is_revert(error):
            raise
        return None
    return int.from_bytes(answer, "big") if len(answer) == 32 else None


async def _words(node: Believed, target: Address, selectors: list[bytes]) -> list[int]:
    """Return a word for each selector without arguments, zeros if the contract refuses one or is none."""
    try:
        calls = [selector + bytes(32) for selector in selectors]
        return [word for (word,) in await view_each(node.nodes, target, calls, 1, node.head.hash)]
    except NodeError as error:
        if not is_revert(error):
            raise
        return [0] * len(selectors)


async def pools(context: Context) -> Verdict:
    """The factory knows each pool by its tokens and fee, and the pool and its tokens say the same."""
    node = await context.node()
    try:
        factory: Address | None = await context.factory()
    except NotAsked:
        factory = None
    known = {token.address: token for spec in context.specs for token in (spec.token0, spec.token1)}
    verdicts = await asyncio.gather(
        *(_pool(node, spec, factory) for spec in context.specs),
        *(_token(node, token) for token in known.values()),
    )
    by = "" if factory else "; the factory was not asked (see executor-code)"
    return together((each for each in verdicts if each), f"{len(context.specs)} as configured{by}")


async def _pool(node: Believed, spec: PoolSpec, factory: Address | None) -> Verdict | None:
    expected = {
        "token0": (_TOKEN0, int(spec.token0.address, 16)),
        "token1": (_TOKEN1, int(spec.token1.address, 16)),
        "fee": (_FEE, spec.fee_pips),
        "tickSpacing": (_TICK_SPACING, spec.tick_spacing),
    }
    found = await _words(node, spec.address, [call for call, _ in expected.values()])
    remedy = f"correct {spec.name} in pools.toml"
    if not any(found):
        return failed(
            f"{spec.name}: {spec.address} does not answer as a Uniswap v3 pool", remedy, about=spec.name
        )
    differs = [
        f"{name} is {_shown(value)}, not {_shown(wanted)}"
        for (name, (_, wanted)), value in zip(expected.items(), found, strict=True)
        if value != wanted
    ]
    if differs:
        return failed(f"{spec.name}: {', '.join(differs)}", remedy, about=spec.name)
    if factory is None:
        return None
    tokens_and_fee = b"".join(
        word.to_bytes(32, "big")
        for word in (int(spec.token0.address, 16), int(spec.token1.address, 16), spec.fee_pips)
    )
    listed = await _word(node, factory, _GET_POOL + tokens_and_fee)
    if listed != int(spec.address, 16):
        text = f"{spec.name}: the factory's pool is {_shown(listed)}, not {spec.address}"
        return failed(text, remedy, about=spec.name)
    return None


async def _token(node: Believed, token: Token) -> Verdict | None:
    decimals = await _word(node, token.address, _DECIMALS)
    if decimals == token.decimals:
        return None
    text = f"{token.symbol} has {decimals} decimals, not {token.decimals}"
    if decimals is None:
        text = f"{token.symbol}: {token.address} does not answer as a token"
    return failed(text, f"correct {token.symbol} in pools.toml", about=token.symbol)


def _shown(value: int | None) -> str:
    if value is None:
        return "unknown"
    return f"0x{value:040x}" if value >= 1 << 32 else str(value)


async def price_marks(context: Context) -> Verdict:
    """Every token of the watched pools has a mark that is not older than `prices.max_age_s` at the head."""
    read = await _reader(context)
    traded = {token.symbol: token for spec in context.specs for token in (spec.token0, spec.token1)}
    try:
        ages = await read(list(traded.values()))
        if max((age_s or 0.0 for age_s in ages.values()), default=0.0) > context.config.main.prices.max_age_s:
            # The age is the oldest one's: ask again, one token a time, to name those that are old.
            for alone in await asyncio.gather(*(read([token]) for token in traded.values())):
                ages |= alone
    except NodeError as error:
        if not error.message.startswith(_NO_PRICE):
            raise
        return failed(error.message, "check [prices]: without this price every swap is left alone")
    return _ages(context, ages)


async def _reader(context: Context) -> Callable[[list[Token]], Awaitable[dict[str, float | None]]]:
    """Return what reads the ages of some tokens' marks in seconds, None for one without a mark."""
    node, prices = await context.node(), context.config.main.prices
    feeds = {symbol: Address(feed) for symbol, feed in prices.feeds.items()}
    weth = tokens(context.config)["WETH"]

    async def read(asked: list[Token]) -> dict[str, float | None]:
        source: FeedPrices | PoolTwapPrices = (
            PoolTwapPrices(node.nodes, specs=context.specs)
            if prices.source == "pool_twap"
            else FeedPrices(node.nodes, weth=weth, tokens=asked, feeds=feeds)
        )
        marks = await source.read(node.head)
        priced = marks.weth_wei_per_base_unit
        return {token.symbol: marks.age_s if token.address in priced else None for token in asked}

    return read


def _ages(context: Context, ages: dict[str, float | None]) -> Verdict:
    limit_s = context.config.main.prices.max_age_s
    verdicts = []
    for symbol, age_s in ages.items():
        if age_s is None:
            text = f"{symbol} has no price"
            remedy = f"check [prices] for {symbol}: swaps in its pools are left alone"
            verdicts.append(failed(text, remedy, about=symbol))
        elif age_s > limit_s:
            text = f"{symbol}'s price is {age_s:.0f} s old, the limit is {limit_s:.0f} s"
            remedy = "wait for the feed, choose another, or raise [prices] max_age_s"
            verdicts.append(failed(text, remedy, about=symbol))
    oldest_s = max((age_s for age_s in ages.values() if age_s is not None), default=0.0)
    return together(verdicts, f"{len(ages)} tokens, the oldest price is {oldest_s:.0f} s old")
