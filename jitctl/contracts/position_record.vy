# pragma version 0.4.3
"""
@title An open position in two slots
@notice Kept at mint, read at closing. The slots stay as they were after closing, but for the open flag:
    writing over them next time costs a quarter of filling empty ones.

        where    bits   0..127 liquidity      128..151 tickLower    152..175 tickUpper
                      176..199 twapTick       200..223 beganTick    224..254 block    255 open
        amounts  bits   0..103 amount0        104..207 amount1      208..255 boundGwei
"""

struct Position:
    open: bool
    tickLower: int24
    tickUpper: int24
    # The pool's mean tick and the tick that the block of the mint began with: the position is valued at
    # both from then on.
    twapTick: int24
    beganTick: int24
    liquidity: uint128
    blockNumber: uint256
    amount0: uint256
    amount1: uint256
    # What is reserved in the loss budget.
    boundGwei: uint256


LOWER_AT: constant(uint256) = 128
UPPER_AT: constant(uint256) = 152
TWAP_AT: constant(uint256) = 176
BEGAN_AT: constant(uint256) = 200
BLOCK_AT: constant(uint256) = 224
OPEN: constant(uint256) = 1 << 255
AMOUNT1_AT: constant(uint256) = 104
BOUND_AT: constant(uint256) = 208

LIQUIDITY_MASK: constant(uint256) = 2 ** 128 - 1
TICK_MASK: constant(uint256) = 2 ** 24 - 1
BLOCK_MASK: constant(uint256) = 2 ** 31 - 1
AMOUNT_MASK: constant(uint256) = 2 ** 104 - 1
BOUND_MASK: constant(uint256) = 2 ** 48 - 1

_where: HashMap[address, uint256]
_amounts: HashMap[address, uint256]


@internal
@view
def is_open(pool: address) -> bool:
    return self._where[pool] & OPEN != 0


@internal
def store(pool: address, position: Position):
    """
    @notice Keep it as open; reverts if an amount or the bound does not fit.
    """
    assert position.amount0 <= AMOUNT_MASK and position.amount1 <= AMOUNT_MASK, "amount too large"
    assert position.boundGwei <= BOUND_MASK, "loss bound too large"
    self._where[pool] = (
        convert(position.liquidity, uint256)
        | (self.tick_bits(position.tickLower) << LOWER_AT)
        | (self.tick_bits(position.tickUpper) << UPPER_AT)
        | (self.tick_bits(position.twapTick) << TWAP_AT)
        | (self.tick_bits(position.beganTick) << BEGAN_AT)
        | (position.blockNumber << BLOCK_AT)
        | OPEN
    )
    self._amounts[pool] = (
        position.amount0 | (position.amount1 << AMOUNT1_AT) | (position.boundGwei << BOUND_AT)
    )


@internal
def store_closed(pool: address):
    self._where[pool] = self._where[pool] & ~OPEN


@internal
@view
def load(pool: address) -> Position:
    """
    @return The open position, or the latest one with `open` false, or zeros.
    """
    where: uint256 = self._where[pool]
    amounts: uint256 = self._amounts[pool]
    return Position(
        open=where & OPEN != 0,
        tickLower=self._tick(where >> LOWER_AT),
        tickUpper=self._tick(where >> UPPER_AT),
        twapTick=self._tick(where >> TWAP_AT),
        beganTick=self._tick(where >> BEGAN_AT),
        liquidity=convert(where & LIQUIDITY_MASK, uint128),
        blockNumber=(where >> BLOCK_AT) & BLOCK_MASK,
        amount0=amounts & AMOUNT_MASK,
        amount1=(amounts >> AMOUNT1_AT) & AMOUNT_MASK,
        boundGwei=amounts >> BOUND_AT,
    )


@internal
@view
def load_open(pool: address) -> Position:
    assert self._where[pool] & OPEN != 0, "nothing open"
    return self.load(pool)


@internal
@pure
def tick_bits(tick: int24) -> uint256:
    """
    @return The tick as 24 bits of two's complement.
    """
    wide: int256 = convert(tick, int256)
    if wide < 0:
        wide += 2 ** 24
    return convert(wide, uint256)


@internal
@pure
def _tick(bits: uint256) -> int24:
    tick: int256 = convert(bits & TICK_MASK, int256)
    if tick >= 2 ** 23:
        tick -= 2 ** 24
    return convert(tick, int24)
