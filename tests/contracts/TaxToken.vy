# pragma version 0.4.3
# pragma evm-version cancun
"""A token that can keep a part of what one account sends, and of nobody else's transfers."""

balanceOf: public(HashMap[address, uint256])
taxed: address
tax_bps: uint256


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def tax(sender: address, bps: uint256):
    self.taxed = sender
    self.tax_bps = bps


@external
def transfer(to: address, amount: uint256) -> bool:
    kept: uint256 = amount * self.tax_bps // 10_000 if msg.sender == self.taxed else 0
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount - kept
    return True
