"""Amounts between two prices, and the price that an amount leads to.

Every result is rounded in the pool's favour: amounts in up, amounts out down, prices so that the trader
never gets more than the curve allows. Liquidity L between prices a < b holds L * 2^96 * (b - a) / (a * b) of
token0 and L * (b - a) / 2^96 of token1.
"""

from __future__ import annotations

from jitctl.amm.full_math import MAX_UINT160, MAX_UINT256
from jitctl.amm.revert import PoolReverts


def get_amount0_delta(sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity: int, round_up: bool) -> int:
    """Return token0 base units between two prices, in either order."""
    product = sqrt_ratio_a_x96 * sqrt_ratio_b_x96
    if not product:
        raise PoolReverts("DIV0", "a price of zero")
    numerator = (liquidity << 96) * abs(sqrt_ratio_b_x96 - sqrt_ratio_a_x96)
    # The contract divides by b and then by a, rounding the same way twice: together one rounding of n / ab.
    return -(-numerator // product) if round_up else numerator // product


def get_amount1_delta(sqrt_ratio_a_x96: int, sqrt_ratio_b_x96: int, liquidity: int, round_up: bool) -> int:
    """Return token1 base units between two prices, in either order."""
    product = liquidity * abs(sqrt_ratio_b_x96 - sqrt_ratio_a_x96)
    return -(-product >> 96) if round_up else product >> 96


def get_next_sqrt_price_from_input(
    sqrt_price_x96: int, liquidity: int, amount_in: int, zero_for_one: bool
) -> int:
    """Return the price after `amount_in` (fee already taken) moved it; `PoolReverts` where there is none."""
    _require_curve(sqrt_price_x96, liquidity)
    if zero_for_one:
        return _price_after_amount0_in(sqrt_price_x96, liquidity, amount_in)
    price = sqrt_price_x96 + (amount_in << 96) // liquidity
    if price > MAX_UINT160:
        raise PoolReverts("OVERFLOW", "the price would be more than a uint160")
    return price


def get_next_sqrt_price_from_output(
    sqrt_price_x96: int, liquidity: int, amount_out: int, zero_for_one: bool
) -> int:
    """Return the price after `amount_out` was taken; `PoolReverts` where the curve holds less."""
    _require_curve(sqrt_price_x96, liquidity)
    if zero_for_one:
        price = sqrt_price_x96 - -(-(amount_out << 96) // liquidity)
        if price <= 0:
            raise PoolReverts("OUT", "more token1 than the curve holds")
        return price
    return _price_after_amount0_out(sqrt_price_x96, liquidity, amount_out)


def _price_after_amount0_in(sqrt_price_x96: int, liquidity: int, amount: int) -> int:
    if not amount:
        return sqrt_price_x96
    numerator = liquidity << 96
    product = amount * sqrt_price_x96
    denominator = numerator + product
    if product <= MAX_UINT256 and denominator <= MAX_UINT256:
        return -(-numerator * sqrt_price_x96 // denominator)
    # Where the product overflows 256 bits, the contract takes a coarser formula with other roundings.
    return -(-numerator // (numerator // sqrt_price_x96 + amount))


def _price_after_amount0_out(sqrt_price_x96: int, liquidity: int, amount: int) -> int:
    if not amount:
        return sqrt_price_x96
    numerator = liquidity << 96
    product = amount * sqrt_price_x96
    if product > MAX_UINT256 or numerator <= product:
        raise PoolReverts("OUT", "more token0 than the curve holds")
    price = -(-numerator * sqrt_price_x96 // (numerator - product))
    if price > MAX_UINT160:
        raise PoolReverts("OVERFLOW", "the price would be more than a uint160")
    return price


def _require_curve(sqrt_price_x96: int, liquidity: int) -> None:
    if sqrt_price_x96 <= 0 or liquidity <= 0:
        raise PoolReverts("CURVE", "no price or no liquidity")
