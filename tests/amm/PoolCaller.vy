# pragma version 0.4.3
# pragma evm-version cancun
"""Acts on a pool, pays its callbacks, and reports the state that follows in the same reply."""

interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable

interface Pool:
    def token0() -> address: view
    def token1() -> address: view
    def liquidity() -> uint128: view
    def slot0() -> (uint160, int24, uint16, uint16, uint16, uint8, bool): view
    def protocolFees() -> (uint128, uint128): view
    def mint(recipient: address, tickLower: int24, tickUpper: int24, amount: uint128, data: Bytes[1]) -> (uint256, uint256): nonpayable
    def burn(tickLower: int24, tickUpper: int24, amount: uint128) -> (uint256, uint256): nonpayable
    def collect(recipient: address, tickLower: int24, tickUpper: int24, amount0Requested: uint128, amount1Requested: uint128) -> (uint128, uint128): nonpayable
    def swap(recipient: address, zeroForOne: bool, amountSpecified: int256, sqrtPriceLimitX96: uint160, data: Bytes[1]) -> (int256, int256): nonpayable

struct State:
    sqrtPriceX96: uint160
    tick: int24
    liquidity: uint128
    protocolFees0: uint128
    protocolFees1: uint128

struct Jit:
    minted0: uint256
    minted1: uint256
    amount0: int256
    amount1: int256
    liquidityInside: uint128
    burned0: uint256
    burned1: uint256
    collected0: uint128
    collected1: uint128


@external
def mint(pool: Pool, tickLower: int24, tickUpper: int24, amount: uint128) -> (uint256, uint256):
    return extcall pool.mint(self, tickLower, tickUpper, amount, b"")


@external
def burn(pool: Pool, tickLower: int24, tickUpper: int24, amount: uint128) -> (uint256, uint256):
    return extcall pool.burn(tickLower, tickUpper, amount)


@external
def collect(pool: Pool, tickLower: int24, tickUpper: int24) -> (uint128, uint128):
    return extcall pool.collect(self, tickLower, tickUpper, max_value(uint128), max_value(uint128))


@external
def swap(pool: Pool, zeroForOne: bool, amountSpecified: int256, sqrtPriceLimitX96: uint160) -> (int256, int256, State):
    amount0: int256 = 0
    amount1: int256 = 0
    amount0, amount1 = extcall pool.swap(self, zeroForOne, amountSpecified, sqrtPriceLimitX96, b"")
    return amount0, amount1, self._state(pool)


@external
def jit(
    pool: Pool,
    tickLower: int24,
    tickUpper: int24,
    liquidity: uint128,
    zeroForOne: bool,
    amountSpecified: int256,
    sqrtPriceLimitX96: uint160,
) -> (Jit, State):
    jit: Jit = empty(Jit)
    jit.minted0, jit.minted1 = extcall pool.mint(self, tickLower, tickUpper, liquidity, b"")
    jit.amount0, jit.amount1 = extcall pool.swap(self, zeroForOne, amountSpecified, sqrtPriceLimitX96, b"")
    jit.liquidityInside = staticcall pool.liquidity()
    jit.burned0, jit.burned1 = extcall pool.burn(tickLower, tickUpper, liquidity)
    jit.collected0, jit.collected1 = extcall pool.collect(
        self, tickLower, tickUpper, max_value(uint128), max_value(uint128)
    )
    return jit, self._state(pool)


@external
def uniswapV3MintCallback(amount0Owed: uint256, amount1Owed: uint256, data: Bytes[1]):
    self._pay(Pool(msg.sender), amount0Owed, amount1Owed)


@external
def uniswapV3SwapCallback(amount0Delta: int256, amount1Delta: int256, data: Bytes[1]):
    self._pay(Pool(msg.sender), convert(max(amount0Delta, 0), uint256), convert(max(amount1Delta, 0), uint256))


@internal
def _pay(pool: Pool, amount0: uint256, amount1: uint256):
    if amount0 > 0:
        extcall Token(staticcall pool.token0()).transfer(pool.address, amount0)
    if amount1 > 0:
        extcall Token(staticcall pool.token1()).transfer(pool.address, amount1)


@internal
@view
def _state(pool: Pool) -> State:
    state: State = empty(State)
    unused: uint16 = 0
    feeProtocol: uint8 = 0
    unlocked: bool = False
    state.sqrtPriceX96, state.tick, unused, unused, unused, feeProtocol, unlocked = staticcall pool.slot0()
    state.liquidity = staticcall pool.liquidity()
    state.protocolFees0, state.protocolFees1 = staticcall pool.protocolFees()
    return state
