# pragma version 0.4.3
# pragma evm-version cancun
"""A hostile token: during a transfer it makes one call of its owner's choice, and fails if that fails."""

balanceOf: public(HashMap[address, uint256])
target: address
call: Bytes[1024]


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def arm(target: address, call: Bytes[1024]):
    self.target = target
    self.call = call


@external
def act(target: address, call: Bytes[1024]):
    raw_call(target, call)


@external
def transfer(to: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    if self.target != empty(address):
        raw_call(self.target, self.call)
    return True
