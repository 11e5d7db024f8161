# pragma version 0.4.3
"""
@title Loss budget per 24 hours
@notice Losses are kept by the hour in which they were booked. `spent` is the sum over this hour and the 24
    before it, so over any 24 hours whatever it counts at least what was lost in them. What open positions
    may still lose is `reserved`. Opening is allowed while spent + reserved + its own bound <= budget.

    A loss is never more than what was reserved for it (unless a token keeps some of what a pool pays out:
    that is booked as well), reserved amounts stay counted until their position closes, and gains are never
    credited: so the losses booked in any 24 hours, plus what is at stake, never exceed the budget as it
    stood at the latest opening. Lowering the budget stops openings; it cannot undo what is already at stake.

    What the market does to a position left open is not reserved, as nothing bounds it. When such a position
    is closed, its loss at that time's price uses the budget up as well, as far as there is any left: leaving
    positions open cannot be repeated for free.

@dev What the common path touches is one slot, the ledger, in gwei (losses and reserves rounded up, the
    budget down):

        bits   0..55  spent gwei, as of `hour`          bits 168..191  hour (Unix time // 3600)
        bits  56..111 reserved gwei                     bits 192..231  block of the latest opening
        bits 112..167 budget gwei                       bits 232..239  positions open
                                                        bit  240       halted

    The hourly sums are five to a slot (51 bits each), keyed by hour // 5; they are read only when the hour
    has changed since the last use and something was spent, and written only when there is a loss.
    Functions take the ledger and give it back; the contract loads it once and stores it once.
"""

WEI_PER_GWEI: constant(uint256) = 10 ** 9
HOUR_S: constant(uint256) = 3600
HOURS_BEFORE: constant(uint256) = 24
LANES: constant(uint256) = 5
LANE_BITS: constant(uint256) = 51
LANE_MASK: constant(uint256) = 2 ** 51 - 1

AMOUNT_MASK: constant(uint256) = 2 ** 56 - 1
RESERVED_AT: constant(uint256) = 56
BUDGET_AT: constant(uint256) = 112
HOUR_AT: constant(uint256) = 168
HOUR_MASK: constant(uint256) = 2 ** 24 - 1
BLOCK_AT: constant(uint256) = 192
BLOCK_MASK: constant(uint256) = 2 ** 40 - 1
OPEN_AT: constant(uint256) = 232
OPEN_MASK: constant(uint256) = 2 ** 8 - 1
HALTED: constant(uint256) = 1 << 240

_ledger: uint256
_lost_gwei: HashMap[uint256, uint256]


@internal
@view
def load() -> uint256:
    """
    @return The ledger, with `spent` as of this hour.
    """
    ledger: uint256 = self._ledger
    hour: uint256 = block.timestamp // HOUR_S
    if (ledger >> HOUR_AT) & HOUR_MASK == hour:
        return ledger
    spent: uint256 = 0
    if ledger & AMOUNT_MASK != 0:
        spent = self._lost_in_window(hour)
    return ledger & ~(AMOUNT_MASK | (HOUR_MASK << HOUR_AT)) | spent | (hour << HOUR_AT)


@internal
def store(ledger: uint256):
    self._ledger = ledger


@internal
@view
def _lost_in_window(hour: uint256) -> uint256:
    """
    @return Gwei lost in `hour` and the 24 before it: 25 lanes that lie in five or six slots.
    """
    total: uint256 = 0
    first: uint256 = hour - HOURS_BEFORE
    for i: uint256 in range(6):
        group: uint256 = first // LANES + i
        lanes: uint256 = self._lost_gwei[group]
        if lanes == 0:
            continue
        for lane: uint256 in range(5):
            at: uint256 = group * LANES + lane
            if at >= first and at <= hour:
                total += (lanes >> (lane * LANE_BITS)) & LANE_MASK
    return total


@internal
@pure
def is_halted(ledger: uint256) -> bool:
    return ledger & HALTED != 0


@internal
@pure
def halted(ledger: uint256, yes: bool) -> uint256:
    return ledger | HALTED if yes else ledger & ~HALTED


@internal
@pure
def spent_wei(ledger: uint256) -> uint256:
    return (ledger & AMOUNT_MASK) * WEI_PER_GWEI


@internal
@pure
def reserved_wei(ledger: uint256) -> uint256:
    return ((ledger >> RESERVED_AT) & AMOUNT_MASK) * WEI_PER_GWEI


@internal
@pure
def budget_wei(ledger: uint256) -> uint256:
    return ((ledger >> BUDGET_AT) & AMOUNT_MASK) * WEI_PER_GWEI


@internal
@pure
def with_budget(ledger: uint256, wei_per_24h: uint256) -> uint256:
    limit: uint256 = wei_per_24h // WEI_PER_GWEI
    assert limit <= LANE_MASK, "budget too large"
    return ledger & ~(AMOUNT_MASK << BUDGET_AT) | (limit << BUDGET_AT)


@internal
@view
def check_may_open(ledger: uint256):
    """
    @notice A position left open from an earlier block blocks every opening: its reserve alone would let
        the caller keep the whole capital at stake for as long as it likes.
    """
    assert ledger & HALTED == 0, "halted"
    if (ledger >> OPEN_AT) & OPEN_MASK != 0:
        assert (ledger >> BLOCK_AT) & BLOCK_MASK == block.number, "left open"


@internal
@view
def opened(ledger: uint256, bound_gwei: uint256) -> uint256:
    """
    @return The ledger with one more position open that may lose `bound_gwei`; reverts over the budget.
    """
    spent: uint256 = ledger & AMOUNT_MASK
    reserved: uint256 = ((ledger >> RESERVED_AT) & AMOUNT_MASK) + bound_gwei
    assert spent + reserved <= (ledger >> BUDGET_AT) & AMOUNT_MASK, "loss budget"
    positions: uint256 = ((ledger >> OPEN_AT) & OPEN_MASK) + 1
    assert positions <= OPEN_MASK, "too many open"
    kept: uint256 = ledger & ~(
        (AMOUNT_MASK << RESERVED_AT) | (BLOCK_MASK << BLOCK_AT) | (OPEN_MASK << OPEN_AT)
    )
    return kept | (reserved << RESERVED_AT) | (block.number << BLOCK_AT) | (positions << OPEN_AT)


@internal
def closed(ledger: uint256, bound_gwei: uint256, loss_wei: uint256, drift_wei: uint256) -> uint256:
    """
    @param drift_wei The loss at later prices, which nothing was reserved for: booked instead of `loss_wei` if
        it is more, up to what is left of the budget.
    @return The ledger with one position fewer, its reserve released and its loss booked in this hour;
        halted when the budget is used up. Never reverts: every sum saturates.
    """
    updated: uint256 = ledger - (bound_gwei << RESERVED_AT) - (1 << OPEN_AT)
    loss_gwei: uint256 = min((loss_wei + (WEI_PER_GWEI - 1)) // WEI_PER_GWEI, LANE_MASK)
    if drift_wei > loss_wei:
        limit: uint256 = (updated >> BUDGET_AT) & AMOUNT_MASK
        taken: uint256 = (updated & AMOUNT_MASK) + ((updated >> RESERVED_AT) & AMOUNT_MASK)
        drift_gwei: uint256 = (drift_wei + (WEI_PER_GWEI - 1)) // WEI_PER_GWEI
        loss_gwei = max(loss_gwei, min(drift_gwei, limit - min(limit, taken)))
    if loss_gwei == 0:
        return updated
    hour: uint256 = block.timestamp // HOUR_S
    at: uint256 = (hour % LANES) * LANE_BITS
    lanes: uint256 = self._lost_gwei[hour // LANES]
    lane: uint256 = min(((lanes >> at) & LANE_MASK) + loss_gwei, LANE_MASK)
    self._lost_gwei[hour // LANES] = lanes & ~(LANE_MASK << at) | (lane << at)
    spent: uint256 = min((updated & AMOUNT_MASK) + loss_gwei, AMOUNT_MASK)
    updated = updated & ~AMOUNT_MASK | spent
    if spent >= (updated >> BUDGET_AT) & AMOUNT_MASK:
        updated = updated | HALTED
    return updated
