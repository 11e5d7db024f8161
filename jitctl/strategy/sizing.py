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

`candidates.py` searches the ranges with this model.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import NamedTuple

from jitctl.amm.liquidity_math import max_liquidity_per_tick
from jitctl.strategy.flow import Flow

_ALMOST = 1.0 - 1e-9
_BEYOND = 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class Caps:
    """What one mint may use: base units of the swap's input and output token, bounds on its value, on the
    worst loss that it could make, and on how far its range may reach from the TWAP.
    """

    amount_in: float
    amount_out: float
    values: tuple[ValueCap, ...] = ()
    twap_tick: int | None = None
    max_range_ticks: int | None = None
    losses: tuple[LossCap, ...] = ()


class ValueCap(NamedTuple):
    """Prices in wei per base unit of the input and the output token, and the most value."""

    wei_in: float
    wei_out: float
    max_wei: float


class LossCap(NamedTuple):
    """A pool price (the TWAP), what a base unit of the input token is worth there in wei, the most loss."""

    wei_in: float
    sqrt_price_x96: int
    max_wei: float


class Sized(NamedTuple):
    """A range with its size, by the model: `value_in` is the profit before gas, in the input token.

    `new_ticks` counts ticks that the mint initialises, `adds_ticks` those of them that the swap crosses.
    """

    value_in: float
    tick_lower: int
    tick_upper: int
    liquidity: float
    new_ticks: int
    adds_ticks: int


class Sizer:
    """The model of one flow, one mark and one set of caps: what a range earns and how large it should be.

    Ranges are given by grid lines of the flow, `line` where the swap enters and `upper` where it would leave.
    `mark_ratio` is P*: the value of a base unit of output over that of input. `tick_cost_in` is what
    initialising one tick costs, in the input token. `starved` is set when the caps left a range nothing.
    """

    __slots__ = (
        "_initialised", "_lines", "_max_liquidity", "caps", "flow", "gain", "mark_ratio", "starved",
        "tick_cost_in",
    )  # fmt: skip

    def __init__(self, flow: Flow, mark_ratio: float, caps: Caps, tick_cost_in: float = 0.0) -> None:
        self.flow = flow
        self.mark_ratio = mark_ratio
        self.caps = caps
        self.tick_cost_in = tick_cost_in
        self.starved = False
        self.gain = 1.0 + flow.gain
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

    def worth(self, sized: Sized) -> float:
        """Return what a sized range gains after paying for its new ticks, in the input token."""
        return sized.value_in - sized.new_ticks * self.tick_cost_in

    def at(self, line: int) -> float:
        """Return s at a grid line."""
        s = self._lines.get(line)
        if s is None:
            s = self._lines[line] = self.flow.at_tick(self.flow.grid_tick(line))
        return s

    def entry(self, line: int) -> float:
        """Return where the swap meets a range that begins at a grid line."""
        s = self.at(line)
        return s if s > self.flow.start else self.flow.start

    def size(self, line: int, upper: int) -> Sized | None:
        """Return the best size for a range, None if it gains at none."""
        entry, b = self.entry(line), self.at(upper)
        end = self.flow.end
        if b <= entry or entry >= end:
            return None
        s_best, gain = self.best_end(entry, min(b, end))
        return self.size_for_end(line, upper, s_best) if gain > 0.0 else None

    def size_for_end(self, line: int, upper: int, s_end: float) -> Sized | None:
        """Return the range sized so that the swap ends at `s_end`, or as large as the caps allow."""
        most = self.max_liquidity(line, upper)
        wanted = self.liquidity_for_end(self.entry(line), s_end)
        if s_end >= self.at(upper):
            # The kink: a hair more liquidity keeps the price inside, so that our upper tick is not crossed.
            wanted *= _BEYOND
        return self.sized(line, upper, min(wanted, most))

    def sized(self, line: int, upper: int, liquidity: float) -> Sized | None:
        """Return what a range gains with a given liquidity, None if it is nothing."""
        if liquidity < 1.0:
            self.starved = True
            return None
        entry, b = self.entry(line), self.at(upper)
        s = self._end_with(entry, b, liquidity)
        value = liquidity * (s - entry) * (self.gain - self.mark_ratio / (entry * s))
        if value <= 0.0:
            return None
        flow = self.flow
        near, far = flow.grid_tick(line), flow.grid_tick(upper)
        near_new = near not in self._initialised
        far_new = far not in self._initialised
        # A price that stands on a tick has not crossed it yet in one direction: the tick says which.
        ahead = near <= flow.pool.tick if flow.zero_for_one else near > flow.pool.tick
        adds = (near_new and ahead) + (far_new and s >= b)
        tick_lower, tick_upper = (far, near) if flow.zero_for_one else (near, far)
        return Sized(value, tick_lower, tick_upper, liquidity, near_new + far_new, adds)

    def max_liquidity(self, line: int, upper: int) -> float:
        """Return the most liquidity that the caps allow in a range."""
        flow, caps = self.flow, self.caps
        a, b = self.at(line), self.at(upper)
        start = flow.start
        low = a if a > start else start
        if b <= low:
            return 0.0
        out_each = (b - low) / (b * low)
        most = min(caps.amount_out / out_each, self._max_liquidity)
        in_each = 0.0
        if a < start:
            in_each = start - a
            most = min(most, caps.amount_in / in_each)
        for wei_in, wei_out, max_wei in caps.values:
            each = wei_in * in_each + wei_out * out_each
            if each > 0.0:
                most = min(most, max_wei / each)
        for wei_in, sqrt_price_x96, max_wei in caps.losses:
            # Minted where the pool is, worth least at the TWAP: both amounts differ between the two prices.
            twap = flow.forward(sqrt_price_x96)
            at, now = min(max(twap, a), b), min(max(start, a), b)
            each = wei_in * (now - at) * (1.0 - twap * twap / (now * at))
            if each > 0.0:
                most = min(most, max_wei / each)
        return most * _ALMOST

    def liquidity_for_end(self, entry: float, s: float) -> float:
        """Return the liquidity from `entry` on with which the swap ends at s."""
        width = s - entry
        if width <= 0.0:
            return inf
        left = self.flow.left_at(s)
        return left / width if self.flow.exact_in else left * entry * s / width

    def best_end(self, entry: float, last: float) -> tuple[float, float]:
        """Return the s' in (entry, last] at which ending the swap inside gains most, and that gain."""
        flow = self.flow
        starts, ends, remaining = flow.starts, flow.virtual_ends, flow.remaining
        exact_in, gain, mark = flow.exact_in, self.gain, self.mark_ratio
        ratio = mark / (gain * entry)
        best_s, best = last, -inf
        segments = len(starts)
        ahead = gain - mark / (entry * last) if exact_in else gain * entry * last - mark
        for index in range(flow.segment_at(entry), segments):
            low = starts[index]
            if low >= last or remaining[index] * ahead <= best:
                # Less is left from here on than would beat the best even at the last price.
                break
            if low < entry:
                low = entry
            high = starts[index + 1] if index + 1 < segments else last
            if high > last:
                high = last
            virtual = ends[index]
            s = high if virtual == inf else sqrt(ratio * virtual)
            if s > high:
                s = high
            elif s < low:
                s = low
            if s <= entry:
                # All that limits allow: the flow stops where we stand. Profit's limit is at the entry itself.
                s = entry * (1.0 + 1e-15)
            left = flow.left_in(index, s)
            gained = left * (gain - mark / (entry * s)) if exact_in else left * (gain * entry * s - mark)
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
