# pragma version 0.4.3
# pragma evm-version cancun
"""Says that it is a pool."""

token0: public(immutable(address))
token1: public(immutable(address))
fee: public(immutable(uint24))


@deploy
def __init__(token0_: address, token1_: address, fee_: uint24):
    token0 = token0_
    token1 = token1_
    fee = fee_
