"""Rules that hold across files; each has a stable id and returns what it finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from jitctl.config.models import MainConfig, PoolConfig, PoolsConfig, TokenConfig
from jitctl.config.strategy_models import StrategyConfig

MAINNET_CHAIN_ID = 1
MAINNET_WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
SPACING_BY_FEE_PIPS = {100: 1, 500: 10, 3_000: 60, 10_000: 200}


@dataclass(frozen=True)
class Finding:
    """A broken rule at a path of one file (`jitctl`, `pools`, `strategy`)."""

    rule: str
    file: str
    path: tuple[str | int, ...]
    message: str
    hint: str = ""


def weth_of(pool: PoolConfig) -> TokenConfig | None:
    """Return the side that is WETH, None where not exactly one is."""
    sides = [token for token in (pool.token0, pool.token1) if token.symbol == "WETH"]
    return sides[0] if len(sides) == 1 else None


def weth_side(main: MainConfig, pools: PoolsConfig, strategy: StrategyConfig) -> list[Finding]:
    """JC201 one side is WETH; JC202 all pools mean the same WETH; JC203 on mainnet it is the real one."""
    found, first = [], None
    for index, pool in enumerate(pools.pools):
        weth = weth_of(pool)
        if weth is None:
            message = 'exactly one side must be the token with symbol "WETH"'
            found.append(Finding("JC201", "pools", ("pools", index), message))
            continue
        first = first or weth.address
        side = "token0" if weth is pool.token0 else "token1"
        path = ("pools", index, side, "address")
        if weth.address != first:
            found.append(Finding("JC202", "pools", path, f"another pool's WETH is {first}"))
        elif main.chain.chain_id == MAINNET_CHAIN_ID and weth.address != MAINNET_WETH:
            found.append(Finding("JC203", "pools", path, f"on chain 1 WETH is {MAINNET_WETH}"))
    return found


def pool_shape(main: MainConfig, pools: PoolsConfig, strategy: StrategyConfig) -> list[Finding]:
    """JC204 token0 sorts below token1; JC205 the fee's own tick spacing; JC206 names and addresses once."""
    found = []
    names = Counter(pool.name for pool in pools.pools)
    addresses = Counter(pool.address for pool in pools.pools)
    for index, pool in enumerate(pools.pools):
        at = ("pools", index)
        if int(pool.token0.address, 16) >= int(pool.token1.address, 16):
            message = "token0's address must be the lower of the two"
            found.append(Finding("JC204", "pools", (*at, "token0"), message, "exchange token0 and token1"))
        spacing = SPACING_BY_FEE_PIPS.get(pool.fee_pips)
        if spacing is not None and pool.tick_spacing != spacing:
            message = f"a pool of {pool.fee_pips} pips has tick spacing {spacing}"
            found.append(Finding("JC205", "pools", (*at, "tick_spacing"), message))
        if names[pool.name] > 1:
            found.append(Finding("JC206", "pools", (*at, "name"), f"{pool.name!r} is used more than once"))
        if addresses[pool.address] > 1:
            message = f"{pool.address} is used more than once"
            found.append(Finding("JC206", "pools", (*at, "address"), message))
    return found


def symbols(main: MainConfig, pools: PoolsConfig, strategy: StrategyConfig) -> list[Finding]:
    """JC207 one address a symbol; JC208 limits name known tokens; JC209 every token is priced."""
    found = []
    known: dict[str, str] = {}
    for index, pool in enumerate(pools.pools):
        for side, token in (("token0", pool.token0), ("token1", pool.token1)):
            if known.setdefault(token.symbol, token.address) != token.address:
                message = f"{token.symbol} is {known[token.symbol]} in another pool"
                found.append(Finding("JC207", "pools", ("pools", index, side, "address"), message))
    for symbol in strategy.limits.max_per_token:
        if symbol not in known:
            path = ("limits", "max_per_token", symbol)
            found.append(Finding("JC208", "strategy", path, f"no pool has a token {symbol!r}"))
    if main.prices.source == "feeds":
        for symbol in known:
            if symbol not in main.prices.feeds:
                message = f"no USD feed for {symbol}, so a position in it cannot be valued"
                found.append(Finding("JC209", "jitctl", ("prices", "feeds"), message))
    return found


def used_once(main: MainConfig, pools: PoolsConfig, strategy: StrategyConfig) -> list[Finding]:
    """JC210 a lane's keystore, a node's name and a relay's name are each used once."""
    found = []
    keystores = [operator.keystore for operator in main.wallet.operators]
    groups = (
        (("wallet", "operators"), "keystore", keystores),
        (("nodes",), "name", [node.name for node in main.nodes]),
        (("verify_nodes",), "name", [node.name for node in main.verify_nodes]),
        (("relays",), "name", [relay.name for relay in main.relays]),
    )
    for prefix, key, values in groups:
        counts = Counter(values)
        for index, value in enumerate(values):
            if counts[value] > 1:
                message = f"{value!r} is used more than once"
                found.append(Finding("JC210", "jitctl", (*prefix, index, key), message))
    return found


RULES = (weth_side, pool_shape, symbols, used_once)
