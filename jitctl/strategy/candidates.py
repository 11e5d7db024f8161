"""The search over ranges: which of them are worth the exact simulator's time.

For a given end s' of the swap, profit grows with the lower end l, so without binding capital the best range
is one spacing wide. With it, a range is either passed through with all the capital (then the furthest one
earns most per unit of capital) or ends the swap inside (then the narrowest one can hold most liquidity). So
for each lower end three upper ends are enough: the one that holds the best s', and the two on either side of
the boundary between passing and ending, which bisection finds.
"""

from __future__ import annotations

from math import inf

from jitctl.strategy.sizing import Sized, Sizer

_SCAN_ALL_LINES = 40
_SAMPLES = 16
_NEAREST_INITIALISED = 6
"""How many spacings away an initialised tick may lie to be tried in place of a fresh one."""
_HOPELESS = 0.2
"""A lower end whose gain without any cap is below this part of the best found is not looked into."""


def find_candidates(sizer: Sizer) -> list[Sized]:
    """Return sized ranges, best first by value less the cost of initialising ticks.

    Every lower end on the swap's way is tried; on a very long way a sample of them and the neighbourhood of
    the best. Ranges that end on ticks which exist are tried as well: cheaper to mint into.
    """
    return _Search(sizer).run()


class _Search:
    __slots__ = ("best", "first", "found", "last", "loss_bound", "sizer")

    def __init__(self, sizer: Sizer) -> None:
        self.sizer = sizer
        self.found: dict[tuple[int, int], Sized] = {}
        self.best = 0.0
        self.loss_bound = any(cap.max_loss_wei != inf for cap in sizer.caps.values)
        self.first, self.last = self._lines_allowed()

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
        for (line, upper), _ in ranked[:2]:
            self._try_initialised(line, upper)
        return sorted(self.found.values(), key=worth, reverse=True)

    def _lines_allowed(self) -> tuple[int, int]:
        """Return the first and the last grid line that a range may use: on the way, and near the TWAP."""
        flow, caps = self.sizer.flow, self.sizer.caps
        first, last = 0, flow.cells()
        if caps.max_range_ticks is None or caps.twap_tick is None:
            return first, last
        step = abs(flow.grid_step)
        offset = (flow.grid_base - caps.twap_tick) * (1 if flow.grid_step > 0 else -1)
        return max(first, -((caps.max_range_ticks + offset) // step)), min(
            last, (caps.max_range_ticks - offset) // step
        )

    def _try_from(self, line: int) -> float:
        """Try the upper ends that can be best for the lower end `line`; returns the best worth among them."""
        sizer = self.sizer
        entry = sizer.entry(line)
        end = sizer.flow.end
        upper = line + 1
        if sizer.at(upper) <= entry:
            upper += 1
        if entry >= end or upper > self.last:
            return -inf
        s_best, gain = sizer.best_end(entry, min(end, sizer.at(self.last)))
        if gain <= 0.0 or gain < self.best * _HOPELESS:
            return -inf
        narrowest = upper
        upper = self._line_at_or_beyond(s_best, narrowest)
        worth = self._add(line, upper, sizer.size_for_end(line, upper, s_best))
        if sizer.liquidity_for_end(entry, s_best) <= sizer.max_liquidity(line, upper):
            return worth
        low, high = narrowest - 1, self.last
        while high - low > 1:
            middle = (low + high) // 2
            if self._passes(line, middle, entry):
                low = middle
            else:
                high = middle
        if low >= narrowest:
            most = sizer.max_liquidity(line, low)
            worth = max(worth, self._add(line, low, sizer.sized(line, low, most)))
        if high != upper:
            worth = max(worth, self._add(line, high, sizer.size(line, high)))
        if self.loss_bound and narrowest not in (low, high):
            # A bound on the loss allows more value the nearer the range is to the TWAP.
            worth = max(worth, self._add(line, narrowest, sizer.size(line, narrowest)))
        return worth

    def _line_at_or_beyond(self, s: float, narrowest: int) -> int:
        low, high = narrowest - 1, self.last
        while high - low > 1:
            middle = (low + high) // 2
            if self.sizer.at(middle) >= s:
                high = middle
            else:
                low = middle
        return high

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

    def _try_initialised(self, line: int, upper: int) -> None:
        flow, sizer = self.sizer.flow, self.sizer
        ticks = flow.pool.ticks
        bounded = sizer.caps.max_range_ticks is not None
        lowers, uppers = [line], [upper]
        for steps in range(1, _NEAREST_INITIALISED + 1):
            if (
                len(lowers) == 1
                and flow.grid_tick(line - steps) in ticks
                and not (bounded and line - steps < self.first)
            ):
                lowers.append(line - steps)
            if (
                len(uppers) == 1
                and flow.grid_tick(upper + steps) in ticks
                and not (bounded and upper + steps > self.last)
            ):
                uppers.append(upper + steps)
        for low in lowers:
            for high in uppers:
                if (low, high) not in self.found:
                    self._add(low, high, sizer.size(low, high))
