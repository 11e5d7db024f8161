# pragma version 0.4.3
# pragma evm-version cancun
"""An ERC-20 reduced to what a pool asks of it; anyone may mint."""

balanceOf: public(HashMap[address, uint256])


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def transfer(to: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    return True
