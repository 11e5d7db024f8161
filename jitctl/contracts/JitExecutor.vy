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
        A stolen operator key can lose at most the owner's budget in any 24 hours, measured in WETH both at
        the pool's own time-weighted price (TWAP) and at the price that the opening's block began with,
        whichever loses more. Worth is linear in the price: so it holds at every price between the two.

        Why it holds. From the minted amounts, the least that a position can ever be worth at each of the
        two is known exactly (`position_value.vy`); the larger difference is reserved before the opening is
        accepted and replaced by the true loss at closing (`loss_budget.vy`). It does not depend on who moves
        the pool's price, how far, how often, or in which block the position is closed. The tip is limited to
        a share of the fees that the same closing collected, so principal cannot leave through it. There are
        no approvals, and nothing else that an operator may call moves a token out.

        Why two prices. The TWAP lags the market: at a TWAP that is k ticks off, handing over what it
        undervalues is no loss, though others would pay k / 10000 more. Inside one block nobody can change
        what the block began with, and between blocks others correct it. So where blocks begin at the
        market's price, the loss at that price is at most the budget too. The TWAP holds against who sets
        the price at the end of one block and acts in the next. Each opening also asks that the price with
        which the block began, the price now and the range are near the TWAP, and that both halves of its
        window agree.

        What it does not say. (1) Who owns blocks in a row and ends one of them on the TWAP's side of the
        market makes both prices wrong: by maxSpotTicks / 10000 of the capital at most, each time that the
        TWAP's error changes its side. (2) He moves the TWAP as well, by those blocks' seconds. The window
        dilutes it, and while only one half of the window is touched, it cannot have moved the TWAP by more
        than 1.5 maxSpotTicks (`pool_twap.vy`). (3) A price held false against all arbitrage in both halves
        of the window passes for the market, here as everywhere. Then the loss at the true price is bounded
        by the capital times the error. (4) What the market does between two blocks is nobody's doing: the
        trades that follow it are open to an operator as to anybody who trades with a pool, less its fee.
        (5) What the market does to a position left open is bounded by nothing but its closing, by anybody who
        may. Its loss at that time's price uses up what is left of the budget, so it cannot be repeated.
        So: deep pools only, a window of 30 minutes or more, maxSpotTicks as small as the market allows,
        and no more capital here than is in use.
        The reverse holds too: an honest opening in a market that has just moved books a loss of up to
        maxSpotTicks / 10000 of what is traded against it, since gains are never credited.
        Pools must be of tokens that move exactly the stated amounts. A token that begins to tax transfers
        makes openings revert ("M0"/"M1", the pool's own check) as soon as it is paid in; what it keeps of
        what a pool pays out is booked as lost, but could not be reserved before.

    Gifts. Anybody can add liquidity to our positions in a pool. Closing withdraws our own liquidity, so a
    gift can neither block nor falsify anything (its fees come to us as fees); `close` and `sweep` bring
    home the rest.
"""

import loss_budget
import pool_rules
import pool_twap
import position_record
import position_value
import roles
import tick_price

initializes: loss_budget
initializes: pool_rules
initializes: position_record
initializes: roles

exports: (
    roles.owner,
    roles.pendingOwner,
    roles.guardian,
    roles.isOperator,
    roles.setOperator,
    roles.setGuardian,
    roles.transferOwnership,
    roles.acceptOwnership,
)


interface IERC20:
    def balanceOf(account: address) -> uint256: view

interface IWETH:
    def withdraw(amount: uint256): nonpayable

interface IFactory:
    def getPool(token0: address, token1: address, fee: uint24) -> address: view

interface IPool:
    def token0() -> address: view
    def token1() -> address: view
    def fee() -> uint24: view
    def slot0() -> (uint160, int24, uint16, uint16, uint16, uint8, bool): view
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

event BudgetSet:
    weiPer24h: uint256

event Withdrawn:
    token: indexed(address)
    amount: uint256
    to: address


BPS: constant(uint256) = 10_000
WEI_PER_GWEI: constant(uint256) = 10 ** 9
# Enough for a fee recipient behind a proxy that logs; too little to do anything costly with our gas.
TIP_GAS: constant(uint256) = 20_000

weth: public(immutable(address))
factory: public(immutable(address))

# What the mint under way expects to be asked for; empty at any other time.
_expected_pool: transient(address)
_expected_max0: transient(uint256)
_expected_max1: transient(uint256)


@deploy
def __init__(owner: address, weth_: address, factory_: address):
    assert weth_ != empty(address) and factory_ != empty(address), "zero address"
    roles.__init__(owner)
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
    roles.check_operator()
    assert block.number == targetBlock, "wrong block"
    assert blockhash(unsafe_sub(block.number, 1)) == parentHash, "wrong parent"
    rules: uint256 = pool_rules.of(pool)
    assert pool_rules.is_allowed(rules), "pool not allowed"
    ledger: uint256 = loss_budget.load()
    loss_budget.check_may_open(ledger)
    assert not position_record.is_open(pool), "already open"
    twap: int24 = 0
    began: int24 = 0
    twap, began = self._checked_ticks(
        pool, rules, tickLower, tickUpper, sqrtPriceMinX96, sqrtPriceMaxX96
    )

    self._expected_pool = pool
    self._expected_max0 = amount0Max
    self._expected_max1 = amount1Max
    amount0: uint256 = 0
    amount1: uint256 = 0
    amount0, amount1 = extcall IPool(pool).mint(self, tickLower, tickUpper, liquidity, b"")
    assert self._expected_pool == empty(address), "not called back"

    weth_is_token0: bool = pool_rules.weth_is_token0(rules)
    price: uint256 = tick_price.sqrt_price_x96(twap)
    minted_wei: uint256 = position_value.worth(amount0, amount1, price, weth_is_token0, True)
    assert minted_wei <= pool_rules.max_notional_wei(rules), "notional over limit"
    lower: uint256 = tick_price.sqrt_price_x96(tickLower)
    upper: uint256 = tick_price.sqrt_price_x96(tickUpper)
    bound_wei: uint256 = position_value.loss_bound(
        minted_wei, convert(liquidity, uint256), lower, upper, price, weth_is_token0
    )
    if began != twap:
        price = tick_price.sqrt_price_x96(began)
        minted_wei = position_value.worth(amount0, amount1, price, weth_is_token0, True)
        bound_wei = max(
            bound_wei,
            position_value.loss_bound(
                minted_wei, convert(liquidity, uint256), lower, upper, price, weth_is_token0
            ),
        )
    bound_gwei: uint256 = (bound_wei + (WEI_PER_GWEI - 1)) // WEI_PER_GWEI
    loss_budget.store(loss_budget.opened(ledger, bound_gwei))
    position_record.store(
        pool,
        position_record.Position(
            open=True,
            tickLower=tickLower,
            tickUpper=tickUpper,
            twapTick=twap,
            beganTick=began,
            liquidity=liquidity,
            blockNumber=block.number,
            amount0=amount0,
            amount1=amount1,
            boundGwei=bound_gwei,
        ),
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
def _checked_ticks(
    pool: address,
    rules: uint256,
    tick_lower: int24,
    tick_upper: int24,
    sqrt_price_min: uint160,
    sqrt_price_max: uint160,
) -> (int24, int24):
    """
    @return The pool's TWAP tick and the tick that the block began with; reverts unless that one, the spot
        and the range are near the TWAP.
    """
    sqrt_price: uint160 = 0
    tick: int24 = 0
    index: uint16 = 0
    cardinality: uint16 = 0
    next_cardinality: uint16 = 0
    fee_protocol: uint8 = 0
    unlocked: bool = False
    sqrt_price, tick, index, cardinality, next_cardinality, fee_protocol, unlocked = staticcall IPool(
        pool
    ).slot0()
    assert sqrt_price >= sqrt_price_min and sqrt_price <= sqrt_price_max, "price outside band"

    max_spot: int256 = convert(pool_rules.max_spot_ticks(rules), int256)
    twap: int256 = 0
    began: int256 = 0
    twap, began = pool_twap.read(
        pool,
        tick,
        convert(index, uint256),
        convert(cardinality, uint256),
        pool_rules.twap_window_s(rules),
        max_spot,
    )
    assert abs(began - twap) <= max_spot, "market far from twap"
    assert abs(convert(tick, int256) - twap) <= max_spot, "spot far from twap"
    max_range: int256 = convert(pool_rules.max_range_ticks(rules), int256)
    assert (
        convert(tick_lower, int256) >= twap - max_range and convert(tick_upper, int256) <= twap + max_range
    ), "range far from twap"
    assert max(abs(twap), abs(began)) <= position_value.MAX_PRICE_TICK, "price out of reach"
    return (convert(twap, int24), convert(began, int24))


@external
def uniswapV3MintCallback(amount0Owed: uint256, amount1Owed: uint256, data: Bytes[1]):
    """
    @notice Pay what the pool of the mint under way is owed, once.
    """
    pool: address = self._expected_pool
    assert msg.sender == pool, "unexpected callback"
    self._expected_pool = empty(address)
    assert amount0Owed <= self._expected_max0 and amount1Owed <= self._expected_max1, "amount over maximum"
    weth_is_token0: bool = pool_rules.weth_is_token0(pool_rules.of(pool))
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
    roles.check_operator()
    position: position_record.Position = position_record.load_open(pool)
    same_block: bool = position.blockNumber == block.number
    if same_block:
        sqrt_price: uint160 = (staticcall IPool(pool).slot0())[0]
        assert sqrt_price >= sqrtPriceMinX96 and sqrt_price <= sqrtPriceMaxX96, "price outside band"

    principal0: uint256 = 0
    principal1: uint256 = 0
    principal0, principal1 = extcall IPool(pool).burn(position.tickLower, position.tickUpper, position.liquidity)
    collected0: uint256 = 0
    collected1: uint256 = 0
    rules: uint256 = pool_rules.of(pool)
    collected0, collected1 = self._collect(pool, rules, position.tickLower, position.tickUpper)

    twap_price: uint256 = tick_price.sqrt_price_x96(position.twapTick)
    began_price: uint256 = self._began_price(position, twap_price)
    fees0: uint256 = collected0 - min(collected0, principal0)
    fees1: uint256 = collected1 - min(collected1, principal1)
    tip_wei: uint256 = 0
    if same_block:
        weth_is_token0: bool = pool_rules.weth_is_token0(rules)
        fees_wei: uint256 = position_value.worth(fees0, fees1, twap_price, weth_is_token0, False)
        assert fees_wei >= minFeesWei, "fees below minimum"
        tip_wei = tipWei
        assert tip_wei <= fees_wei * pool_rules.max_tip_bps(rules) // BPS, "tip over share"
        if tip_wei != 0 and began_price != twap_price:
            # No principal leaves in it at the other price either.
            fees_wei = position_value.worth(fees0, fees1, began_price, weth_is_token0, False)
            assert tip_wei <= fees_wei, "tip over share"

    loss_wei: uint256 = self._settle(
        pool, rules, position, twap_price, began_price, collected0, collected1, tip_wei
    )
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
    roles.check_any()
    position: position_record.Position = position_record.load_open(pool)
    collected0: uint256 = 0
    collected1: uint256 = 0
    collected0, collected1 = self._withdraw_all(pool, position.tickLower, position.tickUpper)
    twap_price: uint256 = tick_price.sqrt_price_x96(position.twapTick)
    began_price: uint256 = self._began_price(position, twap_price)
    loss_wei: uint256 = self._settle(
        pool, pool_rules.of(pool), position, twap_price, began_price, collected0, collected1, 0
    )
    log Closed(pool=pool, by=msg.sender, collected0=collected0, collected1=collected1, lossWei=loss_wei)


@external
@nonreentrant
def sweep(pool: address, tickLower: int24, tickUpper: int24):
    """
    @notice Bring home what others left at our name in a range of a pool where we have nothing open.
    """
    roles.check_any()
    assert pool_rules.of(pool) != 0, "pool not known"
    assert not position_record.is_open(pool), "already open"
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
            convert(convert(position_record.tick_bits(tick_lower), uint24), bytes3),
            convert(convert(position_record.tick_bits(tick_upper), uint24), bytes3),
        )
    )
    liquidity: uint128 = (staticcall IPool(pool).positions(key))[0]
    if liquidity != 0:
        extcall IPool(pool).burn(tick_lower, tick_upper, liquidity)
    collected0: uint256 = 0
    collected1: uint256 = 0
    collected0, collected1 = self._collect(pool, pool_rules.of(pool), tick_lower, tick_upper)
    return collected0, collected1


@internal
def _collect(pool: address, rules: uint256, tick_lower: int24, tick_upper: int24) -> (uint256, uint256):
    """
    @return What came, which is what the pool paid unless the other token kept some of it.
    """
    weth_is_token0: bool = pool_rules.weth_is_token0(rules)
    token: address = staticcall IPool(pool).token1() if weth_is_token0 else staticcall IPool(pool).token0()
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    paid0: uint128 = 0
    paid1: uint128 = 0
    paid0, paid1 = extcall IPool(pool).collect(
        self, tick_lower, tick_upper, max_value(uint128), max_value(uint128)
    )
    came0: uint256 = convert(paid0, uint256)
    came1: uint256 = convert(paid1, uint256)
    now: uint256 = staticcall IERC20(token).balanceOf(self)
    came: uint256 = now - min(before, now)
    if weth_is_token0:
        return came0, min(came1, came)
    return min(came0, came), came1


@internal
@pure
def _began_price(position: position_record.Position, twap_price: uint256) -> uint256:
    """
    @return The sqrt price of the tick that the block of the mint began with.
    """
    if position.beganTick == position.twapTick:
        return twap_price
    return tick_price.sqrt_price_x96(position.beganTick)


@internal
def _settle(
    pool: address,
    rules: uint256,
    position: position_record.Position,
    twap_price: uint256,
    began_price: uint256,
    collected0: uint256,
    collected1: uint256,
    tip_wei: uint256,
) -> uint256:
    """
    @notice Mark the position closed and replace its reserve by what was really lost.
    @return The loss in WETH wei at the worse of the two prices, the tip included; 0 for a gain. In a block
        after the mint's, the price that this block began with counts as a third.
    """
    weth_is_token0: bool = pool_rules.weth_is_token0(rules)
    loss_wei: uint256 = position_value.loss(
        position.amount0, position.amount1, tip_wei, collected0, collected1, twap_price, weth_is_token0
    )
    if began_price != twap_price:
        loss_wei = max(
            loss_wei,
            position_value.loss(
                position.amount0, position.amount1, tip_wei, collected0, collected1, began_price, weth_is_token0
            ),
        )
    drift_wei: uint256 = 0
    if position.blockNumber != block.number:
        drift_wei = position_value.loss(
            position.amount0,
            position.amount1,
            tip_wei,
            collected0,
            collected1,
            self._price_now(pool),
            weth_is_token0,
        )
    position_record.store_closed(pool)
    before: uint256 = loss_budget.load()
    after: uint256 = loss_budget.closed(before, position.boundGwei, loss_wei, drift_wei)
    loss_budget.store(after)
    loss_wei = max(loss_wei, drift_wei)
    if loss_wei != 0:
        log LossRecorded(pool=pool, lossWei=loss_wei, spentWei=loss_budget.spent_wei(after))
        if loss_budget.is_halted(after) and not loss_budget.is_halted(before):
            log Halted(by=self)
    return loss_wei


@internal
@view
def _price_now(pool: address) -> uint256:
    """
    @return The sqrt price of the tick that this block began with, as far as prices can be valued.
    """
    sqrt_price: uint160 = 0
    tick: int24 = 0
    index: uint16 = 0
    cardinality: uint16 = 0
    next_cardinality: uint16 = 0
    fee_protocol: uint8 = 0
    unlocked: bool = False
    sqrt_price, tick, index, cardinality, next_cardinality, fee_protocol, unlocked = staticcall IPool(
        pool
    ).slot0()
    began: int256 = pool_twap.began(pool, tick, convert(index, uint256), convert(cardinality, uint256))
    most: int256 = position_value.MAX_PRICE_TICK
    return tick_price.sqrt_price_x96(convert(min(max(began, -most), most), int24))


# Halting


@external
@nonreentrant
def halt():
    """
    @notice Stop openings. Closing goes on.
    """
    roles.check_guardian()
    loss_budget.store(loss_budget.halted(loss_budget.load(), True))
    log Halted(by=msg.sender)


@external
@nonreentrant
def unhalt():
    roles.check_owner()
    loss_budget.store(loss_budget.halted(loss_budget.load(), False))
    log Unhalted(by=msg.sender)


# The owner's


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
        What is open in it can be closed in any case.
    """
    roles.check_owner()
    token0: address = staticcall IPool(pool).token0()
    token1: address = staticcall IPool(pool).token1()
    fee: uint24 = staticcall IPool(pool).fee()
    assert staticcall IFactory(factory).getPool(token0, token1, fee) == pool, "not of the factory"
    assert token0 == weth or token1 == weth, "no WETH side"
    pool_rules.set(
        pool, token0 == weth, allowed, maxSpotTicks, maxRangeTicks, twapWindowS, maxNotionalWei, maxTipBps
    )


@external
@nonreentrant
def setBudget(weiPer24h: uint256):
    """
    @notice Set what may be lost in 24 hours; fractions of a gwei are dropped.
    """
    roles.check_owner()
    loss_budget.store(loss_budget.with_budget(loss_budget.load(), weiPer24h))
    log BudgetSet(weiPer24h=weiPer24h)


@external
@nonreentrant
def withdraw(token: address, amount: uint256, to: address):
    roles.check_owner()
    assert to != empty(address), "zero address"
    self._send(token, to, amount)
    log Withdrawn(token=token, amount=amount, to=to)


@external
@nonreentrant
def withdrawEth(amount: uint256, to: address):
    """
    @notice For ether forced on this contract; it keeps none of its own.
    """
    roles.check_owner()
    assert to != empty(address), "zero address"
    raw_call(to, b"", value=amount)
    log Withdrawn(token=empty(address), amount=amount, to=to)


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
    rules: uint256 = pool_rules.of(pool)
    return (
        pool_rules.is_allowed(rules),
        convert(pool_rules.max_spot_ticks(rules), uint24),
        convert(pool_rules.max_range_ticks(rules), uint24),
        convert(pool_rules.twap_window_s(rules), uint32),
        pool_rules.max_notional_wei(rules),
        convert(pool_rules.max_tip_bps(rules), uint16),
        pool_rules.weth_is_token0(rules),
    )


@external
@view
def openPosition(pool: address) -> (bool, int24, int24, uint128, uint256, uint256, uint256, uint256):
    """
    @return open, tickLower, tickUpper, liquidity, amount0, amount1, blockNumber, valueWei (worth of the
        minted amounts at the TWAP of the mint). When `open` is false, the rest is the latest position's.
    """
    position: position_record.Position = position_record.load(pool)
    value_wei: uint256 = position_value.worth(
        position.amount0,
        position.amount1,
        tick_price.sqrt_price_x96(position.twapTick),
        pool_rules.weth_is_token0(pool_rules.of(pool)),
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
