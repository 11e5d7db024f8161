# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
"""
@title JitExecutor
@notice Holds the capital of a just-in-time liquidity bot, and opens and closes its Uniswap v3 positions.

    Who may do what
        owner     withdraws; names operators, the guardian, pools and the loss budget; halts and resumes
        operator  opens and closes positions in the pools that the owner allowed, within their rules
        guardian  halts and closes; can take nothing out
    Closing always pays this contract. Halting stops openings only.

    The promise
        A stolen operator key can lose at most the owner's budget in any 24 hours, measured in WETH at the
        pool's own time-weighted price (TWAP) as read when each position was opened.

        Why it holds. From the minted amounts, the least that a position can ever be worth at that price is
        known exactly (`position_value.vy`); the difference is reserved before the opening is accepted and
        replaced by the true loss at closing (`loss_budget.vy`). It does not depend on who moves the pool's
        price, how far, how often, or in which block the position is closed. The tip is limited to a share
        of the fees that the same closing collected, so principal cannot leave through it. There are no
        approvals, and nothing else that an operator may call moves a token out.

        What it does not say. The TWAP is not the market. If it is off by k ticks, an attacker who trades
        against our positions can gain k / 10000 of what he turns over, and at that TWAP it is no loss.
        (1) Inside one block the TWAP cannot be moved: the pool closes its record with the price that the
        block began with. (2) A price left false at the end of one block counts for one block's seconds:
        `twapWindowS` dilutes it, and since it lies in one half of the window, the rule that both halves
        agree within 2 * maxSpotTicks keeps its effect on the TWAP within maxSpotTicks. (3) A price held
        false against all arbitrage through both halves of the window passes for the market, here as
        everywhere. Then the loss at the true price is bounded by the capital in this contract times the
        error, not by the budget. So: deep pools only, a window of 30 minutes or more, maxSpotTicks as small
        as the market allows, and no more capital here than is in use.
        The reverse holds too: after a real move of the market the TWAP lags, and honest openings book a
        loss of up to the lag (gains are never credited). maxSpotTicks limits that as well.
        Pools must be of tokens that move exactly the stated amounts; a token that begins to tax transfers
        makes openings revert ("M0"/"M1", the pool's own check) as soon as it is paid in.

    Gifts. Anybody can add liquidity to our positions in a pool. Closing withdraws our own liquidity, so a
    gift can neither block nor falsify anything (its fees come to us as fees); `close` and `sweep` bring
    home the rest.
"""

import loss_budget
import position_value
import tick_price

initializes: loss_budget


interface IERC20:
    def transfer(to: address, amount: uint256) -> bool: nonpayable

interface IWETH:
    def withdraw(amount: uint256): nonpayable

interface IFactory:
    def getPool(token0: address, token1: address, fee: uint24) -> address: view

interface IPool:
    def token0() -> address: view
    def token1() -> address: view
    def fee() -> uint24: view
    def slot0() -> (uint160, int24, uint16, uint16, uint16, uint8, bool): view
    def observe(secondsAgos: DynArray[uint32, 3]) -> (DynArray[int56, 3], DynArray[uint160, 3]): view
    def positions(key: bytes32) -> (uint128, uint256, uint256, uint128, uint128): view
    def mint(
        recipient: address, tickLower: int24, tickUpper: int24, amount: uint128, data: Bytes[1]
    ) -> (uint256, uint256): nonpayable
    def burn(tickLower: int24, tickUpper: int24, amount: uint128) -> (uint256, uint256): nonpayable
    def collect(
        recipient: address, tickLower: int24, tickUpper: int24, amount0: uint128, amount1: uint128
    ) -> (uint128, uint128): nonpayable


event Minted:
    pool: indexed(address)
    tickLower: int24
    tickUpper: int24
    liquidity: uint128
    amount0: uint256
    amount1: uint256

event Burned:
    pool: indexed(address)
    collected0: uint256
    collected1: uint256
    fees0: uint256
    fees1: uint256
    tipWei: uint256
    lossWei: uint256
    sameBlock: bool

event Closed:
    pool: indexed(address)
    by: address
    collected0: uint256
    collected1: uint256
    lossWei: uint256

event Swept:
    pool: indexed(address)
    by: address
    collected0: uint256
    collected1: uint256

event LossRecorded:
    pool: indexed(address)
    lossWei: uint256
    spentWei: uint256

event Halted:
    by: address

event Unhalted:
    by: address

event OperatorSet:
    operator: indexed(address)
    allowed: bool

event GuardianSet:
    guardian: indexed(address)

event PoolSet:
    pool: indexed(address)
    allowed: bool
    maxSpotTicks: uint24
    maxRangeTicks: uint24
    twapWindowS: uint32
    maxNotionalWei: uint256
    maxTipBps: uint16

event BudgetSet:
    weiPer24h: uint256

event OwnershipOffered:
    to: indexed(address)

event OwnershipTaken:
    by: indexed(address)

event Withdrawn:
    token: indexed(address)
    amount: uint256
    to: address


struct Position:
    open: bool
    tickLower: int24
    tickUpper: int24
    twapTick: int24
    liquidity: uint128
    blockNumber: uint256
    amount0: uint256
    amount1: uint256
    boundGwei: uint256


# A pool's rules in one slot:
#   bits 0..127 maxNotionalWei, 128..159 twapWindowS, 160..183 maxSpotTicks, 184..207 maxRangeTicks,
#   208..223 maxTipBps, 224 WETH is token0, 225 known (set once), 226 allowed
RULE_WINDOW_AT: constant(uint256) = 128
RULE_SPOT_AT: constant(uint256) = 160
RULE_RANGE_AT: constant(uint256) = 184
RULE_TIP_AT: constant(uint256) = 208
RULE_WETH_IS_TOKEN0: constant(uint256) = 1 << 224
RULE_KNOWN: constant(uint256) = 1 << 225
RULE_ALLOWED: constant(uint256) = 1 << 226

# A position in two slots, of which the first stays non-zero after closing (a later opening is cheaper):
#   liquidity 0..127, tickLower 128..151, tickUpper 152..175, twapTick 176..199, block 200..239, open 240
#   amount0 0..103, amount1 104..207, boundGwei 208..255
POSITION_LOWER_AT: constant(uint256) = 128
POSITION_UPPER_AT: constant(uint256) = 152
POSITION_TWAP_AT: constant(uint256) = 176
POSITION_BLOCK_AT: constant(uint256) = 200
POSITION_OPEN: constant(uint256) = 1 << 240
POSITION_AMOUNT1_AT: constant(uint256) = 104
POSITION_BOUND_AT: constant(uint256) = 208

TICK_BITS_MASK: constant(uint256) = 2 ** 24 - 1
WINDOW_BITS_MASK: constant(uint256) = 2 ** 32 - 1
TIP_BITS_MASK: constant(uint256) = 2 ** 16 - 1
LIQUIDITY_BITS_MASK: constant(uint256) = 2 ** 128 - 1
BLOCK_BITS_MASK: constant(uint256) = 2 ** 40 - 1
AMOUNT_BITS_MASK: constant(uint256) = 2 ** 104 - 1
NOTIONAL_BITS_MASK: constant(uint256) = 2 ** 128 - 1
BOUND_BITS_MASK: constant(uint256) = 2 ** 48 - 1

MAX_RANGE_TICKS: constant(uint24) = 20_000
MIN_WINDOW_S: constant(uint32) = 60
BPS: constant(uint256) = 10_000
WEI_PER_GWEI: constant(uint256) = 10 ** 9
# Enough for a fee recipient behind a proxy that logs; too little to do anything costly with our gas.
TIP_GAS: constant(uint256) = 20_000

weth: public(immutable(address))
factory: public(immutable(address))

owner: public(address)
pendingOwner: public(address)
guardian: public(address)
isOperator: public(HashMap[address, bool])

_rules: HashMap[address, uint256]
_position_where: HashMap[address, uint256]
_position_amounts: HashMap[address, uint256]

# What the mint under way expects to be asked for; empty at any other time.
_expected_pool: transient(address)
_expected_max0: transient(uint256)
_expected_max1: transient(uint256)


@deploy
def __init__(owner_: address, weth_: address, factory_: address):
    assert owner_ != empty(address) and weth_ != empty(address) and factory_ != empty(address), "zero address"
    self.owner = owner_
    weth = weth_
    factory = factory_


@external
@payable
def __default__():
    """
    @notice Ether comes only from unwrapping for a tip.
    """
    assert msg.sender == weth, "only WETH"


# Opening


@external
@nonreentrant
def mint(
    pool: address,
    tickLower: int24,
    tickUpper: int24,
    liquidity: uint128,
    amount0Max: uint256,
    amount1Max: uint256,
    targetBlock: uint256,
    parentHash: bytes32,
    sqrtPriceMinX96: uint160,
    sqrtPriceMaxX96: uint160,
):
    """
    @notice Open the position of a pool, in exactly one block on exactly one parent.
    @dev Block, parent, band and maxima are the caller's own guards; all the others are the owner's.
    """
    assert self.isOperator[msg.sender], "not operator"
    assert block.number == targetBlock, "wrong block"
    assert blockhash(unsafe_sub(block.number, 1)) == parentHash, "wrong parent"
    rules: uint256 = self._rules[pool]
    assert rules & RULE_ALLOWED != 0, "pool not allowed"
    ledger: uint256 = loss_budget.load()
    loss_budget.check_may_open(ledger)
    assert self._position_where[pool] & POSITION_OPEN == 0, "already open"

    twap: int24 = self._checked_twap(
        pool, rules, tickLower, tickUpper, sqrtPriceMinX96, sqrtPriceMaxX96
    )

    self._expected_pool = pool
    self._expected_max0 = amount0Max
    self._expected_max1 = amount1Max
    amount0: uint256 = 0
    amount1: uint256 = 0
    amount0, amount1 = extcall IPool(pool).mint(self, tickLower, tickUpper, liquidity, b"")
    assert self._expected_pool == empty(address), "not called back"
    assert amount0 <= AMOUNT_BITS_MASK and amount1 <= AMOUNT_BITS_MASK, "amount too large"

    weth_is_token0: bool = rules & RULE_WETH_IS_TOKEN0 != 0
    price: uint256 = tick_price.sqrt_price_x96(twap)
    minted_wei: uint256 = position_value.worth(amount0, amount1, price, weth_is_token0, True)
    assert minted_wei <= rules & NOTIONAL_BITS_MASK, "notional over limit"
    bound_wei: uint256 = position_value.loss_bound(
        minted_wei, convert(liquidity, uint256), tickLower, tickUpper, price, weth_is_token0
    )
    bound_gwei: uint256 = (bound_wei + (WEI_PER_GWEI - 1)) // WEI_PER_GWEI
    assert bound_gwei <= BOUND_BITS_MASK, "loss bound too large"
    loss_budget.store(loss_budget.opened(ledger, bound_gwei))

    self._position_where[pool] = (
        convert(liquidity, uint256)
        | (self._tick_bits(tickLower) << POSITION_LOWER_AT)
        | (self._tick_bits(tickUpper) << POSITION_UPPER_AT)
        | (self._tick_bits(twap) << POSITION_TWAP_AT)
        | (block.number << POSITION_BLOCK_AT)
        | POSITION_OPEN
    )
    self._position_amounts[pool] = (
        amount0 | (amount1 << POSITION_AMOUNT1_AT) | (bound_gwei << POSITION_BOUND_AT)
    )
    log Minted(
        pool=pool,
        tickLower=tickLower,
        tickUpper=tickUpper,
        liquidity=liquidity,
        amount0=amount0,
        amount1=amount1,
    )


@internal
@view
def _checked_twap(
    pool: address,
    rules: uint256,
    tick_lower: int24,
    tick_upper: int24,
    sqrt_price_min: uint160,
    sqrt_price_max: uint160,
) -> int24:
    """
    @return The pool's TWAP tick, with spot, range and both halves of the window near enough to it.
    """
    sqrt_price: uint160 = 0
    tick: int24 = 0
    index: uint16 = 0
    cardinality: uint16 = 0
    cardinality_next: uint16 = 0
    fee_protocol: uint8 = 0
    unlocked: bool = False
    sqrt_price, tick, index, cardinality, cardinality_next, fee_protocol, unlocked = staticcall IPool(pool).slot0()
    assert sqrt_price >= sqrt_price_min and sqrt_price <= sqrt_price_max, "price outside band"

    window: uint256 = (rules >> RULE_WINDOW_AT) & WINDOW_BITS_MASK
    half: uint256 = window >> 1
    cumulatives: DynArray[int56, 3] = []
    ignored: DynArray[uint160, 3] = []
    cumulatives, ignored = staticcall IPool(pool).observe(
        [convert(window, uint32), convert(half, uint32), 0]
    )
    begin: int256 = convert(cumulatives[0], int256)
    middle: int256 = convert(cumulatives[1], int256)
    end: int256 = convert(cumulatives[2], int256)
    twap: int256 = self._mean_tick(end - begin, window)
    early: int256 = self._mean_tick(middle - begin, window - half)
    late: int256 = self._mean_tick(end - middle, half)

    max_spot: int256 = convert((rules >> RULE_SPOT_AT) & TICK_BITS_MASK, int256)
    assert abs(late - early) <= 2 * max_spot, "twap unsteady"
    assert abs(convert(tick, int256) - twap) <= max_spot, "spot far from twap"
    max_range: int256 = convert((rules >> RULE_RANGE_AT) & TICK_BITS_MASK, int256)
    assert (
        convert(tick_lower, int256) >= twap - max_range and convert(tick_upper, int256) <= twap + max_range
    ), "range far from twap"
    assert abs(twap) <= position_value.MAX_PRICE_TICK, "price out of reach"
    return convert(twap, int24)


@internal
@pure
def _mean_tick(cumulative: int256, seconds: uint256) -> int256:
    """
    @dev Division truncates toward zero; a mean tick is the floor.
    """
    span: int256 = convert(seconds, int256)
    mean: int256 = cumulative // span
    if cumulative < 0 and cumulative % span != 0:
        mean -= 1
    return mean


@external
def uniswapV3MintCallback(amount0Owed: uint256, amount1Owed: uint256, data: Bytes[1]):
    """
    @notice Pay what the pool of the mint under way is owed, once.
    """
    pool: address = self._expected_pool
    assert msg.sender == pool, "unexpected callback"
    self._expected_pool = empty(address)
    assert amount0Owed <= self._expected_max0 and amount1Owed <= self._expected_max1, "amount over maximum"
    weth_is_token0: bool = self._rules[pool] & RULE_WETH_IS_TOKEN0 != 0
    if amount0Owed != 0:
        self._send(weth if weth_is_token0 else staticcall IPool(pool).token0(), pool, amount0Owed)
    if amount1Owed != 0:
        self._send(staticcall IPool(pool).token1() if weth_is_token0 else weth, pool, amount1Owed)


@internal
def _send(token: address, to: address, amount: uint256):
    """
    @dev A token may return nothing, true, or fail in its own way; any failure has this one name.
    """
    done: bool = False
    returned: Bytes[32] = b""
    done, returned = raw_call(
        token,
        abi_encode(to, amount, method_id=method_id("transfer(address,uint256)")),
        max_outsize=32,
        revert_on_failure=False,
    )
    if len(returned) != 0:
        done = done and len(returned) == 32 and convert(convert(returned, bytes32), uint256) == 1
    assert done, "token transfer failed"


# Closing


@external
@nonreentrant
def burn(
    pool: address,
    minFeesWei: uint256,
    sqrtPriceMinX96: uint160,
    sqrtPriceMaxX96: uint160,
    tipWei: uint256,
):
    """
    @notice Close a pool's position. In the block of its mint: only if it earned at least `minFeesWei`
        (worth at the TWAP of the mint) and the price is inside the band, then pay the block's builder.
        In a later block: without conditions and without tip.
    """
    assert self.isOperator[msg.sender], "not operator"
    position: Position = self._open_position(pool)
    same_block: bool = position.blockNumber == block.number
    if same_block:
        sqrt_price: uint160 = self._sqrt_price(pool)
        assert sqrt_price >= sqrtPriceMinX96 and sqrt_price <= sqrtPriceMaxX96, "price outside band"

    principal0: uint256 = 0
    principal1: uint256 = 0
    principal0, principal1 = extcall IPool(pool).burn(position.tickLower, position.tickUpper, position.liquidity)
    collected0: uint256 = 0
    collected1: uint256 = 0
    collected0, collected1 = self._collect(pool, position.tickLower, position.tickUpper)

    rules: uint256 = self._rules[pool]
    fees0: uint256 = collected0 - principal0
    fees1: uint256 = collected1 - principal1
    tip_wei: uint256 = 0
    price: uint256 = tick_price.sqrt_price_x96(position.twapTick)
    if same_block:
        weth_is_token0: bool = rules & RULE_WETH_IS_TOKEN0 != 0
        fees_wei: uint256 = position_value.worth(fees0, fees1, price, weth_is_token0, False)
        assert fees_wei >= minFeesWei, "fees below minimum"
        tip_wei = tipWei
        max_tip_bps: uint256 = (rules >> RULE_TIP_AT) & TIP_BITS_MASK
        assert tip_wei * BPS <= fees_wei * max_tip_bps, "tip over share"

    loss_wei: uint256 = self._settle(pool, rules, position, price, collected0, collected1, tip_wei)
    if tip_wei != 0:
        extcall IWETH(weth).withdraw(tip_wei)
        paid: bool = raw_call(block.coinbase, b"", value=tip_wei, gas=TIP_GAS, revert_on_failure=False)
        assert paid, "tip refused"
    log Burned(
        pool=pool,
        collected0=collected0,
        collected1=collected1,
        fees0=fees0,
        fees1=fees1,
        tipWei=tip_wei,
        lossWei=loss_wei,
        sameBlock=same_block,
    )


@external
@nonreentrant
def close(pool: address):
    """
    @notice Close a pool's position now, whatever it earned, in any block; gifts to it come home too.
    """
    self._check_any_role()
    position: Position = self._open_position(pool)
    collected0: uint256 = 0
    collected1: uint256 = 0
    collected0, collected1 = self._withdraw_all(pool, position.tickLower, position.tickUpper)
    price: uint256 = tick_price.sqrt_price_x96(position.twapTick)
    loss_wei: uint256 = self._settle(pool, self._rules[pool], position, price, collected0, collected1, 0)
    log Closed(pool=pool, by=msg.sender, collected0=collected0, collected1=collected1, lossWei=loss_wei)


@external
@nonreentrant
def sweep(pool: address, tickLower: int24, tickUpper: int24):
    """
    @notice Bring home what others left at our name in a range of a pool where we have nothing open.
    """
    self._check_any_role()
    assert self._rules[pool] != 0, "pool not known"
    assert self._position_where[pool] & POSITION_OPEN == 0, "already open"
    collected0: uint256 = 0
    collected1: uint256 = 0
    collected0, collected1 = self._withdraw_all(pool, tickLower, tickUpper)
    log Swept(pool=pool, by=msg.sender, collected0=collected0, collected1=collected1)


@internal
def _withdraw_all(pool: address, tick_lower: int24, tick_upper: int24) -> (uint256, uint256):
    """
    @return All that the pool holds at our name in the range: our liquidity, gifts, fees.
    """
    key: bytes32 = keccak256(
        concat(
            convert(self, bytes20),
            convert(convert(self._tick_bits(tick_lower), uint24), bytes3),
            convert(convert(self._tick_bits(tick_upper), uint24), bytes3),
        )
    )
    liquidity: uint128 = 0
    growth0: uint256 = 0
    growth1: uint256 = 0
    owed0: uint128 = 0
    owed1: uint128 = 0
    liquidity, growth0, growth1, owed0, owed1 = staticcall IPool(pool).positions(key)
    if liquidity != 0:
        extcall IPool(pool).burn(tick_lower, tick_upper, liquidity)
    collected0: uint256 = 0
    collected1: uint256 = 0
    collected0, collected1 = self._collect(pool, tick_lower, tick_upper)
    return collected0, collected1


@internal
def _collect(pool: address, tick_lower: int24, tick_upper: int24) -> (uint256, uint256):
    amount0: uint128 = 0
    amount1: uint128 = 0
    amount0, amount1 = extcall IPool(pool).collect(
        self, tick_lower, tick_upper, max_value(uint128), max_value(uint128)
    )
    return convert(amount0, uint256), convert(amount1, uint256)


@internal
def _settle(
    pool: address,
    rules: uint256,
    position: Position,
    price: uint256,
    collected0: uint256,
    collected1: uint256,
    tip_wei: uint256,
) -> uint256:
    """
    @notice Mark the position closed and move its reserve to what was really lost.
    @return The loss in WETH wei at the TWAP of the mint, the tip included; 0 for a gain.
    """
    weth_is_token0: bool = rules & RULE_WETH_IS_TOKEN0 != 0
    given: uint256 = (
        position_value.worth(position.amount0, position.amount1, price, weth_is_token0, True) + tip_wei
    )
    returned: uint256 = position_value.worth(collected0, collected1, price, weth_is_token0, False)
    loss_wei: uint256 = given - min(given, returned)
    self._position_where[pool] = self._position_where[pool] & ~POSITION_OPEN
    before: uint256 = loss_budget.load()
    after: uint256 = loss_budget.closed(before, position.boundGwei, loss_wei)
    loss_budget.store(after)
    if loss_wei != 0:
        log LossRecorded(pool=pool, lossWei=loss_wei, spentWei=loss_budget.spent_wei(after))
        if loss_budget.is_halted(after) and not loss_budget.is_halted(before):
            log Halted(by=self)
    return loss_wei


@internal
@view
def _open_position(pool: address) -> Position:
    where: uint256 = self._position_where[pool]
    assert where & POSITION_OPEN != 0, "nothing open"
    return self._unpacked(where, self._position_amounts[pool])


@internal
@pure
def _unpacked(where: uint256, amounts: uint256) -> Position:
    return Position(
        open=where & POSITION_OPEN != 0,
        tickLower=self._tick(where >> POSITION_LOWER_AT),
        tickUpper=self._tick(where >> POSITION_UPPER_AT),
        twapTick=self._tick(where >> POSITION_TWAP_AT),
        liquidity=convert(where & LIQUIDITY_BITS_MASK, uint128),
        blockNumber=(where >> POSITION_BLOCK_AT) & BLOCK_BITS_MASK,
        amount0=amounts & AMOUNT_BITS_MASK,
        amount1=(amounts >> POSITION_AMOUNT1_AT) & AMOUNT_BITS_MASK,
        boundGwei=amounts >> POSITION_BOUND_AT,
    )


@internal
@pure
def _tick_bits(tick: int24) -> uint256:
    return convert(convert(tick, int256), uint256) & TICK_BITS_MASK if tick >= 0 else convert(
        convert(tick, int256) + 2 ** 24, uint256
    )


@internal
@pure
def _tick(bits: uint256) -> int24:
    tick: int256 = convert(bits & TICK_BITS_MASK, int256)
    if tick >= 2 ** 23:
        tick -= 2 ** 24
    return convert(tick, int24)


@internal
@view
def _sqrt_price(pool: address) -> uint160:
    sqrt_price: uint160 = 0
    tick: int24 = 0
    index: uint16 = 0
    cardinality: uint16 = 0
    cardinality_next: uint16 = 0
    fee_protocol: uint8 = 0
    unlocked: bool = False
    sqrt_price, tick, index, cardinality, cardinality_next, fee_protocol, unlocked = staticcall IPool(pool).slot0()
    return sqrt_price


@internal
@view
def _check_any_role():
    assert (
        self.isOperator[msg.sender] or msg.sender == self.guardian or msg.sender == self.owner
    ), "not allowed"


# Halting


@external
@nonreentrant
def halt():
    """
    @notice Stop openings. Closing goes on.
    """
    assert msg.sender == self.guardian or msg.sender == self.owner, "not guardian"
    loss_budget.store(loss_budget.halted(loss_budget.load(), True))
    log Halted(by=msg.sender)


@external
@nonreentrant
def unhalt():
    self._check_owner()
    loss_budget.store(loss_budget.halted(loss_budget.load(), False))
    log Unhalted(by=msg.sender)


# The owner's settings


@internal
@view
def _check_owner():
    assert msg.sender == self.owner, "not owner"


@external
@nonreentrant
def setOperator(operator: address, allowed: bool):
    self._check_owner()
    self.isOperator[operator] = allowed
    log OperatorSet(operator=operator, allowed=allowed)


@external
@nonreentrant
def setGuardian(guardian: address):
    self._check_owner()
    self.guardian = guardian
    log GuardianSet(guardian=guardian)


@external
@nonreentrant
def setPool(
    pool: address,
    allowed: bool,
    maxSpotTicks: uint24,
    maxRangeTicks: uint24,
    twapWindowS: uint32,
    maxNotionalWei: uint256,
    maxTipBps: uint16,
):
    """
    @notice Allow a pool of the factory that has WETH on one side, under these rules, or no longer.
    """
    self._check_owner()
    token0: address = staticcall IPool(pool).token0()
    token1: address = staticcall IPool(pool).token1()
    fee: uint24 = staticcall IPool(pool).fee()
    assert staticcall IFactory(factory).getPool(token0, token1, fee) == pool, "not of the factory"
    assert token0 == weth or token1 == weth, "no WETH side"
    assert twapWindowS >= MIN_WINDOW_S, "window too short"
    assert maxSpotTicks <= MAX_RANGE_TICKS and maxRangeTicks <= MAX_RANGE_TICKS, "too many ticks"
    assert maxNotionalWei <= NOTIONAL_BITS_MASK, "notional too large"
    assert convert(maxTipBps, uint256) <= BPS, "share over one"
    rules: uint256 = (
        maxNotionalWei
        | (convert(twapWindowS, uint256) << RULE_WINDOW_AT)
        | (convert(maxSpotTicks, uint256) << RULE_SPOT_AT)
        | (convert(maxRangeTicks, uint256) << RULE_RANGE_AT)
        | (convert(maxTipBps, uint256) << RULE_TIP_AT)
        | RULE_KNOWN
    )
    if token0 == weth:
        rules |= RULE_WETH_IS_TOKEN0
    if allowed:
        rules |= RULE_ALLOWED
    self._rules[pool] = rules
    log PoolSet(
        pool=pool,
        allowed=allowed,
        maxSpotTicks=maxSpotTicks,
        maxRangeTicks=maxRangeTicks,
        twapWindowS=twapWindowS,
        maxNotionalWei=maxNotionalWei,
        maxTipBps=maxTipBps,
    )


@external
@nonreentrant
def setBudget(weiPer24h: uint256):
    """
    @notice Set what may be lost in 24 hours; fractions of a gwei are dropped.
    """
    self._check_owner()
    loss_budget.store(loss_budget.with_budget(loss_budget.load(), weiPer24h))
    log BudgetSet(weiPer24h=weiPer24h)


@external
@nonreentrant
def withdraw(token: address, amount: uint256, to: address):
    self._check_owner()
    assert to != empty(address), "zero address"
    self._send(token, to, amount)
    log Withdrawn(token=token, amount=amount, to=to)


@external
@nonreentrant
def withdrawEth(amount: uint256, to: address):
    self._check_owner()
    assert to != empty(address), "zero address"
    raw_call(to, b"", value=amount)
    log Withdrawn(token=empty(address), amount=amount, to=to)


@external
@nonreentrant
def transferOwnership(to: address):
    """
    @notice Offer ownership; it changes hands when `to` takes it.
    """
    self._check_owner()
    self.pendingOwner = to
    log OwnershipOffered(to=to)


@external
@nonreentrant
def acceptOwnership():
    assert msg.sender == self.pendingOwner, "not offered"
    self.owner = msg.sender
    self.pendingOwner = empty(address)
    log OwnershipTaken(by=msg.sender)


# Views


@external
@view
def halted() -> bool:
    return loss_budget.is_halted(loss_budget.load())


@external
@view
def budget() -> uint256:
    """
    @return WETH wei per 24 hours.
    """
    return loss_budget.budget_wei(loss_budget.load())


@external
@view
def spent24h() -> uint256:
    """
    @return WETH wei lost in this hour and the 24 before it.
    """
    return loss_budget.spent_wei(loss_budget.load())


@external
@view
def reserved() -> uint256:
    """
    @return WETH wei that open positions may still lose.
    """
    return loss_budget.reserved_wei(loss_budget.load())


@external
@view
def pools(pool: address) -> (bool, uint24, uint24, uint32, uint256, uint16, bool):
    """
    @return allowed, maxSpotTicks, maxRangeTicks, twapWindowS, maxNotionalWei, maxTipBps, WETH is token0.
    """
    rules: uint256 = self._rules[pool]
    return (
        rules & RULE_ALLOWED != 0,
        convert((rules >> RULE_SPOT_AT) & TICK_BITS_MASK, uint24),
        convert((rules >> RULE_RANGE_AT) & TICK_BITS_MASK, uint24),
        convert((rules >> RULE_WINDOW_AT) & WINDOW_BITS_MASK, uint32),
        rules & NOTIONAL_BITS_MASK,
        convert((rules >> RULE_TIP_AT) & TIP_BITS_MASK, uint16),
        rules & RULE_WETH_IS_TOKEN0 != 0,
    )


@external
@view
def openPosition(pool: address) -> (bool, int24, int24, uint128, uint256, uint256, uint256, uint256):
    """
    @return open, tickLower, tickUpper, liquidity, amount0, amount1, blockNumber, valueWei (worth of the
        minted amounts at the TWAP of the mint). When `open` is false, the rest is the latest position's.
    """
    position: Position = self._unpacked(self._position_where[pool], self._position_amounts[pool])
    value_wei: uint256 = position_value.worth(
        position.amount0,
        position.amount1,
        tick_price.sqrt_price_x96(position.twapTick),
        self._rules[pool] & RULE_WETH_IS_TOKEN0 != 0,
        True,
    )
    return (
        position.open,
        position.tickLower,
        position.tickUpper,
        position.liquidity,
        position.amount0,
        position.amount1,
        position.blockNumber,
        value_wei,
    )
