"""The configuration as the strategy and the engine know it."""

from __future__ import annotations

from fractions import Fraction

from jitctl.config.load import Config
from jitctl.config.models import PoolConfig, TokenConfig, weth_of
from jitctl.domain.values import Address, PoolSpec, Token
from jitctl.strategy.decode import RouterKind, Routers
from jitctl.strategy.inclusion import InclusionModel
from jitctl.strategy.limits import PoolLimits, StrategyParams


def pool_specs(config: Config, *, enabled_only: bool = False) -> tuple[PoolSpec, ...]:
    """Return the configured pools in the order of the file."""
    return tuple(_pool(pool) for pool in config.pools.pools if pool.enabled or not enabled_only)


def weth_address(config: Config) -> Address:
    """Return the one WETH of all pools; the rules have made sure that there is one."""
    return next(_pool(pool).weth.address for pool in config.pools.pools)


def routers(config: Config) -> Routers:
    """Return which address is which router."""
    listed = config.main.routers
    kinds = {
        RouterKind.V3: listed.v3,
        RouterKind.ROUTER02: listed.swap_router02,
        RouterKind.UNIVERSAL: listed.universal,
    }
    by_address = {Address(router): kind for kind, found in kinds.items() for router in found}
    return Routers(by_address, weth_address(config))


def tokens(config: Config) -> dict[str, Token]:
    """Return every token of every pool by symbol."""
    return {token.symbol: token for pool in pool_specs(config) for token in (pool.token0, pool.token1)}


def strategy_params(config: Config) -> StrategyParams:
    """Return strategy.toml, and the limits of pools.toml, as the strategy's own parameters."""
    strategy, known = config.strategy, tokens(config)
    limits, bid, gas, margins = strategy.limits, strategy.bid, strategy.gas, strategy.margins
    return StrategyParams(
        min_profit_wei=limits.min_profit_wei,
        max_notional_wei=limits.max_notional_wei,
        max_per_token={known[symbol].address: cap for symbol, cap in limits.max_per_token.items()},
        pool_limits={
            Address(pool.address): PoolLimits(max_notional_wei=pool.max_notional_wei)
            for pool in config.pools.pools
            if pool.max_notional_wei is not None
        },
        size_share=Fraction(limits.size_share_bps, 10_000),
        max_mark_age_s=config.main.prices.max_age_s,
        bid_min_share_bps=bid.min_share_bps,
        bid_max_share_bps=bid.max_share_bps,
        max_tip_share_bps=bid.max_tip_share_bps,
        inclusion=InclusionModel(**strategy.inclusion.model_dump()),
        mint_gas_units=gas.mint_gas,
        tick_init_gas_units=gas.tick_init_gas,
        burn_gas_units=gas.burn_gas,
        victim_base_gas_units=gas.victim_base_gas,
        victim_hop_gas_units=gas.victim_hop_gas,
        victim_tick_gas_units=gas.victim_tick_gas,
        victim_fresh_tick_up_gas_units=gas.victim_fresh_tick_up_gas,
        victim_fresh_tick_down_gas_units=gas.victim_fresh_tick_down_gas,
        fee_margin_bps=margins.fee_margin_bps,
        contract_margin_bps=margins.contract_margin_bps,
        mint_band_ppm=margins.mint_band_ppm,
        burn_band_ppm=margins.burn_band_ppm,
        unbundle_risk_bps=margins.unbundle_risk_bps,
        slot_s=config.main.chain.slot_seconds,
        deadline_margin_s=margins.deadline_margin_s,
        max_candidates=strategy.sizing.max_candidates,
        refine_evaluations=strategy.sizing.refine_evaluations,
        max_alternatives=strategy.sizing.max_alternatives,
    )


def _pool(pool: PoolConfig) -> PoolSpec:
    weth = weth_of(pool)
    return PoolSpec(
        name=pool.name,
        address=Address(pool.address),
        token0=_token(pool.token0),
        token1=_token(pool.token1),
        fee_pips=pool.fee_pips,
        tick_spacing=pool.tick_spacing,
        weth_is_token0=weth is pool.token0,
    )


def _token(token: TokenConfig) -> Token:
    return Token(token.symbol, Address(token.address), token.decimals)
