# pragma version 0.4.3
# pragma evm-version cancun
"""
@title An ordinary ERC-20 of the devnet
@license MIT
@notice Anyone may mint, exempt and block: it is play money. With `feeBps` > 0 every transfer burns that
        share of what is sent, except from or to an exempt account; a blocked account can neither send nor
        receive.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

name: public(String[32])
symbol: public(String[16])
decimals: public(immutable(uint8))
feeBps: public(immutable(uint256))
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
exempt: public(HashMap[address, bool])
blocked: public(HashMap[address, bool])


@deploy
def __init__(name: String[32], symbol: String[16], token_decimals: uint8, fee_bps: uint256):
    assert fee_bps < 10000
    self.name = name
    self.symbol = symbol
    decimals = token_decimals
    feeBps = fee_bps


@external
def mint(receiver: address, amount: uint256):
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@external
def setExempt(account: address, exempted: bool):
    self.exempt[account] = exempted


@external
def setBlocked(account: address, is_blocked: bool):
    self.blocked[account] = is_blocked


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    allowed: uint256 = self.allowance[sender][msg.sender]
    if allowed != max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._move(sender, receiver, amount)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert not self.blocked[sender] and not self.blocked[receiver], "account is blocked"
    self.balanceOf[sender] -= amount
    fee: uint256 = 0
    if feeBps != 0 and not self.exempt[sender] and not self.exempt[receiver]:
        fee = amount * feeBps // 10000
        self.totalSupply -= fee
        log Transfer(sender=sender, receiver=empty(address), value=fee)
    self.balanceOf[receiver] += amount - fee
    log Transfer(sender=sender, receiver=receiver, value=amount - fee)
