"""The daily summary as text and as Markdown, from the JSON body that everybody gets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

WEI = Decimal(10) ** 18


def ether(wei: str) -> str:
    """Return `1234500000000000` wei as `0.0012345 ETH`."""
    exact = f"{Decimal(wei) / WEI:f}"
    return f"{exact.rstrip('0').rstrip('.') if '.' in exact else exact} ETH"


def daily_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return name and value of every line, in the order of reading."""
    rate = summary["successRate"]
    ratio = summary["profitToGasRatio"]
    return [
        ("date", f"{summary['date']} ({summary['timeZone']})"),
        ("attempts", f"{summary['totalAttempts']}, {summary['successfulAttempts']} landed"),
        ("success rate", "nothing was sent" if rate is None else f"{rate:.1%}"),
        ("profit", _dollars(summary["totalProfitUsd"])),
        ("average profit", _dollars(summary["averageProfitUsd"]) if summary["successfulAttempts"] else ""),
        ("best pool", summary["topPerformingPool"] or "none"),
        ("net", ether(summary["netWei"])),
        ("fees", ether(summary["feesWei"])),
        ("bids", ether(summary["bidsWei"])),
        ("gas", ether(summary["gasWei"])),
        ("profit per gas", "" if ratio is None else f"{ratio:.2f} times"),
        ("outcomes", _counts(summary["outcomes"])),
        ("abandoned for", _counts(summary["abandoned"])),
        ("left alone for", _counts(summary["skips"])),
        ("still open", str(summary["stillOpen"] or "")),
        ("test mode", f"{summary['testSimulated']} would have been sent" if summary["testSimulated"] else ""),
    ]


def daily_markdown(summary: dict[str, Any]) -> str:
    """Return the summary as a Markdown document."""
    lines = [f"# Daily summary {summary['date']}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in daily_rows(summary)[1:] if value]
    if summary["pools"]:
        lines += ["", "| pool | attempts | landed | net |", "|---|---:|---:|---:|"]
        lines += [
            f"| {_cell(pool['name'])} | {pool['attempts']} | {pool['landed']} | {ether(pool['netWei'])} |"
            for pool in summary["pools"]
        ]
    return "\n".join(lines)


def _dollars(amount: str | None) -> str:
    if amount is None:
        return "not known in dollars"
    return f"-${amount[1:]}" if amount.startswith("-") else f"${amount}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
