# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Uses up gas, so that blocks are as full as mainnet's and the base fee moves
@license MIT
"""

ROUNDS: constant(uint256) = 1000000


@external
def burn(amount: uint256):
    """Use `amount` of gas, to within some hundreds."""
    rest: uint256 = msg.gas - amount
    for i: uint256 in range(ROUNDS):
        if msg.gas < rest:
            break
