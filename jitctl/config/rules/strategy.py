"""Rules of strategy.toml beside the other files."""

from __future__ import annotations

from collections.abc import Iterator

from jitctl.config.models import PoolsConfig
from jitctl.config.rules.finding import Finding
from jitctl.config.strategy_models import StrategyConfig


def limits_name_tokens(pools: PoolsConfig, strategy: StrategyConfig) -> Iterator[Finding]:
    """JC208 limits name known tokens."""
    known = {token.symbol for pool in pools.pools for token in (pool.token0, pool.token1)}
    for symbol in strategy.limits.max_per_token:
        if symbol not in known:
            path = ("limits", "max_per_token", symbol)
            yield Finding("JC208", "strategy", path, f"no pool has a token {symbol!r}")


CHECKS = (limits_name_tokens,)
