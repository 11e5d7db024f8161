# pragma version 0.4.3
"""
@title A pool's time-weighted tick
@notice The mean tick over the owner's window (up to half as long again), from the pool's own record, and
    only if no part of the window disagrees with the rest.

    A pool writes one observation a block, before the block's first change of tick, with the tick that the
    block began with. So nothing done inside a block changes what is read in it: neither the mean nor the
    tick that the block began with. A price that is false only across the end of a block counts for that
    block's seconds.

    The window is cut in two, near its middle (a and b seconds, b / a within 2 / 3 and 3 / 2, with means E
    and L), and s = |E - L| * min(a, b) / (a + b) must be max_shift at most. What happens in one part alone
    and moves the mean by m makes s >= 2 / 3 m: so it can have moved the mean by 3 / 2 max_shift at most.
    An honest market that made one step of k ticks t seconds ago has s <= k (a + b - t) / (a + b), which is
    how far the price is from the mean: so it passes whenever the price is within max_shift of the mean.

@dev `observe` of the pool searches by halves: 30,000 gas a point. Observations are about evenly spaced in a
    busy pool, so the one wanted is found by proportion, mostly at the first try, for 3,000. A pool too quiet
    for that answers itself (its search is short when it has written little).
"""

interface Pool:
    def observations(index: uint256) -> (uint32, int56, uint160, bool): view
    def observe(secondsAgos: DynArray[uint32, 3]) -> (DynArray[int56, 3], DynArray[uint160, 3]): view

SLOT_S: constant(uint256) = 12
# The pool keeps seconds modulo 2 ** 32.
SECONDS_MASK: constant(uint256) = 2 ** 32 - 1
TRIES: constant(uint256) = 4


@internal
@view
def read(
    pool: address, tick: int24, index: uint256, cardinality: uint256, window_s: uint256, max_shift: int256
) -> (int256, int256):
    """
    @param tick The pool's present tick, with `index` and `cardinality` from the same reading of its slot0.
    @return The mean tick, rounded down, and the tick that this block began with.
    """
    known: bool = False
    began: int256 = 0
    latest: int256 = 0
    age_s: int256 = 0
    known, began, latest, age_s = self._began(pool, tick, index, cardinality)
    assert known, "no history"

    found: bool = False
    early: int256 = 0
    late: int256 = 0
    early_s: int256 = 0
    late_s: int256 = 0
    found, early, late, early_s, late_s = self._by_proportion(
        pool, index, cardinality, window_s, latest + began * age_s
    )
    if not found:
        early, late, early_s, late_s = self._asked(pool, window_s)
    span_s: int256 = early_s + late_s
    apart: int256 = abs(early * late_s - late * early_s)
    assert apart * min(early_s, late_s) <= max_shift * span_s * early_s * late_s, "twap unsteady"

    cumulative: int256 = early + late
    mean: int256 = cumulative // span_s
    # Division truncates toward zero.
    if cumulative < 0 and cumulative % span_s != 0:
        mean -= 1
    return (mean, began)


@internal
@view
def began(pool: address, tick: int24, index: uint256, cardinality: uint256) -> int256:
    """
    @return The tick that this block began with; the present one where the pool keeps too little to tell.
        Never reverts.
    """
    known: bool = False
    first: int256 = 0
    latest: int256 = 0
    age_s: int256 = 0
    known, first, latest, age_s = self._began(pool, tick, index, cardinality)
    return first


@internal
@view
def _began(
    pool: address, tick: int24, index: uint256, cardinality: uint256
) -> (bool, int256, int256, int256):
    """
    @return Whether the tick that this block began with is known; that tick (the present one, if not); the
        sum and the age in seconds of the latest observation.
    """
    latest_s: uint256 = 0
    latest: int256 = 0
    ready: bool = False
    latest_s, latest, ready = self._observation(pool, index)
    age_s: uint256 = self._since(latest_s)
    if age_s != 0:
        return (True, convert(tick, int256), latest, convert(age_s, int256))
    # The tick may have moved since; the observation was written with the one before.
    before_s: uint256 = 0
    before: int256 = 0
    before_s, before, ready = self._observation(pool, (index + cardinality - 1) % cardinality)
    if not ready or before_s == latest_s:
        return (False, convert(tick, int256), latest, 0)
    return (True, (latest - before) // convert(self._since(before_s), int256), latest, 0)


@internal
@view
def _by_proportion(
    pool: address, index: uint256, cardinality: uint256, window_s: uint256, now: int256
) -> (bool, int256, int256, int256, int256):
    """
    @param now The sum of ticks times seconds up to this second.
    @return Whether two fit observations were found; ticks times seconds of the earlier and the later part;
        seconds of both.
    """
    found: bool = False
    back: uint256 = 0
    age_s: uint256 = 0
    begin: int256 = 0
    found, back, age_s, begin = self._aged(
        pool, index, cardinality, window_s // SLOT_S, window_s, window_s + (window_s >> 1)
    )
    if not found:
        return (False, 0, 0, 0, 0)
    middle_back: uint256 = 0
    middle_age_s: uint256 = 0
    middle: int256 = 0
    found, middle_back, middle_age_s, middle = self._aged(
        pool, index, cardinality, back >> 1, age_s * 2 // 5 + 1, age_s * 3 // 5
    )
    return (
        found,
        middle - begin,
        now - middle,
        convert(age_s - middle_age_s, int256),
        convert(middle_age_s, int256),
    )


@internal
@view
def _aged(
    pool: address, index: uint256, cardinality: uint256, first_guess: uint256, min_s: uint256, max_s: uint256
) -> (bool, uint256, uint256, int256):
    """
    @return Whether an observation of an age between the two was found; how many back; its age; its sum.
    """
    back: uint256 = first_guess
    for attempt: uint256 in range(TRIES):
        back = min(max(back, 1), cardinality - 1)
        written_s: uint256 = 0
        cumulative: int256 = 0
        ready: bool = False
        written_s, cumulative, ready = self._observation(pool, (index + cardinality - back) % cardinality)
        if not ready:
            break
        age_s: uint256 = self._since(written_s)
        if age_s >= min_s and age_s <= max_s:
            return (True, back, age_s, cumulative)
        back = back * (min_s + max_s) // (2 * max(age_s, 1))
    return (False, 0, 0, 0)


@internal
@view
def _since(second: uint256) -> uint256:
    return unsafe_sub(block.timestamp, second) & SECONDS_MASK


@internal
@view
def _asked(pool: address, window_s: uint256) -> (int256, int256, int256, int256):
    """
    @return The same figures for two halves of exactly the window, by the pool's own search.
    """
    half_s: uint256 = window_s >> 1
    cumulatives: DynArray[int56, 3] = []
    ignored: DynArray[uint160, 3] = []
    cumulatives, ignored = staticcall Pool(pool).observe(
        [convert(window_s, uint32), convert(half_s, uint32), 0]
    )
    begin: int256 = convert(cumulatives[0], int256)
    middle: int256 = convert(cumulatives[1], int256)
    end: int256 = convert(cumulatives[2], int256)
    return (
        middle - begin,
        end - middle,
        convert(window_s - half_s, int256),
        convert(half_s, int256),
    )


@internal
@view
def _observation(pool: address, index: uint256) -> (uint256, int256, bool):
    """
    @return Its second, the sum of ticks times seconds up to it, and whether it was ever written.
    """
    written_s: uint32 = 0
    cumulative: int56 = 0
    ignored: uint160 = 0
    written: bool = False
    written_s, cumulative, ignored, written = staticcall Pool(pool).observations(index)
    return (convert(written_s, uint256), convert(cumulative, int256), written)
