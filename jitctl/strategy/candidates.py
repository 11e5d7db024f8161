"""The search over ranges: which of them are worth the exact simulator's time.

For a given end s' of the swap, profit grows with the lower end l, so without binding capital the best range
is one spacing wide. With it, a range is either passed through with all the capital (then the furthest one
earns most per unit of capital) or ends the swap inside (then the narrowest one can hold most liquidity). So
for each lower end three upper ends are enough: the one that holds the best s', and the two on either side of
the boundary between passing and ending, which bisection finds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf

from jitctl.strategy.sizing import Sized, Sizer

_SCAN_ALL_LINES = 130
_SAMPLES = 16
_INITIALISED_EACH_WAY = 12
"""How many initialised ticks on either side of the best range are tried as lower ends."""
_HOPELESS = 0.2
"""A lower end whose gain without any cap is below this part of the best found is not looked into."""
_ANY_LINE = 1 << 24
"""Further than any tick."""
_NEGLIGIBLE = 2e-4
"""A part of the best found that is not worth a search."""


def find_candidates(sizer: Sizer) -> list[Sized]:
    """Return sized ranges, best first by value less the cost of initialising ticks.

    Every lower end on the swap's way is tried; on a very long way a sample of them and the neighbourhood of
    the best. Ranges that end on ticks which exist are tried as well: cheaper to mint into.
    """
    return _Search(sizer).run()


class _Search:
    __slots__ = ("best", "first", "found", "furthest", "last", "loss_bound", "lowest", "sizer")

    def __init__(self, sizer: Sizer) -> None:
        self.sizer = sizer
        self.found: dict[tuple[int, int], Sized] = {}
        self.best = 0.0
        self.loss_bound = bool(sizer.caps.losses)
        self.lowest, self.furthest = self._lines_allowed()
        self.first, self.last = max(0, self.lowest), min(sizer.flow.cells(), self.furthest)

    def run(self) -> list[Sized]:
        worth = self.sizer.worth
        if self.first >= self.last:
            self.sizer.starved = True
        if self.last - self.first <= _SCAN_ALL_LINES:
            for line in range(self.last - 1, self.first - 1, -1):
                self._try_from(line)
        else:
            self._sample()
        ranked = sorted(self.found.items(), key=lambda item: worth(item[1]), reverse=True)
        if ranked:
            for (line, upper), _ in ranked[:2]:
                self._try_nearest_initialised(line, upper)
            dearest = max(sized.value_in for sized in self.found.values())
            if dearest - self.best > _NEGLIGIBLE * dearest:
                self._try_initialised([line for (line, _), _ in ranked[:2]])
        return sorted(self.found.values(), key=worth, reverse=True)

    def _lines_allowed(self) -> tuple[int, int]:
        """Return the first and the last grid line that the distance from the TWAP allows."""
        flow, caps = self.sizer.flow, self.sizer.caps
        if caps.max_range_ticks is None or caps.twap_tick is None:
            return -_ANY_LINE, _ANY_LINE
        step = abs(flow.grid_step)
        offset = (flow.grid_base - caps.twap_tick) * (1 if flow.grid_step > 0 else -1)
        return -((caps.max_range_ticks + offset) // step), (caps.max_range_ticks - offset) // step

    def _try_from(self, line: int, uppers: Sequence[int] | None = None) -> float:
        """Try the upper ends that can be best for the lower end `line`; returns the best worth among them.

        `uppers` are the ends to choose from, ascending; all grid lines on the way if None.
        """
        sizer = self.sizer
        entry = sizer.entry(line)
        end = sizer.flow.end
        if uppers is None:
            ahead = max(line, 0) + 1
            uppers = range(ahead if sizer.at(ahead) > entry else ahead + 1, self.last + 1)
        if entry >= end or not uppers:
            return -inf
        s_best, gain = sizer.best_end(entry, min(end, sizer.at(uppers[-1])))
        if gain <= 0.0 or gain < self.best * _HOPELESS:
            return -inf
        upper = self._first_at_or_beyond(s_best, uppers)
        worth = self._add(line, upper, sizer.size_for_end(line, upper, s_best))
        if sizer.liquidity_for_end(entry, s_best) <= sizer.max_liquidity(line, upper):
            return worth
        low, high = -1, len(uppers) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if self._passes(line, uppers[middle], entry):
                low = middle
            else:
                high = middle
        if low >= 0:
            most = sizer.max_liquidity(line, uppers[low])
            worth = max(worth, self._add(line, uppers[low], sizer.sized(line, uppers[low], most)))
        if uppers[high] != upper:
            worth = max(worth, self._add(line, uppers[high], sizer.size(line, uppers[high])))
        if self.loss_bound and 0 not in (low, high):
            # A bound on the loss allows more the less of the range lies between the price and the TWAP.
            worth = max(worth, self._add(line, uppers[0], sizer.size(line, uppers[0])))
        return worth

    def _first_at_or_beyond(self, s: float, uppers: Sequence[int]) -> int:
        low, high = -1, len(uppers) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if self.sizer.at(uppers[middle]) >= s:
                high = middle
            else:
                low = middle
        return uppers[high]

    def _passes(self, line: int, upper: int, entry: float) -> bool:
        """Return whether the swap goes through the whole range even with all the liquidity we may place."""
        sizer = self.sizer
        b = sizer.at(upper)
        return b < sizer.flow.end and sizer.liquidity_for_end(entry, b) >= sizer.max_liquidity(line, upper)

    def _add(self, line: int, upper: int, sized: Sized | None) -> float:
        if sized is None:
            return -inf
        self.found[line, upper] = sized
        worth = self.sizer.worth(sized)
        if worth > self.best:
            self.best = worth
        return worth

    def _sample(self) -> None:
        """Sample lower ends over the way, then close in on the best three."""
        first, last = self.first, self.last
        tried: dict[int, float] = {}

        def look(line: int) -> None:
            if line not in tried and first <= line < last:
                tried[line] = self._try_from(line)

        stride = max((last - first) // _SAMPLES, 1)
        for line in (last - 1, last - 2, last - 3, first, first + 1, *range(first, last, stride)):
            look(line)
        while stride > 1:
            stride //= 2
            for line in sorted(tried, key=tried.__getitem__, reverse=True)[:3]:
                look(line - stride)
                look(line + stride)

    def _try_nearest_initialised(self, line: int, upper: int) -> None:
        """Try a range's ends moved out to ticks that exist."""
        behind = self._initialised_lines(line, backward=True, count=1)
        ahead = self._initialised_lines(upper, backward=False, count=1)
        for low in {line, *behind}:
            for high in {upper, *ahead}:
                if (low, high) not in self.found:
                    self._add(low, high, self.sizer.size(low, high))

    def _try_initialised(self, lines: list[int]) -> None:
        """Try ranges of which one or both ends exist, around the best lower ends and behind the price."""
        existing = sorted(
            {
                *self._initialised_lines(lines[0], backward=True, count=_INITIALISED_EACH_WAY),
                *self._initialised_lines(lines[0] + 1, backward=False, count=_INITIALISED_EACH_WAY),
                *self._initialised_lines(0, backward=True, count=1),
                *self._initialised_lines(self.last, backward=False, count=1),
            }
        )
        for line in {*existing, *lines}:
            uppers = existing[bisect_right(existing, max(line, 0)) :]
            if uppers and self.sizer.at(uppers[0]) <= self.sizer.entry(line):
                uppers = uppers[1:]
            self._try_from(line, uppers)
            if line < self.first:
                self._try_from(line)

    def _initialised_lines(self, line: int, *, backward: bool, count: int) -> list[int]:
        """Return up to `count` allowed lines on initialised ticks, from `line` on (which may be one)."""
        flow = self.sizer.flow
        ordered = flow.pool.ticks.ordered
        tick = flow.grid_base + line * flow.grid_step
        if (flow.grid_step < 0) != backward:
            at = bisect_right(ordered, tick)
            ticks = ordered[max(at - count, 0) : at]
        else:
            at = bisect_left(ordered, tick)
            ticks = ordered[at : at + count]
        lines = [(found - flow.grid_base) // flow.grid_step for found in ticks]
        return [found for found in lines if self.lowest <= found <= self.furthest]
