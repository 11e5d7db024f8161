# pragma version 0.4.3
# pragma evm-version cancun
"""
@title The devnet's passive liquidity provider: many positions in one transaction
@license MIT
@notice Holds the tokens it provides and pays whichever pool calls back in the middle of its own mint.
        Anyone may call it: it is play money.
"""

from ethereum.ercs import IERC20

interface Pool:
    def mint(recipient: address, tickLower: int24, tickUpper: int24, amount: uint128, data: Bytes[32]) -> (uint256, uint256): nonpayable
    def burn(tickLower: int24, tickUpper: int24, amount: uint128) -> (uint256, uint256): nonpayable
    def collect(recipient: address, tickLower: int24, tickUpper: int24, amount0: uint128, amount1: uint128) -> (uint128, uint128): nonpayable
    def token0() -> address: view
    def token1() -> address: view

struct Position:
    tickLower: int24
    tickUpper: int24
    liquidity: uint128

minting: transient(address)


@external
def provide(pool: address, positions: DynArray[Position, 512]):
    self.minting = pool
    for position: Position in positions:
        extcall Pool(pool).mint(self, position.tickLower, position.tickUpper, position.liquidity, b"")
    self.minting = empty(address)


@external
def remove(pool: address, positions: DynArray[Position, 512]):
    for position: Position in positions:
        extcall Pool(pool).burn(position.tickLower, position.tickUpper, position.liquidity)
        extcall Pool(pool).collect(
            self, position.tickLower, position.tickUpper, max_value(uint128), max_value(uint128)
        )


@external
def uniswapV3MintCallback(amount0: uint256, amount1: uint256, data: Bytes[32]):
    assert msg.sender == self.minting
    if amount0 != 0:
        extcall IERC20(staticcall Pool(msg.sender).token0()).transfer(
            msg.sender, amount0, default_return_value=True
        )
    if amount1 != 0:
        extcall IERC20(staticcall Pool(msg.sender).token1()).transfer(
            msg.sender, amount1, default_return_value=True
        )
