"""Which range, and how much liquidity: the closed form on the flow model.

Notation of `docs/economics.md`, in the coordinates of `flow.py` (s runs upwards, P* is the mark price of the
output token in the input token, g the fee gain). A position of liquidity J in [l, b] that the swap enters at
l and leaves at u = min(s', b) takes J (u - l) of the input, fee gain on top, and gives J (1/l - 1/u) of the
output, so in the input token

    profit = J (u - l) (1 + g - P* / (l u)).

While the swap ends inside, J (s' - l) = A(s'), what the swap has left at s' without us. Hence, with
v = s_i + y_i / L_i the end that the segment's own liquidity would give,

    profit(s') = L (v - s') (1 + g - P* / (l s'));   d/ds' = 0  <=>  s'^2 = P* v / ((1 + g) l).

With l = s and v = s (1 + x0) this is 1 + w* = sqrt(rho (1 + x0) / (1 + g)) and J* = L (x0/w* - 1): the
three regimes are s' beyond v (never enter), s' at or below l (all that limits allow) and between (J*). Exact
output gives the same s', for A = L (1/s' - 1/v) and profit = A ((1 + g) l s' - P*). When the swap leaves the
range, profit is linear in J until it ends exactly at b. Above the price l is the range's own lower end: a
single-sided range is the same formula with less left of the swap.

For a given s' profit grows with l, so without binding capital the best range is one spacing wide. With it,
a range is either passed through with all capital (the furthest such range earns most per unit of capital) or
ends the swap inside: for each lower end the boundary between the two is found by bisection.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import NamedTuple

from jitctl.amm.liquidity_math import max_liquidity_per_tick
from jitctl.strategy.flow import Flow

_SCAN_ALL_LINES = 40
_SAMPLES = 16
_NEAREST_INITIALISED = 6
"""How many spacings away an initialised tick may lie to be tried in place of a fresh one."""
_ALMOST = 1.0 - 1e-12
_BEYOND = 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class Caps:
    """What one mint may use: base units of the swap's input and output token, and bounds on its value.

    The worst loss of a range whose further end is d ticks from the TWAP is d / 10,000 of its value there, so
    a bound on the loss bounds the value range by range.
    """

    amount_in: float
    amount_out: float
    values: tuple[ValueCap, ...] = ()
    twap_tick: int | None = None
    max_range_ticks: int | None = None


class ValueCap(NamedTuple):
    """Prices in wei per base unit of the input and the output token, the most value, the most loss."""

    wei_in: float
    wei_out: float
    max_wei: float
    max_loss_wei: float = inf


class Sized(NamedTuple):
    """A range with its size, by the model: `value_in` is the profit before gas, in the input token.

    `new_ticks` counts ticks that the mint initialises, `adds_ticks` those of them that the swap crosses;
    `most` is the liquidity at which a cap binds.
    """

    value_in: float
    tick_lower: int
    tick_upper: int
    liquidity: float
    new_ticks: int
    adds_ticks: int
    most: float


class Sizer:
    """Finds the ranges and sizes worth trying for one flow, one mark and one set of caps.

    `mark_ratio` is P*: the value of a base unit of output over that of input.
    `tick_cost_in` is what initialising one tick costs, in the input token. `starved` is set when a range that
    gains got no liquidity because of the caps.
    """

    __slots__ = (
        "_initialised", "_lines", "_max_liquidity", "_ratio", "caps", "flow", "gain", "mark_ratio",
        "starved", "tick_cost_in",
    )  # fmt: skip

    def __init__(self, flow: Flow, mark_ratio: float, caps: Caps, tick_cost_in: float = 0.0) -> None:
        self.flow = flow
        self.mark_ratio = mark_ratio
        self.caps = caps
        self.tick_cost_in = tick_cost_in
        self.starved = False
        self.gain = 1.0 + flow.gain
        self._ratio = mark_ratio / self.gain
        self._lines: dict[int, float] = {}
        self._initialised = flow.pool.ticks
        self._max_liquidity = max_liquidity_per_tick(flow.pool.tick_spacing) * 0.999

    def informed(self) -> bool:
        """Return whether no liquidity anywhere on the swap's way gains: (1 + g) s_end^2 <= P*."""
        return self.gain * self.flow.end * self.flow.end <= self.mark_ratio

    def bound_in(self) -> float:
        """Return an upper bound of the profit in the input token: the whole flow at the swap's last price."""
        flow = self.flow
        end = flow.end
        if flow.exact_in:
            return flow.remaining[0] * (self.gain - self.mark_ratio / (end * end))
        return flow.remaining[0] * (self.gain * end * end - self.mark_ratio)

    def candidates(self) -> list[Sized]:
        """Return sized ranges, best first by value minus the cost of initialising ticks.

        Every lower end on the swap's way is tried with the upper ends that can be best for it; on a very long
        way a sample of them, and the neighbourhood of the best.
        """
        lines = self.flow.cells()
        found: dict[tuple[int, int], Sized] = {}
        if lines <= _SCAN_ALL_LINES:
            for line in range(lines):
                self._try_from(line, lines, found)
        else:
            self._sample(lines, found)
        ranked = sorted(found.items(), key=lambda item: self._worth(item[1]), reverse=True)
        for (line, upper), _ in ranked[:2]:
            self._try_initialised(line, upper, found)
        return sorted(found.values(), key=self._worth, reverse=True)

    def size(self, line: int, upper: int) -> Sized | None:
        """Return the best size for the range between two grid lines, None if none gains."""
        flow = self.flow
        b = self._at(upper)
        entry = self._entry(line)
        if b <= entry or entry >= flow.end:
            return None
        most = self.max_liquidity(line, upper)
        if most < 1.0:
            self.starved = True
            return None
        last = min(b, flow.end)
        s_best, _ = self._best_end(entry, last)
        wanted = self._liquidity(entry, s_best)
        if s_best >= last and b < flow.end:
            # The kink: a hair more liquidity keeps the price inside, so that our upper tick is not crossed.
            wanted *= _BEYOND
        return self._sized(line, upper, entry, b, min(wanted, most), most)

    def max_liquidity(self, line: int, upper: int) -> float:
        """Return the most liquidity that the caps allow between two grid lines."""
        flow, caps = self.flow, self.caps
        a, b = self._at(line), self._at(upper)
        start = flow.start
        entry = max(a, start)
        if caps.max_range_ticks is not None and self._distance(line, upper) > caps.max_range_ticks:
            return 0.0
        out_each = (b - entry) / (b * entry)
        most = min(caps.amount_out / out_each, self._max_liquidity)
        in_each = start - a if a < start else 0.0
        if in_each > 0.0:
            most = min(most, caps.amount_in / in_each)
        for wei_in, wei_out, max_wei, max_loss_wei in caps.values:
            if max_loss_wei != inf:
                distance = self._distance(line, upper)
                max_wei = min(max_wei, max_loss_wei * 10_000.0 / distance if distance else inf)
            each = wei_in * in_each + wei_out * out_each
            if each > 0.0:
                most = min(most, max_wei / each)
        return most * _ALMOST

    def _distance(self, line: int, upper: int) -> int:
        twap = self.caps.twap_tick
        if twap is None:
            return 0
        return max(abs(self.flow.grid_tick(line) - twap), abs(self.flow.grid_tick(upper) - twap))

    def _worth(self, sized: Sized) -> float:
        return sized.value_in - sized.new_ticks * self.tick_cost_in

    def _at(self, line: int) -> float:
        s = self._lines.get(line)
        if s is None:
            s = self._lines[line] = self.flow.at_tick(self.flow.grid_tick(line))
        return s

    def _entry(self, line: int) -> float:
        return max(self._at(line), self.flow.start)

    def _line_at_or_beyond(self, s: float, first: int, lines: int) -> int:
        low, high = first - 1, lines
        while high - low > 1:
            middle = (low + high) // 2
            if self._at(middle) >= s:
                high = middle
            else:
                low = middle
        return high

    def _try_from(self, line: int, lines: int, found: dict[tuple[int, int], Sized]) -> None:
        """Try the upper ends that can be best for the lower end `line`."""
        entry = self._entry(line)
        end = self.flow.end
        if entry >= end:
            return
        s_best, best = self._best_end(entry, end)
        if best <= 0.0:
            return
        first = line + 1
        if self._at(first) <= entry:
            first += 1
        upper = self._line_at_or_beyond(s_best, first, lines)
        self._add(line, upper, found)
        if self._liquidity(entry, s_best) <= self.max_liquidity(line, upper):
            return
        low, high = first - 1, lines
        while high - low > 1:
            middle = (low + high) // 2
            if self._passes(line, middle, entry):
                low = middle
            else:
                high = middle
        for upper in (low, high):
            if first <= upper <= lines:
                self._add(line, upper, found)

    def _sample(self, lines: int, found: dict[tuple[int, int], Sized]) -> None:
        """Sample lower ends over the way, then close in on the best three."""
        tried: dict[int, float] = {}

        def value(line: int) -> float:
            if line not in tried:
                own: dict[tuple[int, int], Sized] = {}
                self._try_from(line, lines, own)
                found.update(own)
                tried[line] = max((self._worth(sized) for sized in own.values()), default=-inf)
            return tried[line]

        stride = max(lines // _SAMPLES, 1)
        for line in {*range(0, lines, stride), 1, lines - 1, lines - 2, lines - 3}:
            value(line)
        while stride > 1:
            stride = max(stride // 2, 1)
            for line in sorted(tried, key=tried.__getitem__, reverse=True)[:3]:
                for near in (line - stride, line + stride):
                    if 0 <= near < lines:
                        value(near)

    def _try_initialised(self, line: int, upper: int, found: dict[tuple[int, int], Sized]) -> None:
        """Try ends on ticks that exist: cheaper to mint into, and crossing them is not new to the user."""
        flow = self.flow
        lowers, uppers = [line], [upper]
        for steps in range(1, _NEAREST_INITIALISED + 1):
            if len(lowers) == 1 and flow.grid_tick(line - steps) in self._initialised:
                lowers.append(line - steps)
            if len(uppers) == 1 and flow.grid_tick(upper + steps) in self._initialised:
                uppers.append(upper + steps)
        for low in lowers:
            for high in uppers:
                self._add(low, high, found)

    def _add(self, line: int, upper: int, found: dict[tuple[int, int], Sized]) -> None:
        if (line, upper) not in found:
            sized = self.size(line, upper)
            if sized is not None:
                found[line, upper] = sized

    def _passes(self, line: int, upper: int, entry: float) -> bool:
        """Return whether the swap goes through the whole range even with all the liquidity we may place."""
        b = self._at(upper)
        return self._liquidity(entry, b) >= self.max_liquidity(line, upper) if b < self.flow.end else False

    def _liquidity(self, entry: float, s: float) -> float:
        """Return the liquidity from `entry` on with which the swap ends at s."""
        width = s - entry
        if width <= 0.0:
            return inf
        left = self.flow.left_at(s)
        return left / width if self.flow.exact_in else left * entry * s / width

    def _profit(self, entry: float, liquidity: float, s: float) -> float:
        return liquidity * (s - entry) * (self.gain - self.mark_ratio / (entry * s))

    def _best_end(self, entry: float, last: float) -> tuple[float, float]:
        """Return the s' in (entry, last] at which ending the swap inside gains most, and the gain."""
        flow = self.flow
        starts, ends = flow.starts, flow.virtual_ends
        exact_in = flow.exact_in
        ratio = self._ratio / entry
        best_s, best = last, -inf
        for index in range(flow.segment_at(entry), len(starts)):
            low = max(starts[index], entry)
            if low >= last:
                break
            high = min(starts[index + 1], last) if index + 1 < len(starts) else last
            virtual = ends[index]
            s = high if virtual == inf else min(max(sqrt(ratio * virtual), low), high)
            if s <= entry:
                # All that limits allow: the flow stops where we stand. Profit's limit is at the entry itself.
                s = entry * (1.0 + 1e-15)
            left = flow.left_in(index, s)
            if exact_in:
                gained = left * (self.gain - self.mark_ratio / (entry * s))
            else:
                gained = left * (self.gain * entry * s - self.mark_ratio)
            if gained > best:
                best_s, best = s, gained
        return best_s, best

    def _end_with(self, entry: float, b: float, liquidity: float) -> float:
        """Return min(s', b) for a given liquidity of ours from `entry` on."""
        flow = self.flow
        starts = flow.starts
        last = min(b, flow.end)
        index = flow.segment_at(entry)
        s, left = entry, flow.left_in(index, entry)
        while True:
            high = min(starts[index + 1], last) if index + 1 < len(starts) else last
            depth = flow.liquidities[index] + liquidity
            if flow.exact_in:
                end = s + left / depth
                used = depth * (high - s)
            else:
                inverse = 1.0 / s - left / depth
                end = 1.0 / inverse if inverse > 0.0 else inf
                used = depth * (high - s) / (high * s)
            if end <= high or high >= last:
                return min(end, high)
            left -= used
            s = high
            index += 1

    def _sized(
        self, line: int, upper: int, entry: float, b: float, liquidity: float, most: float
    ) -> Sized | None:
        s = self._end_with(entry, b, liquidity)
        value = self._profit(entry, liquidity, s)
        if value <= 0.0 or liquidity < 1.0:
            return None
        flow = self.flow
        near, far = flow.grid_tick(line), flow.grid_tick(upper)
        near_new = near not in self._initialised
        far_new = far not in self._initialised
        # A price that stands on a tick has not crossed it yet in one of the two directions; the tick says which.
        ahead = near <= flow.pool.tick if flow.zero_for_one else near > flow.pool.tick
        adds = (near_new and ahead) + (far_new and s >= b)
        tick_lower, tick_upper = (far, near) if flow.zero_for_one else (near, far)
        return Sized(value, tick_lower, tick_upper, liquidity, near_new + far_new, adds, most)
