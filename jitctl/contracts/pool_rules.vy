# pragma version 0.4.3
"""
@title The owner's rules for a pool, in one slot
@notice
        bits   0..127 maxNotionalWei     128..159 twapWindowS     160..183 maxSpotTicks
             184..207 maxRangeTicks      208..223 maxTipBps       224 WETH is token0
             225 known (set once)        226 allowed
"""

event PoolSet:
    pool: indexed(address)
    allowed: bool
    maxSpotTicks: uint24
    maxRangeTicks: uint24
    twapWindowS: uint32
    maxNotionalWei: uint256
    maxTipBps: uint16

WINDOW_AT: constant(uint256) = 128
SPOT_AT: constant(uint256) = 160
RANGE_AT: constant(uint256) = 184
TIP_AT: constant(uint256) = 208
WETH_IS_TOKEN0: constant(uint256) = 1 << 224
KNOWN: constant(uint256) = 1 << 225
ALLOWED: constant(uint256) = 1 << 226

NOTIONAL_MASK: constant(uint256) = 2 ** 128 - 1
WINDOW_MASK: constant(uint256) = 2 ** 32 - 1
TICKS_MASK: constant(uint256) = 2 ** 24 - 1
TIP_MASK: constant(uint256) = 2 ** 16 - 1

MAX_TICKS: constant(uint24) = 20_000
MIN_WINDOW_S: constant(uint32) = 60
MAX_WINDOW_S: constant(uint32) = 7 * 86_400
ONE_IN_BPS: constant(uint16) = 10_000

_rules: HashMap[address, uint256]


@internal
@view
def of(pool: address) -> uint256:
    """
    @return The packed rules, 0 for a pool that the owner never named.
    """
    return self._rules[pool]


@internal
def set(
    pool: address,
    weth_is_token0: bool,
    allowed: bool,
    max_spot_ticks: uint24,
    max_range_ticks: uint24,
    twap_window_s: uint32,
    max_notional_wei: uint256,
    max_tip_bps: uint16,
):
    assert max_spot_ticks <= MAX_TICKS and max_range_ticks <= MAX_TICKS, "too many ticks"
    assert twap_window_s >= MIN_WINDOW_S and twap_window_s <= MAX_WINDOW_S, "window out of range"
    assert max_notional_wei <= NOTIONAL_MASK, "notional too large"
    assert max_tip_bps <= ONE_IN_BPS, "share over one"
    self._rules[pool] = (
        max_notional_wei
        | (convert(twap_window_s, uint256) << WINDOW_AT)
        | (convert(max_spot_ticks, uint256) << SPOT_AT)
        | (convert(max_range_ticks, uint256) << RANGE_AT)
        | (convert(max_tip_bps, uint256) << TIP_AT)
        | (WETH_IS_TOKEN0 if weth_is_token0 else 0)
        | KNOWN
        | (ALLOWED if allowed else 0)
    )
    log PoolSet(
        pool=pool,
        allowed=allowed,
        maxSpotTicks=max_spot_ticks,
        maxRangeTicks=max_range_ticks,
        twapWindowS=twap_window_s,
        maxNotionalWei=max_notional_wei,
        maxTipBps=max_tip_bps,
    )


@internal
@pure
def is_allowed(rules: uint256) -> bool:
    return rules & ALLOWED != 0


@internal
@pure
def weth_is_token0(rules: uint256) -> bool:
    return rules & WETH_IS_TOKEN0 != 0


@internal
@pure
def max_notional_wei(rules: uint256) -> uint256:
    return rules & NOTIONAL_MASK


@internal
@pure
def twap_window_s(rules: uint256) -> uint256:
    return (rules >> WINDOW_AT) & WINDOW_MASK


@internal
@pure
def max_spot_ticks(rules: uint256) -> uint256:
    return (rules >> SPOT_AT) & TICKS_MASK


@internal
@pure
def max_range_ticks(rules: uint256) -> uint256:
    return (rules >> RANGE_AT) & TICKS_MASK


@internal
@pure
def max_tip_bps(rules: uint256) -> uint256:
    return (rules >> TIP_AT) & TIP_MASK
