"""An exact snapshot of a Uniswap v3 pool: immutable, cheap to derive, fast to swap against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jitctl.amm.liquidity_math import add_delta
from jitctl.amm.revert import InconsistentPool, PoolReverts
from jitctl.amm.step_table import StepTable
from jitctl.amm.swap_math import ONE_IN_PIPS, check_swap, protocol_share
from jitctl.amm.swap_result import SwapResult
from jitctl.amm.table_swap import run_on_table
from jitctl.amm.tick_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, get_sqrt_ratio_at_tick
from jitctl.amm.tick_table import TickTable


class StepTables:
    """The step tables of both directions, worked out when first needed and shared by snapshots.

    After a mint or burn a direction is stale: it keeps the last table that was worked out and the range
    within which the ticks differ from it, and catches up when it is asked for.
    """

    __slots__ = ("_built", "_stale", "_ticks", "fee_pips")

    def __init__(self, ticks: TickTable, fee_pips: int) -> None:
        self.fee_pips = fee_pips
        self._ticks = ticks
        self._built: list[StepTable | None] = [None, None]
        self._stale: list[tuple[StepTable, int, int] | None] = [None, None]

    def towards(self, zero_for_one: bool) -> StepTable:
        """Return the table for swaps down (`zero_for_one`) or up."""
        table = self._built[zero_for_one]
        if table is None:
            stale = self._stale[zero_for_one]
            if stale is None:
                table = StepTable.build(self._ticks, self.fee_pips, zero_for_one)
            else:
                table = stale[0].edited(self._ticks, stale[1], stale[2])
                self._stale[zero_for_one] = None
            self._built[zero_for_one] = table
        return table

    def edited(self, ticks: TickTable, tick_lower: int, tick_upper: int) -> StepTables:
        """Return the tables for `ticks`, which differ from ours only within [lower, upper]."""
        tables = StepTables(ticks, self.fee_pips)
        for direction in (False, True):
            built, stale = self._built[direction], self._stale[direction]
            if built is not None:
                tables._stale[direction] = (built, tick_lower, tick_upper)
            elif stale is not None:
                tables._stale[direction] = (stale[0], min(stale[1], tick_lower), max(stale[2], tick_upper))
        return tables


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool at one block.

    `fee_pips` is in hundredths of a basis point, `sqrt_price_x96` is Q64.96, `fee_protocol` is slot0's byte
    (low 4 bits token0, high 4 bits token1, 0 is off), `ticks` is the whole table of initialised ticks.
    `tick` is slot0's: after a swap downwards that ends exactly on a tick it is one below the price's.
    """

    fee_pips: int
    tick_spacing: int
    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_protocol: int
    ticks: TickTable
    steps: StepTables = field(repr=False, compare=False)

    @classmethod
    def from_state(
        cls,
        *,
        fee_pips: int,
        tick_spacing: int,
        sqrt_price_x96: int,
        tick: int,
        liquidity: int,
        fee_protocol: int = 0,
        ticks: Mapping[int, tuple[int, int]],
    ) -> Pool:
        """Return a snapshot from what the node says; `ticks` maps tick to (gross, net) and is complete.

        Raises `InconsistentPool` if the parts contradict each other.
        """
        if not 0 <= fee_pips < ONE_IN_PIPS or tick_spacing < 1:
            raise InconsistentPool(f"fee {fee_pips} pips, tick spacing {tick_spacing}")
        if isinstance(ticks, TickTable) and ticks.tick_spacing == tick_spacing:
            table = ticks
        else:
            table = TickTable(tick_spacing, ticks)
        pool = cls(
            fee_pips,
            tick_spacing,
            sqrt_price_x96,
            tick,
            liquidity,
            fee_protocol,
            table,
            StepTables(table, fee_pips),
        )
        return pool.with_fee_protocol(fee_protocol).with_swap(sqrt_price_x96, tick, liquidity)

    def with_swap(self, sqrt_price_x96: int, tick: int, liquidity: int) -> Pool:
        """Return the snapshot after a Swap event, with its three values; O(1), tables are shared.

        Raises `InconsistentPool` when they do not fit the ticks: a log was lost or is of another pool.
        """
        if not (
            MIN_TICK <= tick < MAX_TICK
            and MIN_SQRT_RATIO <= sqrt_price_x96 < MAX_SQRT_RATIO
            and get_sqrt_ratio_at_tick(tick) <= sqrt_price_x96 <= get_sqrt_ratio_at_tick(tick + 1)
        ):
            raise InconsistentPool(f"tick {tick} does not belong to sqrt price {sqrt_price_x96}")
        expected = self.ticks.liquidity_at(tick)
        if liquidity != expected:
            raise InconsistentPool(f"liquidity is {liquidity}, the ticks say {expected} at tick {tick}")
        return Pool(
            self.fee_pips,
            self.tick_spacing,
            sqrt_price_x96,
            tick,
            liquidity,
            self.fee_protocol,
            self.ticks,
            self.steps,
        )

    def with_mint(self, tick_lower: int, tick_upper: int, amount: int) -> Pool:
        """Return the snapshot after a Mint event; `PoolReverts` where the contract would."""
        if amount <= 0:
            raise PoolReverts("MINT", "a mint adds liquidity")
        return self._with_position(tick_lower, tick_upper, amount)

    def with_burn(self, tick_lower: int, tick_upper: int, amount: int) -> Pool:
        """Return the snapshot after a Burn event; an amount of 0 (a poke) changes nothing here."""
        if amount < 0:
            raise PoolReverts("BURN", "a burn removes liquidity")
        return self._with_position(tick_lower, tick_upper, -amount) if amount else self

    def with_fee_protocol(self, fee_protocol: int) -> Pool:
        """Return the snapshot after SetFeeProtocol: `fee_protocol` is the new byte of slot0."""
        for share in (fee_protocol % 16, fee_protocol >> 4):
            if share and not 4 <= share <= 10:
                raise InconsistentPool(f"fee protocol {fee_protocol} is not one that the contract allows")
        return Pool(
            self.fee_pips,
            self.tick_spacing,
            self.sqrt_price_x96,
            self.tick,
            self.liquidity,
            fee_protocol,
            self.ticks,
            self.steps,
        )

    def swap(self, zero_for_one: bool, amount_specified: int, sqrt_price_limit_x96: int = 0) -> SwapResult:
        """Return what the contract's swap does, to the wei.

        `amount_specified` > 0 is an exact input (fee included), < 0 an exact output; a limit of 0 is none.
        As on chain, a swap that meets the limit stops there with less than was asked for. `PoolReverts`
        "AS" or "SPL" where the contract would.
        """
        limit = check_swap(self.sqrt_price_x96, zero_for_one, amount_specified, sqrt_price_limit_x96)
        leg = run_on_table(
            self.steps.towards(zero_for_one),
            self.sqrt_price_x96,
            self.tick,
            self.liquidity,
            abs(amount_specified),
            amount_specified > 0,
            limit,
            protocol_share(self.fee_protocol, zero_for_one),
        )
        amount0, amount1 = (leg.spent, -leg.received) if zero_for_one else (-leg.received, leg.spent)
        return SwapResult(
            amount0, amount1, leg.sqrt_price_x96, leg.tick, leg.liquidity, leg.ticks_crossed, leg.protocol_fee
        )

    def prepare(self) -> Pool:
        """Build the step tables now rather than at the first swap; returns the same snapshot."""
        self.steps.towards(True)
        self.steps.towards(False)
        return self

    def _with_position(self, tick_lower: int, tick_upper: int, liquidity_delta: int) -> Pool:
        check_range(tick_lower, tick_upper, self.tick_spacing)
        liquidity = self.liquidity
        if tick_lower <= self.tick < tick_upper:
            liquidity = add_delta(liquidity, liquidity_delta)
        ticks = self.ticks.edited(tick_lower, tick_upper, liquidity_delta)
        return Pool(
            self.fee_pips,
            self.tick_spacing,
            self.sqrt_price_x96,
            self.tick,
            liquidity,
            self.fee_protocol,
            ticks,
            self.steps.edited(ticks, tick_lower, tick_upper),
        )


def check_range(tick_lower: int, tick_upper: int, tick_spacing: int) -> None:
    """Raise `PoolReverts` "TLU", "TLM", "TUM" or "TS" where the contract refuses a position's range."""
    if tick_lower >= tick_upper:
        raise PoolReverts("TLU", f"the range [{tick_lower}, {tick_upper}) is empty")
    if tick_lower < MIN_TICK:
        raise PoolReverts("TLM", f"tick {tick_lower} is too low")
    if tick_upper > MAX_TICK:
        raise PoolReverts("TUM", f"tick {tick_upper} is too high")
    if tick_lower % tick_spacing or tick_upper % tick_spacing:
        raise PoolReverts("TS", f"[{tick_lower}, {tick_upper}) is not on a spacing of {tick_spacing}")
