"""A picture of one captured swap: the price's path, our range, and who earned the fee."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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

    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(11, 4.6), width_ratios=[3, 1], layout="constrained"
    )
    figure.suptitle(swap.title, fontsize=12)

    edges = [swap.price(tick) for tick, _ in swap.profile]
    depths = [float(liquidity) for _, liquidity in swap.profile]
    left.step(
        edges, depths, where="pre" if swap.inverted else "post", color="#5b7083", label="other liquidity"
    )
    low, high = sorted((swap.price(swap.tick_lower), swap.price(swap.tick_upper)))
    inside = [depth for (tick, _), depth in zip(swap.profile, depths, strict=True) if tick <= swap.tick_lower]
    floor = inside[-1] if inside else 0.0
    left.bar(
        (low + high) / 2, float(swap.our_liquidity), bottom=floor, width=high - low,
        color="#e0731d", alpha=0.45,
        label="ours, for one block",
    )  # fmt: skip
    before, after = swap.price(swap.tick_before), swap.price(swap.tick_after)
    height = (floor + swap.our_liquidity) * 1.08
    left.annotate(
        "",
        xy=(after, height),
        xytext=(before, height),
        arrowprops={"arrowstyle": "->", "color": "#1b1f23", "lw": 1.8},
    )
    left.axvline(before, color="#1b1f23", linestyle=":", linewidth=1, label="price before")
    left.axvline(after, color="#1b1f23", linestyle="-", linewidth=1, label="price after")
    left.set_xlabel(f"{swap.quote_symbol} per {swap.base_symbol}")
    left.set_ylabel("liquidity")
    left.set_ylim(0, height * 1.12)
    left.ticklabel_format(axis="x", useOffset=False)
    left.legend(loc="best", fontsize=8, framealpha=0.85)

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
