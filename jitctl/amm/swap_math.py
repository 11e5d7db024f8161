"""What a swap may ask, and one step of it: inside one liquidity, towards one target price."""

from __future__ import annotations

from typing import Final

from jitctl.amm.full_math import MAX_INT256, MIN_INT256
from jitctl.amm.revert import PoolReverts
from jitctl.amm.sqrt_price_math import get_next_sqrt_price_from_input, get_next_sqrt_price_from_output
from jitctl.amm.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO

ONE_IN_PIPS: Final = 1_000_000


def compute_swap_step(
    sqrt_price_x96: int, sqrt_target_x96: int, liquidity: int, amount_remaining: int, fee_pips: int
) -> tuple[int, int, int, int]:
    """Return (next price, amount in, amount out, fee amount) of one step.

    `amount_remaining` is signed as on chain: >= 0 input still to spend (fee included), < 0 output still to
    get. The direction follows from the prices. The fee is taken in the input token, on top of `amount in`.

    The amounts are those of `sqrt_price_math`, written out: a swap spends most of its time here. With
    `token1` = L * |difference of prices|, unscaled, token0 is `token1 << 96` over the product of the prices.
    """
    exact_in = amount_remaining >= 0
    zero_for_one = sqrt_price_x96 >= sqrt_target_x96
    if zero_for_one:
        token1 = liquidity * (sqrt_price_x96 - sqrt_target_x96)
        amount_in = -(-(token1 << 96) // (sqrt_price_x96 * sqrt_target_x96))
        amount_out = token1 >> 96
    else:
        token1 = liquidity * (sqrt_target_x96 - sqrt_price_x96)
        amount_in = -(-token1 >> 96)
        amount_out = (token1 << 96) // (sqrt_price_x96 * sqrt_target_x96)

    sqrt_next_x96 = sqrt_target_x96
    if exact_in:
        spendable = amount_remaining * (ONE_IN_PIPS - fee_pips) // ONE_IN_PIPS
        if spendable < amount_in:
            sqrt_next_x96 = get_next_sqrt_price_from_input(sqrt_price_x96, liquidity, spendable, zero_for_one)
    elif -amount_remaining < amount_out:
        sqrt_next_x96 = get_next_sqrt_price_from_output(
            sqrt_price_x96, liquidity, -amount_remaining, zero_for_one
        )
    if sqrt_next_x96 != sqrt_target_x96:
        if zero_for_one:
            token1 = liquidity * (sqrt_price_x96 - sqrt_next_x96)
            amount_in = -(-(token1 << 96) // (sqrt_price_x96 * sqrt_next_x96))
            amount_out = token1 >> 96
        else:
            token1 = liquidity * (sqrt_next_x96 - sqrt_price_x96)
            amount_in = -(-token1 >> 96)
            amount_out = (token1 << 96) // (sqrt_price_x96 * sqrt_next_x96)
        if exact_in:
            # The last step keeps whatever input is left as fee, which covers the rounding of the price.
            return sqrt_next_x96, amount_in, amount_out, amount_remaining - amount_in
    if not exact_in and amount_out > -amount_remaining:
        amount_out = -amount_remaining
    return sqrt_next_x96, amount_in, amount_out, -(-amount_in * fee_pips // (ONE_IN_PIPS - fee_pips))


def check_swap(
    sqrt_price_x96: int, zero_for_one: bool, amount_specified: int, sqrt_price_limit_x96: int
) -> int:
    """Return the price limit to use (0 stands for none); `PoolReverts` "AS" or "SPL" as the contract."""
    if not amount_specified or not MIN_INT256 <= amount_specified <= MAX_INT256:
        raise PoolReverts("AS", f"the amount specified is {amount_specified}")
    if zero_for_one:
        limit = sqrt_price_limit_x96 or MIN_SQRT_RATIO + 1
        if not MIN_SQRT_RATIO < limit < sqrt_price_x96:
            raise PoolReverts("SPL", f"limit {limit} is not below the price {sqrt_price_x96}")
    else:
        limit = sqrt_price_limit_x96 or MAX_SQRT_RATIO - 1
        if not sqrt_price_x96 < limit < MAX_SQRT_RATIO:
            raise PoolReverts("SPL", f"limit {limit} is not above the price {sqrt_price_x96}")
    return limit


def protocol_share(fee_protocol: int, zero_for_one: bool) -> int:
    """Return the denominator of the protocol's part of fees in that direction; 0 is none."""
    return fee_protocol % 16 if zero_for_one else fee_protocol >> 4
