# pragma version 0.4.3
# pragma evm-version cancun
"""Everybody else in a pool: swaps, provides and gives, and pays for it from its own balance."""

interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable

interface Pool:
    def token0() -> address: view
    def token1() -> address: view
    def mint(recipient: address, tickLower: int24, tickUpper: int24, amount: uint128, data: Bytes[1]) -> (uint256, uint256): nonpayable
    def burn(tickLower: int24, tickUpper: int24, amount: uint128) -> (uint256, uint256): nonpayable
    def collect(recipient: address, tickLower: int24, tickUpper: int24, amount0: uint128, amount1: uint128) -> (uint128, uint128): nonpayable
    def swap(recipient: address, zeroForOne: bool, amount: int256, limit: uint160, data: Bytes[1]) -> (int256, int256): nonpayable


@external
def swap(pool: address, zero_for_one: bool, amount: int256, limit: uint160) -> (int256, int256):
    return extcall Pool(pool).swap(self, zero_for_one, amount, limit, b"")


@external
def mint(pool: address, recipient: address, lower: int24, upper: int24, amount: uint128) -> (uint256, uint256):
    return extcall Pool(pool).mint(recipient, lower, upper, amount, b"")


@external
def burn(pool: address, lower: int24, upper: int24, amount: uint128) -> (uint128, uint128):
    extcall Pool(pool).burn(lower, upper, amount)
    return extcall Pool(pool).collect(self, lower, upper, max_value(uint128), max_value(uint128))


@external
def uniswapV3MintCallback(amount0: uint256, amount1: uint256, data: Bytes[1]):
    self._pay(amount0, amount1)


@external
def uniswapV3SwapCallback(amount0: int256, amount1: int256, data: Bytes[1]):
    self._pay(convert(max(amount0, 0), uint256), convert(max(amount1, 0), uint256))


@internal
def _pay(amount0: uint256, amount1: uint256):
    if amount0 > 0:
        extcall Token(staticcall Pool(msg.sender).token0()).transfer(msg.sender, amount0, default_return_value=True)
    if amount1 > 0:
        extcall Token(staticcall Pool(msg.sender).token1()).transfer(msg.sender, amount1, default_return_value=True)
