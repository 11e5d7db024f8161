"""What an attempt is worth, in WETH wei, from exact amounts.

Value is the fees and the change in inventory at the external mark (`docs/economics.md`); fees are valued as
the executor contract values them, at the pool's TWAP, when a bound that the contract enforces is meant.
"""

from __future__ import annotations

from fractions import Fraction

from jitctl.amm.jit import JitOutcome
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.domain.plan import Marks
from jitctl.domain.values import PoolSpec
from jitctl.strategy.limits import StrategyParams

_Q192 = 1 << 192


class Valuer:
    """Two exact prices: WETH wei per base unit of token0 and of token1; sums are rounded down."""

    __slots__ = ("_common", "_weight0", "_weight1", "price0", "price1")

    def __init__(self, price0: Fraction, price1: Fraction) -> None:
        self.price0 = price0
        self.price1 = price1
        self._common = price0.denominator * price1.denominator
        self._weight0 = price0.numerator * price1.denominator
        self._weight1 = price1.numerator * price0.denominator

    def wei(self, amount0: int, amount1: int) -> int:
        """Return the value of signed amounts, rounded towards the lower value."""
        return (amount0 * self._weight0 + amount1 * self._weight1) // self._common


def mark_valuer(spec: PoolSpec, marks: Marks) -> Valuer | None:
    """Return the external mark of a pool's tokens, None when the one that is not WETH has none."""
    price = marks.weth_wei_per_base_unit.get(spec.quote_token.address)
    if price is None or price <= 0:
        return None
    return Valuer(Fraction(1), price) if spec.weth_is_token0 else Valuer(price, Fraction(1))


def pool_valuer(spec: PoolSpec, sqrt_price_x96: int) -> Valuer:
    """Return a pool's own price as a mark."""
    squared = sqrt_price_x96 * sqrt_price_x96
    if spec.weth_is_token0:
        return Valuer(Fraction(1), Fraction(_Q192, squared))
    return Valuer(Fraction(squared, _Q192), Fraction(1))


def twap_valuer(spec: PoolSpec, twap_tick: int) -> Valuer:
    """Return the price at a pool's TWAP tick as a mark: the executor contract's own."""
    return pool_valuer(spec, get_sqrt_ratio_at_tick(twap_tick))


def value_wei(outcome: JitOutcome, mark: Valuer) -> int:
    """Return fees plus inventory change, before gas and bid."""
    return mark.wei(
        outcome.burned0 + outcome.fees0 - outcome.minted0, outcome.burned1 + outcome.fees1 - outcome.minted1
    )


def gas_units(params: StrategyParams, new_ticks: int) -> int:
    """Return the gas of both legs when the mint initialises `new_ticks` ticks."""
    return params.mint_gas_units + params.burn_gas_units + new_ticks * params.tick_init_gas_units


def risk_wei(params: StrategyParams, next_base_fee_wei: int) -> int:
    """Return what the chance that our mint lands without the rest costs on average."""
    return params.mint_gas_units * next_base_fee_wei * params.unbundle_risk_bps // 10_000


def victim_headroom_gas(params: StrategyParams, gas_limit: int, hops: int, ticks_crossed: int) -> int:
    """Return the gas between the user's limit and our estimate of what the transaction uses without us."""
    used = (
        params.victim_base_gas_units
        + hops * params.victim_hop_gas_units
        + ticks_crossed * params.victim_tick_gas_units
    )
    return gas_limit - used


def victim_extra_gas(
    params: StrategyParams, zero_for_one: bool, adds_ticks: int, crossed_with: int, crossed_without: int
) -> int:
    """Return what our position adds to the user's gas, less that of ticks which are not reached any more.

    Crossing a fresh tick upwards writes its zero "outside" words for the first time (48k gas a tick on the
    published contract); downwards it clears them again, which costs little and is partly refunded.
    """
    fresh = params.victim_fresh_tick_down_gas_units if zero_for_one else params.victim_fresh_tick_up_gas_units
    return adds_ticks * fresh + (crossed_with - adds_ticks - crossed_without) * params.victim_tick_gas_units
