"""Rules about limits that contradict each other, or the pools."""

from __future__ import annotations

from collections.abc import Iterator

from jitctl.config.models import PoolsConfig
from jitctl.config.rules.finding import Finding
from jitctl.config.strategy_models import StrategyConfig

_FLOOR = ("limits", "min_profit_wei")


def in_ether(wei: int) -> str:
    """Return an amount of wei as ether, in full."""
    whole, rest = divmod(wei, 10**18)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".") + " ether"


def profit_below_notional(strategy: StrategyConfig) -> Iterator[Finding]:
    """JC220 a mint can earn its floor."""
    floor, most = strategy.limits.min_profit_wei, strategy.limits.max_notional_wei
    if floor >= most:
        message = (
            f"a mint of at most {in_ether(most)} (max_notional_wei) never earns {in_ether(floor)}: "
            "nothing would be traded"
        )
        yield Finding("JC220", "strategy", _FLOOR, message)


def floor_above_gas(strategy: StrategyConfig) -> Iterator[Finding]:
    """JC230 the floor pays for a leg that lands alone, at a modest gas price."""
    gas = strategy.gas
    units = gas.mint_gas + gas.burn_gas
    cost = units * gas.floor_gas_price_wei
    if strategy.limits.min_profit_wei < cost:
        message = (
            f"below the {in_ether(cost)} that both legs cost ({units} gas at {gas.floor_gas_price_wei} wei): "
            "a leg that lands alone eats the profit of an attempt"
        )
        yield Finding("JC230", "strategy", _FLOOR, message, f"at least {in_ether(cost)}")


def limits_bind(pools: PoolsConfig, strategy: StrategyConfig) -> Iterator[Finding]:
    """JC221 a pool's own limit is not above everybody's; JC222 what is enabled may be traded."""
    most, floor = strategy.limits.max_notional_wei, strategy.limits.min_profit_wei
    for index, pool in enumerate(pools.pools):
        path = ("pools", index, "max_notional_wei")
        if pool.max_notional_wei is not None and pool.max_notional_wei > most:
            message = (
                f"{in_ether(pool.max_notional_wei)} never binds: limits.max_notional_wei is {in_ether(most)}"
            )
            yield Finding("JC221", "pools", path, message)
        if pool.max_notional_wei is None or not pool.enabled:
            continue
        # With a floor above the limit for all JC220 has said it.
        if pool.max_notional_wei == 0 or pool.max_notional_wei <= floor < most:
            own = in_ether(pool.max_notional_wei)
            message = f"a mint of at most {own} never earns {in_ether(floor)} (limits.min_profit_wei)"
            if pool.max_notional_wei == 0:
                message = "an enabled pool that may mint nothing is never traded"
            yield Finding("JC222", "pools", path, message, "enabled = false says so plainly")
    traded = {token.symbol for pool in pools.pools if pool.enabled for token in (pool.token0, pool.token1)}
    for symbol, cap in strategy.limits.max_per_token.items():
        if cap == 0 and symbol in traded:
            message = f"pools with {symbol} are enabled, and none of it may be minted: they are never traded"
            yield Finding("JC222", "strategy", ("limits", "max_per_token", symbol), message)


CHECKS = (profit_below_notional, floor_above_gas, limits_bind)
