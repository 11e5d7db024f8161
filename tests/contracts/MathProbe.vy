# pragma version 0.4.3
# pragma evm-version cancun
"""Opens the executor's pure arithmetic to tests."""

import position_value
import tick_price


@external
@pure
def sqrtPrice(tick: int24) -> uint256:
    return tick_price.sqrt_price_x96(tick)


@external
@pure
def worth(amount0: uint256, amount1: uint256, price: uint256, weth_is_token0: bool, up: bool) -> uint256:
    return position_value.worth(amount0, amount1, price, weth_is_token0, up)


@external
@pure
def bound(
    minted: uint256, liquidity: uint256, lower: int24, upper: int24, price: uint256, weth_is_token0: bool
) -> uint256:
    return position_value.loss_bound(
        minted,
        liquidity,
        tick_price.sqrt_price_x96(lower),
        tick_price.sqrt_price_x96(upper),
        price,
        weth_is_token0,
    )
