"""Rules of jitctl.toml, by itself and beside the other files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from jitctl.config.models import MainConfig, PoolsConfig
from jitctl.config.rules.finding import Finding


def every_token_priced(main: MainConfig, pools: PoolsConfig) -> Iterator[Finding]:
    """JC209 every token has a mark."""
    if main.prices.source != "feeds":
        return
    known = dict.fromkeys(token.symbol for pool in pools.pools for token in (pool.token0, pool.token1))
    for symbol in known:
        if symbol not in main.prices.feeds:
            message = f"no USD feed for {symbol}, so a position in it cannot be valued"
            yield Finding("JC209", "jitctl", ("prices", "feeds"), message)


def used_once(main: MainConfig) -> Iterator[Finding]:
    """JC210 a lane's keystore, a node's name and a relay's name are each used once."""
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
                yield Finding("JC210", "jitctl", (*prefix, index, key), f"{value!r} is used more than once")


CHECKS = (every_token_priced, used_once)
