"""Rules of pools.toml, by itself and beside jitctl.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from jitctl.config.checksums import checksummed
from jitctl.config.models import MainConfig, PoolConfig, PoolsConfig, TokenConfig, weth_of
from jitctl.config.rules.finding import Finding, needs_whole

MAINNET_CHAIN_ID = 1
MAINNET_WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
SPACING_BY_FEE_PIPS = {100: 1, 500: 10, 3_000: 60, 10_000: 200}


def on_ethereum(main: MainConfig | None, pools: PoolsConfig) -> bool:
    """Return whether the pools are Ethereum's: jitctl.toml says so, or, without it, their WETH does."""
    if main is not None:
        return main.chain.chain_id == MAINNET_CHAIN_ID
    return any((weth := weth_of(pool)) and weth.address == MAINNET_WETH for pool in pools.pools)


def sides(pool: PoolConfig) -> tuple[tuple[str, TokenConfig], tuple[str, TokenConfig]]:
    return ("token0", pool.token0), ("token1", pool.token1)


def one_weth(pools: PoolsConfig) -> Iterator[Finding]:
    """JC201 one side is WETH; JC202 all pools mean the same WETH."""
    first = None
    for index, pool in enumerate(pools.pools):
        weth = weth_of(pool)
        if weth is None:
            found = " and ".join(f'"{token.symbol}"' for _, token in sides(pool))
            message = f'exactly one side must be the token with symbol "WETH"; found {found}'
            yield Finding("JC201", "pools", ("pools", index), message)
            continue
        first = first or weth.address
        if weth.address != first:
            side = "token0" if weth is pool.token0 else "token1"
            path = ("pools", index, side, "address")
            yield Finding("JC202", "pools", path, f"another pool's WETH is {checksummed(first)}")


def mainnet_weth(main: MainConfig, pools: PoolsConfig) -> Iterator[Finding]:
    """JC203 on Ethereum WETH is the real one."""
    if not on_ethereum(main, pools):
        return
    for index, pool in enumerate(pools.pools):
        for side, token in sides(pool):
            if token.symbol == "WETH" and token.address != MAINNET_WETH:
                path = ("pools", index, side, "address")
                yield Finding("JC203", "pools", path, f"on chain 1 WETH is {checksummed(MAINNET_WETH)}")


def pool_shape(pools: PoolsConfig) -> Iterator[Finding]:
    """JC204 token0 sorts below token1; JC205 the fee's own tick spacing."""
    for index, pool in enumerate(pools.pools):
        at = ("pools", index)
        if pool.token0.address == pool.token1.address:
            message = "token0 and token1 are the same token"
            yield Finding("JC204", "pools", (*at, "token0"), message, "a pool has two tokens")
        elif int(pool.token0.address, 16) > int(pool.token1.address, 16):
            message = "token0's address must be the lower of the two"
            yield Finding("JC204", "pools", (*at, "token0"), message, "exchange token0 and token1")
        spacing = SPACING_BY_FEE_PIPS.get(pool.fee_pips)
        if spacing is not None and pool.tick_spacing != spacing:
            message = f"a pool of {pool.fee_pips} pips has tick spacing {spacing}; found {pool.tick_spacing}"
            yield Finding("JC205", "pools", (*at, "tick_spacing"), message)


def used_once(pools: PoolsConfig) -> Iterator[Finding]:
    """JC206 names and addresses once; JC212 tokens and fee once."""
    names = Counter(_folded(pool.name) for pool in pools.pools)
    addresses = Counter(pool.address for pool in pools.pools)
    pairs = Counter(_pair(pool) for pool in pools.pools)
    for index, pool in enumerate(pools.pools):
        at = ("pools", index)
        if names[_folded(pool.name)] > 1:
            same = sum(1 for other in pools.pools if other.name == pool.name) > 1
            detail = "" if same else ": only case or blanks tell them apart"
            yield Finding("JC206", "pools", (*at, "name"), f"{pool.name!r} is used more than once{detail}")
        if addresses[pool.address] > 1:
            message = f"{checksummed(pool.address)} is used more than once"
            yield Finding("JC206", "pools", (*at, "address"), message)
        if pairs[_pair(pool)] > 1:
            message = (
                f"another pool has these tokens and {pool.fee_pips} pips too: there is only one such pool"
            )
            yield Finding("JC212", "pools", (*at, "fee_pips"), message)


def _folded(name: str) -> str:
    return "".join(name.split()).casefold()


def _pair(pool: PoolConfig) -> tuple[frozenset[str], int]:
    return frozenset((pool.token0.address, pool.token1.address)), pool.fee_pips


def one_token_a_symbol(pools: PoolsConfig) -> Iterator[Finding]:
    """JC207 one address and one count of decimals a symbol; JC214 one symbol an address."""
    known: dict[str, TokenConfig] = {}
    symbols: dict[str, str] = {}
    for index, pool in enumerate(pools.pools):
        for side, token in sides(pool):
            first = known.setdefault(token.symbol, token)
            at = ("pools", index, side)
            if first.address != token.address:
                message = f"{token.symbol} is {checksummed(first.address)} in another pool"
                yield Finding("JC207", "pools", (*at, "address"), message)
            elif first.decimals != token.decimals:
                message = f"{token.symbol} has {first.decimals} decimals in another pool"
                yield Finding("JC207", "pools", (*at, "decimals"), message)
            symbol = symbols.setdefault(token.address, token.symbol)
            if symbol != token.symbol:
                message = f"this token is called {symbol!r} in another place"
                yield Finding("JC214", "pools", (*at, "symbol"), message)


def fee_tiers(pools: PoolsConfig, main: MainConfig | None = None) -> Iterator[Finding]:
    """JC215 on Ethereum the factory knows four fees."""
    if not on_ethereum(main, pools):
        return
    known = ", ".join(map(str, SPACING_BY_FEE_PIPS))
    for index, pool in enumerate(pools.pools):
        if pool.fee_pips not in SPACING_BY_FEE_PIPS:
            message = f"no pool of Ethereum has a fee of {pool.fee_pips} pips: expected one of {known}"
            yield Finding("JC215", "pools", ("pools", index, "fee_pips"), message)


@needs_whole("pools.pools")
def one_is_enabled(pools: PoolsConfig) -> Iterator[Finding]:
    """JC229 not all are disabled."""
    if pools.pools and not any(pool.enabled for pool in pools.pools):
        yield Finding("JC229", "pools", ("pools",), "every pool is disabled: nothing is watched for trading")


def why_disabled(pools: PoolsConfig) -> Iterator[Finding]:
    """JC232 what says why it is disabled is."""
    for index, pool in enumerate(pools.pools):
        if pool.enabled and pool.disabled_because is not None:
            yield Finding("JC232", "pools", ("pools", index, "disabled_because"), "the pool is enabled")


CHECKS = (
    one_weth, mainnet_weth, pool_shape, used_once, one_token_a_symbol, fee_tiers, one_is_enabled,
    why_disabled,
)  # fmt: skip
