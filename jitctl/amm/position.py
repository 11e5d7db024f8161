"""A position's key and the fees it has earned."""

from __future__ import annotations

from eth_hash.auto import keccak

from jitctl.amm.full_math import MAX_UINT128, MAX_UINT256
from jitctl.domain.values import Address


def position_key(owner: Address, tick_lower: int, tick_upper: int) -> bytes:
    """Return the 32-byte key of a position in the pool's `positions` mapping."""
    packed = bytes.fromhex(owner[2:])
    packed += tick_lower.to_bytes(3, "big", signed=True) + tick_upper.to_bytes(3, "big", signed=True)
    key: bytes = keccak(packed)
    return key


def fee_growth_inside(
    tick_lower: int,
    tick_upper: int,
    tick_current: int,
    fee_growth_global_x128: int,
    fee_growth_outside_lower_x128: int,
    fee_growth_outside_upper_x128: int,
) -> int:
    """Return the fee growth per unit of liquidity inside a range, Q128, modulo 2^256 as on chain.

    Only differences of it mean something; each tick's "outside" is the side away from the current tick.
    """
    below = fee_growth_outside_lower_x128
    if tick_current < tick_lower:
        below = fee_growth_global_x128 - below
    above = fee_growth_outside_upper_x128
    if tick_current >= tick_upper:
        above = fee_growth_global_x128 - above
    return (fee_growth_global_x128 - below - above) & MAX_UINT256


def fees_owed(liquidity: int, growth_inside_x128: int, growth_inside_last_x128: int) -> int:
    """Return what a position earned between two readings of `fee_growth_inside`, rounded down."""
    growth = (growth_inside_x128 - growth_inside_last_x128) & MAX_UINT256
    return (liquidity * growth >> 128) & MAX_UINT128
