"""One day's attempts and profit, from the ledger.

An attempt here is an opportunity: one victim in one pool for which at least one bundle was sent, however
many blocks it took. It succeeded if our position landed. Profit is what the balances changed by, valued at
the external mark of the time of planning, less own gas and the builder's tip.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.records import Mode, Outcome, StoredAttempt
from jitctl.domain.values import PoolSpec
from jitctl.errors import UsageError
from jitctl.ledger.queries import LedgerReader

WEI = 10**18
SENT_STATES = frozenset(
    {
        AttemptState.SUBMITTED,
        AttemptState.INCLUDED,
        AttemptState.MISSED,
        AttemptState.REVERTED,
        AttemptState.SETTLED,
    }
)
USD_STABLES = ("USDC", "USDT", "DAI")
"""A pool against one of these prices ether in dollars where no better mark was kept."""


@dataclass(frozen=True)
class PoolDay:
    """One pool's day; `net_wei` is text, as JSON's numbers end at 53 bits."""

    name: str
    attempts: int
    landed: int
    net_wei: str


@dataclass(frozen=True)
class DailySummary:
    """The runbook's keys first; `success_rate` and `average_profit_usd` are None where nothing was tried.

    USD texts have thousands separators and two decimals; amounts in wei are decimal text.
    """

    date: str
    total_attempts: int
    successful_attempts: int
    success_rate: float | None
    total_profit_usd: str | None
    average_profit_usd: str | None
    top_performing_pool: str | None
    time_zone: str = "UTC"
    net_wei: str = "0"
    gas_wei: str = "0"
    bids_wei: str = "0"
    fees_wei: str = "0"
    profit_to_gas_ratio: float | None = None
    usd_per_eth: str | None = None
    usd_source: str = ""
    still_open: int = 0
    test_simulated: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    abandoned: dict[str, int] = field(default_factory=dict)
    skips: dict[str, int] = field(default_factory=dict)
    pools: list[PoolDay] = field(default_factory=list)


def ledger_is_there(ledger: Path) -> bool:
    """Return whether a start has made one yet; raises `PermissionDenied` where the caller may not read it."""
    return LedgerReader(ledger).is_there()


def daily_summary(
    ledger: Path,
    pools: Sequence[PoolSpec],
    day: str | None = None,
    zone: str | None = None,
    *,
    now_s: float | None = None,
) -> DailySummary:
    """Return the summary of a day (`YYYY-MM-DD`; today by default) in a time zone (UTC by default).

    Raises `UsageError` for a day or zone that is none, `LedgerError` if the ledger cannot be read,
    `PermissionDenied` if it is not the caller's to read.
    """
    zone_info = _zone(zone)
    chosen = _day(day, zone_info, time.time() if now_s is None else now_s)
    since_s, until_s = _bounds(chosen, zone_info)
    reader = LedgerReader(ledger)
    reader.is_there()  # tells whose it is not to read
    attempts = reader.attempts(since_s, until_s)
    skips: Counter[str] = Counter()
    for skip in reader.skips(since_s, until_s):
        skips[skip.reason] += skip.count
    return summarize(
        chosen.isoformat(), zone_info.key, attempts, skips, {pool.address: pool for pool in pools}
    )


def summarize(
    day: str,
    zone: str,
    attempts: Iterable[StoredAttempt],
    skips: Mapping[str, int],
    pools: Mapping[str, PoolSpec],
) -> DailySummary:
    """Return the summary of attempts that are already read."""
    real = [attempt for attempt in attempts if attempt.record.mode is Mode.PRODUCTION]
    tests = [attempt for attempt in attempts if attempt.record.mode is Mode.TEST]
    sent = [attempt for attempt in real if attempt.state in SENT_STATES]
    tried = {_opportunity(attempt) for attempt in sent}
    landed = {_opportunity(attempt) for attempt in sent if attempt.outcome is Outcome.LANDED}
    mined = [(attempt, attempt.result) for attempt in real if attempt.result is not None]

    net_wei = sum(result.net_mark_wei for _, result in mined)
    gas_wei = sum(result.gas_wei for _, result in mined)
    bids_wei = sum(result.amounts.tip_wei for _, result in mined)
    fees_wei = sum(_fees_wei(attempt) for attempt, _ in mined)
    usd_per_weth = _usd_per_weth(real, pools)
    profit_usd = _profit_usd(real, pools, usd_per_weth)
    by_pool = _by_pool(tried, landed, mined, pools)
    best = max((pool for pool in by_pool if pool.landed), key=lambda pool: int(pool.net_wei), default=None)
    return DailySummary(
        date=day,
        total_attempts=len(tried),
        successful_attempts=len(landed),
        success_rate=_rate(len(landed), len(tried)),
        total_profit_usd=_usd(profit_usd, ROUND_HALF_EVEN),
        average_profit_usd=_usd(profit_usd / len(landed), ROUND_DOWN)
        if landed and profit_usd is not None
        else None,
        top_performing_pool=best.name if best else None,
        time_zone=zone,
        net_wei=str(net_wei),
        gas_wei=str(gas_wei),
        bids_wei=str(bids_wei),
        fees_wei=str(fees_wei),
        profit_to_gas_ratio=_ratio(net_wei + gas_wei, gas_wei),
        usd_per_eth=_usd(usd_per_weth, ROUND_HALF_EVEN),
        usd_source="the pools' marks at planning" if usd_per_weth is not None else "",
        still_open=len({_opportunity(attempt) for attempt in sent if attempt.outcome is None}),
        test_simulated=len({_opportunity(a) for a in tests if a.reason == "mode_test"}),
        outcomes={outcome.value: sum(a.outcome is outcome for a in real) for outcome in Outcome},
        abandoned=dict(Counter(a.reason for a in real if a.outcome is Outcome.ABANDONED).most_common()),
        skips=dict(sorted(skips.items(), key=lambda item: (-item[1], item[0]))),
        pools=by_pool,
    )


def _opportunity(attempt: StoredAttempt) -> tuple[str, str]:
    return attempt.record.plan.victim_hash, attempt.record.plan.pool


def _by_pool(
    tried: set[tuple[str, str]],
    landed: set[tuple[str, str]],
    mined: Iterable[tuple[StoredAttempt, object]],
    pools: Mapping[str, PoolSpec],
) -> list[PoolDay]:
    net: defaultdict[str, int] = defaultdict(int)
    for attempt, _ in mined:
        assert attempt.result is not None
        net[attempt.record.pool] += attempt.result.net_mark_wei
    tries, successes = Counter(pool for _, pool in tried), Counter(pool for _, pool in landed)
    days = [
        PoolDay(pools[pool].name if pool in pools else pool, tries[pool], successes[pool], str(net[pool]))
        for pool in tries.keys() | net.keys()
    ]
    return sorted(days, key=lambda pool: (-int(pool.net_wei), pool.name))


def _fees_wei(attempt: StoredAttempt) -> int:
    """Return the fees collected, in WETH wei at the attempt's own mark, rounded down."""
    result = attempt.result
    if result is None:
        return 0
    fees0, fees1 = result.amounts.fees0, result.amounts.fees1
    weth, quote = (fees0, fees1) if attempt.record.weth_is_token0 else (fees1, fees0)
    return weth + int(quote * attempt.record.mark)


def _usd_mark(attempt: StoredAttempt, pools: Mapping[str, PoolSpec]) -> Fraction | None:
    """Return USD per ether at the attempt's planning, from its pool's mark if that is against dollars."""
    pool = pools.get(attempt.record.pool)
    if pool is None or pool.quote_token.symbol not in USD_STABLES or not attempt.record.mark:
        return None
    return Fraction(WEI, 10**pool.quote_token.decimals) / attempt.record.mark


def _usd_per_weth(attempts: Sequence[StoredAttempt], pools: Mapping[str, PoolSpec]) -> Fraction | None:
    """Return the day's last dollar mark of ether; None where no attempt carries one."""
    marks = [mark for attempt in attempts if (mark := _usd_mark(attempt, pools)) is not None]
    return marks[-1] if marks else None


def _profit_usd(
    attempts: Sequence[StoredAttempt], pools: Mapping[str, PoolSpec], fallback: Fraction | None
) -> Fraction | None:
    """Return the day's profit, each attempt at its own mark; None where there is no dollar price at all."""
    total = Fraction(0)
    for attempt in attempts:
        if attempt.result is None:
            continue
        mark = _usd_mark(attempt, pools) or fallback
        if mark is None:
            return None
        total += attempt.result.net_mark_wei * mark / WEI
    return total


def _usd(amount: Fraction | None, rounding: str) -> str | None:
    """Return `2840.5` as `2,840.50`."""
    if amount is None:
        return None
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    return f"{exact.quantize(Decimal('0.01'), rounding=rounding):,.2f}"


def _rate(part: int, whole: int) -> float | None:
    if not whole:
        return None
    return float((Decimal(part) / Decimal(whole)).quantize(Decimal("0.001"), rounding=ROUND_HALF_EVEN))


def _ratio(gain: int, cost: int) -> float | None:
    return round(gain / cost, 3) if cost > 0 else None


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"there is no time zone {name!r}", hint="name one as Europe/Zurich or UTC") from None


def _day(text: str | None, zone: ZoneInfo, now_s: float) -> date:
    today = datetime.fromtimestamp(now_s, zone).date()
    if text in (None, "", "today"):
        return today
    if text == "yesterday":
        return today - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no date", hint="write it as 2024-01-31, today or yesterday") from None


def _bounds(day: date, zone: ZoneInfo) -> tuple[float, float]:
    """Return the Unix times of the day's first moment and the next day's: 23 or 25 hours happen."""
    first = datetime(day.year, day.month, day.day, tzinfo=zone)
    try:
        after = day + timedelta(days=1)
        return first.timestamp(), datetime(after.year, after.month, after.day, tzinfo=zone).timestamp()
    except OverflowError:
        raise UsageError(f"{day} is beyond the calendar") from None
