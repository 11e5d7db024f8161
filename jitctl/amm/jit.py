"""A position that lives around one swap: mint, the swap with its liquidity in, burn, collect.

The pool's tables stay as they are: before and after our range the swap runs on them, inside the range its
steps are computed one by one with our liquidity added. Nothing is rebuilt, so sizing can ask again and again.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from jitctl.amm.liquidity_math import add_delta, amounts_for_liquidity, max_liquidity_per_tick
from jitctl.amm.pool import Pool, check_range
from jitctl.amm.position import fees_owed
from jitctl.amm.revert import PoolReverts
from jitctl.amm.swap_math import check_swap, compute_swap_step, protocol_share
from jitctl.amm.swap_result import SwapResult
from jitctl.amm.table_swap import run_on_table
from jitctl.amm.tick_bitmap import WORD_BITS
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick, get_tick_at_sqrt_ratio


class JitOutcome(NamedTuple):
    """What each leg moves, in base units.

    `minted*` is what the mint takes from us (rounded up), `burned*` what the burn returns (rounded down),
    `fees*` what collect pays beyond that. `adds_ticks` counts ticks that our position initialises and the
    swap crosses: each makes the swap's own gas dearer. `fee_growth_x128` is what the fees are made of, a unit
    of liquidity in Q128: over several swaps it is the growth that adds up, and is rounded once.
    """

    minted0: int
    minted1: int
    swap: SwapResult
    fees0: int
    fees1: int
    burned0: int
    burned1: int
    adds_ticks: int
    fee_growth_x128: int


def jit_swap(
    pool: Pool,
    tick_lower: int,
    tick_upper: int,
    liquidity: int,
    zero_for_one: bool,
    amount_specified: int,
    sqrt_price_limit_x96: int = 0,
) -> JitOutcome:
    """Return the outcome, to the wei, of minting `liquidity` in the range around the swap.

    The position is a fresh one of ours alone. Raises `PoolReverts` where the mint or the swap would revert.
    """
    check_range(tick_lower, tick_upper, pool.tick_spacing)
    _check_mint(pool, tick_lower, tick_upper, liquidity)
    limit = check_swap(pool.sqrt_price_x96, zero_for_one, amount_specified, sqrt_price_limit_x96)
    sqrt_lower = get_sqrt_ratio_at_tick(tick_lower)
    sqrt_upper = get_sqrt_ratio_at_tick(tick_upper)
    minted0, minted1 = amounts_for_liquidity(pool.sqrt_price_x96, sqrt_lower, sqrt_upper, liquidity, True)

    swap = _SwapWithPosition(pool, tick_lower, tick_upper, liquidity, zero_for_one, amount_specified, limit)
    swap.run()

    burned0, burned1 = amounts_for_liquidity(swap.price, sqrt_lower, sqrt_upper, liquidity, False)
    fees = fees_owed(liquidity, swap.fee_growth_x128, 0)
    amount0, amount1 = (swap.spent, -swap.received) if zero_for_one else (-swap.received, swap.spent)
    result = SwapResult(
        amount0, amount1, swap.price, swap.tick, swap.liquidity, swap.ticks_crossed, swap.protocol_fee
    )
    fees0, fees1 = (fees, 0) if zero_for_one else (0, fees)
    return JitOutcome(
        minted0, minted1, result, fees0, fees1, burned0, burned1, swap.adds_ticks, swap.fee_growth_x128
    )


class _SwapWithPosition:
    """The swap's running state: up to three stretches, of which only the one inside our range is stepped."""

    __slots__ = (
        "adds_ticks", "exact_in", "fee_growth_x128", "limit", "liquidity", "ours", "pool", "price",
        "protocol_fee", "received", "remaining", "share", "spent", "tick", "tick_lower", "tick_upper",
        "ticks_crossed", "zero_for_one",
    )  # fmt: skip

    def __init__(
        self,
        pool: Pool,
        tick_lower: int,
        tick_upper: int,
        ours: int,
        zero_for_one: bool,
        amount_specified: int,
        limit: int,
    ) -> None:
        self.pool = pool
        self.tick_lower = tick_lower
        self.tick_upper = tick_upper
        self.ours = ours
        self.zero_for_one = zero_for_one
        self.exact_in = amount_specified > 0
        self.remaining = abs(amount_specified)
        self.limit = limit
        self.share = protocol_share(pool.fee_protocol, zero_for_one)
        self.price = pool.sqrt_price_x96
        self.tick = pool.tick
        self.liquidity = pool.liquidity
        self.spent = self.received = self.protocol_fee = 0
        self.fee_growth_x128 = self.ticks_crossed = self.adds_ticks = 0

    def run(self) -> None:
        if self.zero_for_one:
            if self.tick >= self.tick_upper:
                self._run_to_edge(self.tick_upper)
            elif self.tick >= self.tick_lower:
                self.liquidity += self.ours
            if self.tick_lower <= self.tick < self.tick_upper:
                self._step_down()
        else:
            if self.tick < self.tick_lower:
                self._run_to_edge(self.tick_lower)
            elif self.tick < self.tick_upper:
                self.liquidity += self.ours
            if self.tick_lower <= self.tick < self.tick_upper:
                self._step_up()
        if self.remaining and self.price != self.limit:
            self._run_on_tables(self.limit)

    def _run_to_edge(self, edge_tick: int) -> None:
        """Swap on the pool's own liquidity up to our range, and enter it if the price gets there."""
        edge = get_sqrt_ratio_at_tick(edge_tick)
        if self.price != edge:
            beyond = edge < self.limit if self.zero_for_one else edge > self.limit
            self._run_on_tables(self.limit if beyond else edge)
            if self.price != edge:
                return
            # The tables have crossed and counted the edge already, if it is an initialised tick of theirs.
            self.ticks_crossed -= edge_tick in self.pool.ticks
        self._cross(edge_tick)

    def _run_on_tables(self, limit: int) -> None:
        leg = run_on_table(
            self.pool.steps.towards(self.zero_for_one),
            self.price,
            self.tick,
            self.liquidity,
            self.remaining,
            self.exact_in,
            limit,
            self.share,
        )
        self.price, self.tick, self.liquidity = leg.sqrt_price_x96, leg.tick, leg.liquidity
        self.spent += leg.spent
        self.received += leg.received
        self.remaining -= leg.spent if self.exact_in else leg.received
        self.protocol_fee += leg.protocol_fee
        self.ticks_crossed += leg.ticks_crossed

    def _step_down(self) -> None:
        ordered = self.pool.ticks.ordered
        word_ticks = WORD_BITS * self.pool.tick_spacing
        while self.remaining and self.price != self.limit and self.tick >= self.tick_lower:
            index = bisect_right(ordered, self.tick) - 1
            next_tick = max(self.tick_lower, self.tick // word_ticks * word_ticks)
            if index >= 0 and ordered[index] > next_tick:
                next_tick = ordered[index]
            self._step(next_tick)

    def _step_up(self) -> None:
        ordered = self.pool.ticks.ordered
        spacing = self.pool.tick_spacing
        word_ticks = WORD_BITS * spacing
        while self.remaining and self.price != self.limit and self.tick < self.tick_upper:
            index = bisect_right(ordered, self.tick)
            next_spaced = self.tick // spacing * spacing + spacing
            next_tick = min(self.tick_upper, next_spaced // word_ticks * word_ticks + word_ticks - spacing)
            if index < len(ordered) and ordered[index] < next_tick:
                next_tick = ordered[index]
            self._step(next_tick)

    def _step(self, next_tick: int) -> None:
        """Take one step inside our range, where fees grow for us."""
        boundary = get_sqrt_ratio_at_tick(next_tick)
        if self.zero_for_one:
            target = boundary if boundary > self.limit else self.limit
        else:
            target = boundary if boundary < self.limit else self.limit
        start = self.price
        self.price, amount_in, amount_out, fee = compute_swap_step(
            start,
            target,
            self.liquidity,
            self.remaining if self.exact_in else -self.remaining,
            self.pool.fee_pips,
        )
        self.spent += amount_in + fee
        self.received += amount_out
        self.remaining -= amount_in + fee if self.exact_in else amount_out
        if self.share:
            protocol_fee = fee // self.share
            self.protocol_fee += protocol_fee
            fee -= protocol_fee
        self.fee_growth_x128 += (fee << 128) // self.liquidity
        if self.price == boundary:
            self._cross(next_tick)
        elif self.price != start:
            self.tick = get_tick_at_sqrt_ratio(self.price)

    def _cross(self, tick: int) -> None:
        """Go over the end of a step: an initialised tick, an end of our range, a word's edge, or several."""
        self.tick = tick - 1 if self.zero_for_one else tick
        ticks = self.pool.ticks
        theirs = tick in ticks
        ours = tick in (self.tick_lower, self.tick_upper)
        if theirs or ours:
            self.ticks_crossed += 1
            self.adds_ticks += not theirs
            self.liquidity = ticks.liquidity_at(self.tick)
            if self.tick_lower <= self.tick < self.tick_upper:
                self.liquidity += self.ours


def _check_mint(pool: Pool, tick_lower: int, tick_upper: int, liquidity: int) -> None:
    if liquidity <= 0:
        raise PoolReverts("MINT", "a mint adds liquidity")
    most = max_liquidity_per_tick(pool.tick_spacing)
    for tick in (tick_lower, tick_upper):
        info = pool.ticks.get(tick)
        if liquidity + (info.liquidity_gross if info else 0) > most:
            raise PoolReverts("LO", f"tick {tick} cannot gain {liquidity}")
    add_delta(pool.liquidity, liquidity)
