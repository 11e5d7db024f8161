# pragma version 0.4.3
"""
@title What a position is worth in WETH
@notice Two questions, both at one fixed price P (that of a tick, as its sqrt price S): what are these
    amounts worth, and what is the least that a position can be worth wherever the pool's price goes?

    The second has an exact answer. While the pool's price p moves inside a range, the position trades at
    p: it gives dx of token0 for p * dx of token1, so at P its worth changes by (P - p) dx. Below P it buys
    token0 as p falls (gain), above P it sells token0 as p rises (gain); outside its range it does not
    trade. So its worth is least when p is at P, or at the edge of the range next to P. That minimum does
    not depend on where the price was at mint, on the path, or on how often it is crossed.

    Hence: loss <= worth(minted amounts) - least(liquidity, range), whatever anybody does to the pool.
    Fees only add (a pool's protocol cut is taken from fees, never from principal).

@dev Rounding. A pool pays a closing position its real amounts rounded down: at most 2 units of token0 and
    1 of token1 less. `least` rounds its own amounts down with the same formulae, and each worth loses at
    most a unit per division; 3 units of the other token and 8 wei cover all of it. `loss_bound` adds them.

    Overflow. Prices are held between 2 ** -48 and 2 ** 48 (MAX_PRICE_TICK), so 2 ** 72 < S < 2 ** 120, and
    amounts below 2 ** 112: no product here reaches 2 ** 256. Amounts above (only possible for gifts)
    count as 2 ** 112 - 1, so that valuing can never stop a position from closing.
"""

MAX_PRICE_TICK: constant(int256) = 332_000
MAX_AMOUNT: constant(uint256) = 2 ** 112 - 1


@internal
@pure
def worth(
    amount0: uint256, amount1: uint256, sqrt_price_x96: uint256, weth_is_token0: bool, round_up: bool
) -> uint256:
    """
    @return WETH wei of both amounts at the price, rounded down, or up in every step.
    """
    if weth_is_token0:
        # token1 is worth 1 / S**2
        pad: uint256 = unsafe_sub(sqrt_price_x96, 1) if round_up else 0
        part: uint256 = unsafe_div(unsafe_add(min(amount1, MAX_AMOUNT) << 96, pad), sqrt_price_x96)
        other: uint256 = unsafe_div(unsafe_add(part << 96, pad), sqrt_price_x96)
        return unsafe_add(min(amount0, MAX_AMOUNT), other)
    # token0 is worth S**2
    pad: uint256 = 2 ** 96 - 1 if round_up else 0
    part: uint256 = unsafe_add(unsafe_mul(min(amount0, MAX_AMOUNT), sqrt_price_x96), pad) >> 96
    other: uint256 = unsafe_add(unsafe_mul(part, sqrt_price_x96), pad) >> 96
    return unsafe_add(min(amount1, MAX_AMOUNT), other)


@internal
@pure
def least(
    liquidity: uint256, lower: uint256, upper: uint256, sqrt_price_x96: uint256, weth_is_token0: bool
) -> uint256:
    """
    @param lower The sqrt price at which the range begins; `upper` where it ends.
    @return The least WETH wei, at the price, that the position's principal can come to at any pool price.
    """
    at: uint256 = min(max(sqrt_price_x96, lower), upper)
    amount0: uint256 = ((liquidity * (upper - at) // at) << 96) // upper
    amount1: uint256 = (liquidity * (at - lower)) >> 96
    return self.worth(amount0, amount1, sqrt_price_x96, weth_is_token0, False)


@internal
@pure
def loss_bound(
    minted_wei: uint256,
    liquidity: uint256,
    lower: uint256,
    upper: uint256,
    sqrt_price_x96: uint256,
    weth_is_token0: bool,
) -> uint256:
    """
    @return WETH wei that closing can fall short of `minted_wei` (worth of the minted amounts, rounded up).
    """
    slack0: uint256 = 0 if weth_is_token0 else 3
    slack: uint256 = self.worth(slack0, 3 - slack0, sqrt_price_x96, weth_is_token0, True) + 8
    least_wei: uint256 = self.least(liquidity, lower, upper, sqrt_price_x96, weth_is_token0)
    return minted_wei + slack - min(least_wei, minted_wei)


@internal
@pure
def loss(
    given0: uint256,
    given1: uint256,
    given_wei: uint256,
    returned0: uint256,
    returned1: uint256,
    sqrt_price_x96: uint256,
    weth_is_token0: bool,
) -> uint256:
    """
    @param given_wei WETH that went another way (a tip).
    @return WETH wei, at the price, by which what was returned falls short of what was given; 0 for a gain.
    """
    given: uint256 = self.worth(given0, given1, sqrt_price_x96, weth_is_token0, True) + given_wei
    return given - min(given, self.worth(returned0, returned1, sqrt_price_x96, weth_is_token0, False))
