"""Rules of strategy.toml beside the other files."""

from __future__ import annotations

from collections.abc import Iterator

from jitctl.config.models import MainConfig, PoolsConfig
from jitctl.config.nearest import did_you_mean
from jitctl.config.rules.finding import Finding, needs_whole
from jitctl.config.strategy_models import StrategyConfig


@needs_whole("pools.pools")
def limits_name_tokens(pools: PoolsConfig, strategy: StrategyConfig) -> Iterator[Finding]:
    """JC208 limits name known tokens."""
    known = {token.symbol for pool in pools.pools for token in (pool.token0, pool.token1)}
    for symbol in strategy.limits.max_per_token:
        if symbol not in known:
            path = ("limits", "max_per_token", symbol)
            message = f"no pool has a token {symbol!r}"
            yield Finding("JC208", "strategy", path, message, did_you_mean(symbol, sorted(known)))


def deadline_in_a_slot(main: MainConfig, strategy: StrategyConfig) -> Iterator[Finding]:
    """JC224 the margin leaves something of a slot."""
    margin_s, slot_s = strategy.margins.deadline_margin_s, main.chain.slot_seconds
    if margin_s >= slot_s:
        message = f"a margin of {margin_s:g} s is no less than a slot of {slot_s:g} s (chain.slot_seconds)"
        path = ("margins", "deadline_margin_s")
        yield Finding("JC224", "strategy", path, message, f"less than {slot_s:g} (seconds)")


def something_is_bid(strategy: StrategyConfig) -> Iterator[Finding]:
    """JC223 a builder who gets nothing includes nothing."""
    for key in ("max_share_bps", "max_tip_share_bps"):
        if getattr(strategy.bid, key) == 0:
            message = "the builder gets nothing, so nothing is included"
            yield Finding("JC223", "strategy", ("bid", key), message, "more than 0 (basis points)")


CHECKS = (limits_name_tokens, deadline_in_a_slot, something_is_bid)
