# pragma version 0.4.3
# pragma evm-version cancun
"""Opens the executor's reading of a pool's mean tick to tests."""

import pool_twap

interface Pool:
    def slot0() -> (uint160, int24, uint16, uint16, uint16, uint8, bool): view


@external
@view
def read(pool: address, window_s: uint256, max_shift: int256) -> (int256, int256):
    price: uint160 = 0
    tick: int24 = 0
    index: uint16 = 0
    cardinality: uint16 = 0
    next_cardinality: uint16 = 0
    fee_protocol: uint8 = 0
    unlocked: bool = False
    price, tick, index, cardinality, next_cardinality, fee_protocol, unlocked = staticcall Pool(pool).slot0()
    return pool_twap.read(
        pool, tick, convert(index, uint256), convert(cardinality, uint256), window_s, max_shift
    )
