"""What a swap does to a pool."""

from __future__ import annotations

from typing import NamedTuple


class SwapResult(NamedTuple):
    """Amounts as the Swap event has them (the pool's view: positive comes in), and the state afterwards.

    `ticks_crossed` counts initialised ticks; `protocol_fee` is the protocol's part in the input token.
    """

    amount0: int
    amount1: int
    sqrt_price_x96: int
    tick: int
    liquidity: int
    ticks_crossed: int
    protocol_fee: int
