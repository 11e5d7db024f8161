"""Figures as people read them: exact amounts shortened for a table, a row of numbers as a line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

_BARS = "▁▂▃▄▅▆▇█"


def ether(wei: str | int, decimals: int = 6) -> str:
    """Return wei as ETH, rounded; `-o json` has it exactly."""
    amount = Decimal(wei) / 10**18
    return f"{amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN):f} ETH"


def whole(amount: int, decimals: int) -> str:
    """Return an amount of base units in whole ones, exactly."""
    return f"{Decimal(amount).scaleb(-decimals).normalize():f}"


def in_units(key: str, value: object) -> str:
    """Return an amount exactly, as a file may have it, `2 ether`; empty for what is none."""
    if not isinstance(value, int):
        return ""
    if key.endswith("_wei_per_gas"):
        return f"{whole(value, 9)} gwei"
    return f"{whole(value, 18)} ether" if key.endswith("_wei") else ""


def sparkline(values: Sequence[float], width: int = 30) -> str:
    """Return the last `width` values as bars between zero and their maximum; empty for none."""
    shown = list(values)[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return _BARS[0] * len(shown)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] for value in shown)


def count(number: int | None) -> str:
    """Return 1234567 as `1,234,567`."""
    return "" if number is None else f"{number:,}"
