"""A picture of one captured swap: the price's path, our range, and who earned the fee."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class CapturedSwap:
    """What the picture shows.

    `profile` lists `(tick, liquidity)`: the pool's liquidity from that tick up to the next entry, before our
    mint. Ticks are turned into prices of `base_symbol` in `quote_symbol`. `fee_by_earner` holds shares of the
    victim's fee in one token's base units.
    """

    title: str
    profile: tuple[tuple[int, int], ...]
    tick_lower: int
    tick_upper: int
    our_liquidity: int
    tick_before: float
    tick_after: float
    tick_without_us: float | None
    fee_by_earner: dict[str, int]
    base_symbol: str
    quote_symbol: str
    decimals_shift: int
    inverted: bool

    def price(self, tick: float) -> float:
        """Return the price at `tick`: quote per base, in whole tokens (for the eye, not for accounts)."""
        price = 1.0001**tick * 10.0**self.decimals_shift
        return float(1 / price if self.inverted else price)


def draw(swap: CapturedSwap, path: Path) -> Path:
    """Write the picture to `path` (its suffix says PNG or SVG) and return it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(11, 4.6), width_ratios=[3, 1], layout="constrained"
    )
    figure.suptitle(swap.title, fontsize=12)

    ticks = [tick for tick, _ in swap.profile]
    depths = [float(liquidity) for _, liquidity in swap.profile]
    ends = [*ticks[1:], 2 * ticks[-1] - ticks[-2]]
    for tick, end, depth in zip(ticks, ends, depths, strict=True):
        ours = swap.our_liquidity if swap.tick_lower <= tick < swap.tick_upper else 0
        low, high = sorted((swap.price(tick), swap.price(end)))
        left.bar(low, depth, width=high - low, align="edge", color="#5b7083")
        left.bar(low, ours, bottom=depth, width=high - low, align="edge", color="#e0731d")
    peak = max(depths) + swap.our_liquidity
    marks: list[tuple[float, Literal[":", "-", "--"], str]] = [
        (swap.tick_before, ":", "price before"),
        (swap.tick_after, "-", "price after"),
    ]
    if swap.tick_without_us is not None:
        marks.append((swap.tick_without_us, "--", "price after, without us"))
    for at, style, _ in marks:
        left.axvline(swap.price(at), color="#1b1f23", linestyle=style, linewidth=1.3)
    for row, (at, _, _) in enumerate(marks[1:]):
        height = peak * (1.14 - 0.08 * row)
        arrow = {"arrowstyle": "-|>", "color": "#1b1f23", "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
        ends_at = (swap.price(at), height)
        left.annotate("", xy=ends_at, xytext=(swap.price(swap.tick_before), height), arrowprops=arrow)
    handles = [
        Patch(color="#5b7083", label="other liquidity"),
        Patch(color="#e0731d", label="ours, for one block"),
        *(Line2D([], [], color="#1b1f23", linestyle=style, label=label) for _, style, label in marks),
    ]
    left.legend(handles=handles, loc="best", fontsize=8, framealpha=0.9)
    left.set_xlabel(f"{swap.quote_symbol} per {swap.base_symbol}")
    left.set_ylabel("liquidity")
    left.set_ylim(0, peak * 1.3)
    shown = sorted(
        swap.price(tick) for tick in (swap.tick_lower, swap.tick_upper, *(mark[0] for mark in marks))
    )
    margin = 0.4 * (shown[-1] - shown[0])
    left.set_xlim(shown[0] - margin, shown[-1] + margin)
    left.ticklabel_format(axis="x", useOffset=False)

    total = sum(swap.fee_by_earner.values()) or 1
    names, shares = list(swap.fee_by_earner), [100 * fee / total for fee in swap.fee_by_earner.values()]
    bars = right.barh(names, shares, color=["#e0731d", "#5b7083", "#b9c4cc"][: len(names)])
    right.bar_label(bars, fmt="%.1f%%", padding=3, fontsize=9)
    right.set_xlim(0, 118)
    right.set_xlabel("share of the swap's fee, %")
    right.invert_yaxis()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return path
