"""Rules of pools.toml, by itself and beside jitctl.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from jitctl.config.models import MainConfig, PoolsConfig, weth_of
from jitctl.config.rules.finding import Finding

MAINNET_CHAIN_ID = 1
MAINNET_WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
SPACING_BY_FEE_PIPS = {100: 1, 500: 10, 3_000: 60, 10_000: 200}


def one_weth(pools: PoolsConfig) -> Iterator[Finding]:
    """JC201 one side is WETH; JC202 all pools mean the same WETH."""
    first = None
    for index, pool in enumerate(pools.pools):
        weth = weth_of(pool)
        if weth is None:
            message = 'exactly one side must be the token with symbol "WETH"'
            yield Finding("JC201", "pools", ("pools", index), message)
            continue
        first = first or weth.address
        if weth.address != first:
            side = "token0" if weth is pool.token0 else "token1"
            path = ("pools", index, side, "address")
            yield Finding("JC202", "pools", path, f"another pool's WETH is {first}")


def mainnet_weth(main: MainConfig, pools: PoolsConfig) -> Iterator[Finding]:
    """JC203 on Ethereum WETH is the real one."""
    if main.chain.chain_id != MAINNET_CHAIN_ID:
        return
    for index, pool in enumerate(pools.pools):
        for side, token in (("token0", pool.token0), ("token1", pool.token1)):
            if token.symbol == "WETH" and token.address != MAINNET_WETH:
                path = ("pools", index, side, "address")
                yield Finding("JC203", "pools", path, f"on chain 1 WETH is {MAINNET_WETH}")


def pool_shape(pools: PoolsConfig) -> Iterator[Finding]:
    """JC204 token0 sorts below token1; JC205 the fee's own tick spacing; JC206 names and addresses once."""
    names = Counter(pool.name for pool in pools.pools)
    addresses = Counter(pool.address for pool in pools.pools)
    for index, pool in enumerate(pools.pools):
        at = ("pools", index)
        if int(pool.token0.address, 16) >= int(pool.token1.address, 16):
            message = "token0's address must be the lower of the two"
            yield Finding("JC204", "pools", (*at, "token0"), message, "exchange token0 and token1")
        spacing = SPACING_BY_FEE_PIPS.get(pool.fee_pips)
        if spacing is not None and pool.tick_spacing != spacing:
            message = f"a pool of {pool.fee_pips} pips has tick spacing {spacing}"
            yield Finding("JC205", "pools", (*at, "tick_spacing"), message)
        if names[pool.name] > 1:
            yield Finding("JC206", "pools", (*at, "name"), f"{pool.name!r} is used more than once")
        if addresses[pool.address] > 1:
            yield Finding("JC206", "pools", (*at, "address"), f"{pool.address} is used more than once")


def one_token_a_symbol(pools: PoolsConfig) -> Iterator[Finding]:
    """JC207 one address a symbol."""
    known: dict[str, str] = {}
    for index, pool in enumerate(pools.pools):
        for side, token in (("token0", pool.token0), ("token1", pool.token1)):
            if known.setdefault(token.symbol, token.address) != token.address:
                message = f"{token.symbol} is {known[token.symbol]} in another pool"
                yield Finding("JC207", "pools", ("pools", index, side, "address"), message)


CHECKS = (one_weth, mainnet_weth, pool_shape, one_token_a_symbol)
