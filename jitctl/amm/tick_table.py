"""The initialised ticks of a pool: an immutable sorted table."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from jitctl.amm.full_math import MAX_UINT128
from jitctl.amm.liquidity_math import max_liquidity_per_tick
from jitctl.amm.revert import InconsistentPool, PoolReverts
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK


class TickInfo(NamedTuple):
    """`liquidity_net` is gained when the tick is crossed upwards and lost when downwards."""

    liquidity_gross: int
    liquidity_net: int


class TickTable(Mapping[int, TickInfo]):
    """tick -> `TickInfo`, in ascending order of ticks."""

    __slots__ = ("_active", "_info", "_sorted", "tick_spacing")

    def __init__(self, tick_spacing: int, ticks: Mapping[int, tuple[int, int]]) -> None:
        """Check and adopt a pool's whole tick table; `InconsistentPool` if it cannot be one."""
        info = {}
        for tick in sorted(ticks):
            gross, net = ticks[tick]
            if tick % tick_spacing or not MIN_TICK <= tick <= MAX_TICK:
                raise InconsistentPool(f"tick {tick} is not usable with a spacing of {tick_spacing}")
            if not 0 < gross <= MAX_UINT128 or abs(net) > gross:
                raise InconsistentPool(f"tick {tick} has gross {gross} and net {net}")
            info[tick] = TickInfo(gross, net)
        self._adopt(tick_spacing, list(info), info)
        if self._active and (self._active[-1] or min(self._active) < 0):
            raise InconsistentPool("the ticks' net liquidities do not sum to zero from below to above")

    def _adopt(self, tick_spacing: int, ordered: list[int], info: dict[int, TickInfo]) -> None:
        self.tick_spacing = tick_spacing
        self._sorted = ordered
        self._info = info
        self._active = list(accumulate(info[tick].liquidity_net for tick in ordered))

    def __getitem__(self, tick: int) -> TickInfo:
        return self._info[tick]

    def __contains__(self, tick: object) -> bool:
        return tick in self._info

    def __iter__(self) -> Iterator[int]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    def __repr__(self) -> str:
        return f"TickTable({len(self._sorted)} ticks, spacing {self.tick_spacing})"

    @property
    def ordered(self) -> list[int]:
        """The ticks in ascending order; not to be changed."""
        return self._sorted

    def liquidity_at(self, tick: int) -> int:
        """Return the liquidity that is active at a current tick."""
        index = bisect_right(self._sorted, tick)
        return self._active[index - 1] if index else 0

    def liquidity_from(self, ticks: Sequence[int]) -> list[int]:
        """Return `liquidity_at` each of `ticks`, which ascend and skip no initialised tick between them."""
        if not ticks:
            return []
        active = self.liquidity_at(ticks[0])
        found = [active]
        info = self._info
        for tick in ticks[1:]:
            if tick in info:
                active += info[tick][1]
            found.append(active)
        return found

    def count_each(self, ticks: Iterable[int]) -> list[int]:
        """Return 1 for each of `ticks` that is initialised, 0 for the others."""
        return list(map(self._info.__contains__, ticks))

    def edited(self, tick_lower: int, tick_upper: int, liquidity_delta: int) -> TickTable:
        """Return the table after a mint (delta > 0) or burn (delta < 0) in a checked range.

        `PoolReverts` "LO" above the liquidity that a tick may carry, "LS" below zero.
        """
        info = dict(self._info)
        ordered = list(self._sorted)
        for tick, net_delta in ((tick_lower, liquidity_delta), (tick_upper, -liquidity_delta)):
            gross, net = info.get(tick, (0, 0))
            gross_after = gross + liquidity_delta
            if gross_after < 0:
                raise PoolReverts("LS", f"tick {tick} carries {gross} and cannot lose {-liquidity_delta}")
            if gross_after > max_liquidity_per_tick(self.tick_spacing):
                raise PoolReverts("LO", f"tick {tick} carries {gross} and cannot gain {liquidity_delta}")
            if not gross_after:
                del info[tick]
                ordered.remove(tick)
                continue
            if not gross:
                insort(ordered, tick)
            info[tick] = TickInfo(gross_after, net + net_delta)
        table = TickTable.__new__(TickTable)
        table._adopt(self.tick_spacing, ordered, info)
        return table
