"""Ticks and square-root prices: sqrt(1.0001^tick) in Q64.96, to the contract's last bit."""

from __future__ import annotations

from functools import lru_cache
from math import floor, isqrt, log2
from typing import Final

from jitctl.amm.full_math import MAX_UINT256
from jitctl.amm.revert import PoolReverts

MIN_TICK: Final = -887272
MAX_TICK: Final = 887272
MIN_SQRT_RATIO: Final = 4295128739
MAX_SQRT_RATIO: Final = 1461446703485210103287273052203988822378723970342


def _inverse_root_powers() -> tuple[int, ...]:
    """Return round(2^128 * 1.0001^(-2^i / 2)) for i in 0..19, which are the contract's constants.

    Worked out with 512 fractional bits, so that 19 squarings leave far more than 128 correct ones.
    """
    scale = 512
    root = isqrt((10_000 << (2 * scale)) // 10_001)
    powers = []
    for _ in range(20):
        powers.append((root + (1 << (scale - 129))) >> (scale - 128))
        root = (root * root) >> scale
    return tuple(powers)


_INVERSE_ROOT_POWERS: Final = _inverse_root_powers()
_POWER_OF_BIT: Final = tuple((1 << bit, power) for bit, power in enumerate(_INVERSE_ROOT_POWERS))


@lru_cache(maxsize=1 << 17)
def get_sqrt_ratio_at_tick(tick: int) -> int:
    """Return sqrt(1.0001^tick) * 2^96, rounded as the contract does; `PoolReverts("T")` out of bounds.

    The product runs over the set bits of |tick| and is cut to 128 fractional bits after each factor, which
    decides the last bits of the result: the order and the cuts are part of the value.
    """
    magnitude = -tick if tick < 0 else tick
    if magnitude > MAX_TICK:
        raise PoolReverts("T", f"tick {tick} is outside [{MIN_TICK}, {MAX_TICK}]")
    ratio = 1 << 128
    for bit, power in _POWER_OF_BIT:
        if magnitude & bit:
            ratio = (ratio * power) >> 128
    if tick > 0:
        ratio = MAX_UINT256 // ratio
    return (ratio + 0xFFFFFFFF) >> 32


_TICKS_PER_OCTAVE: Final = 2 / log2(1.0001)
# A float's logarithm is good to 1e-9 of a tick; the ratios themselves are rounded integers, which at the
# lowest prices moves a boundary by 5e-6 of a tick. Closer to a boundary than this, integers decide.
_TOO_CLOSE: Final = 1e-4


def get_tick_at_sqrt_ratio(sqrt_price_x96: int) -> int:
    """Return the greatest tick whose ratio is at most the price; `PoolReverts("R")` out of bounds."""
    if not MIN_SQRT_RATIO <= sqrt_price_x96 < MAX_SQRT_RATIO:
        raise PoolReverts("R", f"sqrt price {sqrt_price_x96} is outside the bounds")
    estimate = (log2(sqrt_price_x96) - 96.0) * _TICKS_PER_OCTAVE
    tick = floor(estimate)
    above = estimate - tick
    if above < _TOO_CLOSE:
        if get_sqrt_ratio_at_tick(tick) > sqrt_price_x96:
            return tick - 1
    elif above > 1.0 - _TOO_CLOSE and get_sqrt_ratio_at_tick(tick + 1) <= sqrt_price_x96:
        return tick + 1
    return tick
