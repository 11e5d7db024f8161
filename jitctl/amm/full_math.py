"""Bounds of the EVM's integers and the three roundings of `a * b / c`.

Python's integers never overflow, so the 512-bit product of the contract's `FullMath` is plain arithmetic;
what remains of it is the direction of rounding and the bound of the result.
"""

from __future__ import annotations

from typing import Final

from jitctl.amm.revert import PoolReverts

Q96: Final = 1 << 96
Q128: Final = 1 << 128
MAX_UINT128: Final = (1 << 128) - 1
MAX_UINT160: Final = (1 << 160) - 1
MAX_UINT256: Final = (1 << 256) - 1
MIN_INT256: Final = -(1 << 255)
MAX_INT256: Final = (1 << 255) - 1


def mul_div(a: int, b: int, denominator: int) -> int:
    """Return floor(a * b / denominator); `PoolReverts` if that is no uint256 or the denominator is 0."""
    return _uint256(a * b // denominator) if denominator else _division_by_zero()


def mul_div_rounding_up(a: int, b: int, denominator: int) -> int:
    """Return ceil(a * b / denominator); `PoolReverts` if that is no uint256 or the denominator is 0."""
    return _uint256(-(-a * b // denominator)) if denominator else _division_by_zero()


def div_rounding_up(a: int, b: int) -> int:
    """Return ceil(a / b) of non-negative integers."""
    return -(-a // b)


def _uint256(value: int) -> int:
    if value > MAX_UINT256:
        raise PoolReverts("OVERFLOW", "a product divided is more than a uint256")
    return value


def _division_by_zero() -> int:
    raise PoolReverts("DIV0", "division by zero")
