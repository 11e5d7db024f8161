"""The daily summary from a real ledger: the runbook's keys, forms and roundings."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from jitctl.control.schema import to_wire
from jitctl.domain.attempt_state import AttemptEvent
from jitctl.domain.bundle import LegAmounts
from jitctl.domain.plan import JitPlan
from jitctl.domain.records import AttemptChange, AttemptRecord, AttemptResult, Mode, Outcome
from jitctl.domain.values import Address, Hash32, PoolSpec, Token
from jitctl.errors import LedgerError, UsageError
from jitctl.ledger.queries import LedgerReader
from jitctl.ledger.store import LedgerStore
from jitctl.reports.daily import daily_summary
from jitctl.reports.daily_text import daily_markdown, daily_rows, ether
from tests.unprivileged import as_nobody

WETH = Token("WETH", Address("0x" + "22" * 20), 18)
USDC = Token("USDC", Address("0x" + "11" * 20), 6)
WBTC = Token("WBTC", Address("0x" + "10" * 20), 8)
DOLLARS = PoolSpec("USDC/WETH-0.3%", Address("0x" + "a1" * 20), USDC, WETH, 3000, 60, weth_is_token0=False)
BITCOIN = PoolSpec("WBTC/WETH-0.05%", Address("0x" + "a2" * 20), WBTC, WETH, 500, 10, weth_is_token0=False)
USD_PER_ETH = 2000
DOLLAR_MARK = Fraction(10**18, USD_PER_ETH * 10**6)
NOON_S = 1704110400.0  # 2024-01-01 12:00 UTC
H32 = Hash32("0x" + "00" * 32)
PLAN = JitPlan(
    victim_hash=H32, pool=DOLLARS.address, zero_for_one=True, victim_amount_specified=1, tick_lower=0,
    tick_upper=60, liquidity=1, amount0_max=1, amount1_max=1, mint_sqrt_price_min_x96=1,
    mint_sqrt_price_max_x96=1, burn_sqrt_price_min_x96=1, burn_sqrt_price_max_x96=1, expected_mint0=1,
    expected_mint1=1, expected_burn0=1, expected_burn1=1, expected_fees0=1, expected_fees1=1, min_fees_wei=1,
    value_wei=1, gas_cost_wei=1, bid_wei=1, net_wei=1, victim_amount_in=1, adds_ticks=0, parent_hash=H32,
    target_block=1,
)  # fmt: skip


class Book:
    """Writes attempts as the engine does, move by move."""

    def __init__(self, path):
        self.path = path
        self.store = LedgerStore(path, now_s=lambda: NOON_S)
        self.numbers = itertools.count(1)

    def attempt(self, *, pool=DOLLARS, victim=None, mode=Mode.PRODUCTION, at_s=NOON_S, mark=DOLLAR_MARK):
        number = next(self.numbers)
        victim_hash = Hash32(f"0x{victim or number:064x}")
        plan = replace(PLAN, pool=pool.address, victim_hash=victim_hash)
        record = AttemptRecord(
            f"a{number}",
            mode,
            plan,
            operator=Address("0x" + "0f" * 20),
            nonce=0,
            mark=mark,
            weth_is_token0=pool.weth_is_token0,
            parent_sqrt_price_x96=1,
            planned_s=at_s,
        )
        self.store.open_attempt(record)
        return record.attempt_id

    def abandon(self, attempt_id, reason):
        self.store.move_attempt(
            attempt_id, AttemptEvent.ABANDON, AttemptChange(NOON_S, outcome=Outcome.ABANDONED, reason=reason)
        )

    def send(self, attempt_id):
        for event in (AttemptEvent.SIMULATE_OK, AttemptEvent.INTEND, AttemptEvent.SENT):
            self.store.move_attempt(attempt_id, event, AttemptChange(NOON_S))

    def missed(self, **about):
        attempt_id = self.attempt(**about)
        self.send(attempt_id)
        self.store.move_attempt(
            attempt_id, AttemptEvent.SEEN_ABSENT, AttemptChange(NOON_S, outcome=Outcome.MISSED)
        )

    def landed(self, net_wei, *, gas_wei=10**15, tip_wei=10**14, fees=(0, 0), **about):
        attempt_id = self.attempt(**about)
        self.send(attempt_id)
        amounts = LegAmounts(0, 0, 0, 0, *fees, tip_wei)
        result = AttemptResult(1, H32, amounts, gas_wei, net_wei, net_wei, net_wei)
        change = AttemptChange(NOON_S, outcome=Outcome.LANDED, result=result)
        self.store.move_attempt(attempt_id, AttemptEvent.SEEN_LANDED, change)

    def summary(self, day="2024-01-01", zone=None, now_s=NOON_S):
        self.store.flush()
        return to_wire(daily_summary(self.path, (DOLLARS, BITCOIN), day, zone, now_s=now_s))


@pytest.fixture
def book(tmp_path):
    made = Book(tmp_path / "ledger.db")
    yield made
    made.store.close()


def test_the_runbooks_own_example(book):
    # 89 of 145 landed, $2,840.50 together at $2,000 an ether.
    total = 1_420_250_000_000_000_000
    share = total // 89
    for _ in range(88):
        book.landed(share)
    book.landed(total - 88 * share)
    for _ in range(56):
        book.missed()
    summary = book.summary()
    expected = {
        "date": "2024-01-01",
        "totalAttempts": 145,
        "successfulAttempts": 89,
        "successRate": 0.614,
        "totalProfitUsd": "2,840.50",
        "averageProfitUsd": "31.91",
        "topPerformingPool": "USDC/WETH-0.3%",
    }
    assert {key: summary[key] for key in expected} == expected
    assert list(summary)[:7] == list(expected)
    assert summary["netWei"] == str(total)
    assert (summary["gasWei"], summary["bidsWei"]) == (str(89 * 10**15), str(89 * 10**14))
    assert summary["outcomes"] == {"landed": 89, "missed": 56, "reverted": 0, "abandoned": 0}


def test_a_day_without_attempts_claims_nothing(book):
    summary = book.summary()
    assert (summary["totalAttempts"], summary["successRate"], summary["averageProfitUsd"]) == (0, None, None)
    assert (summary["totalProfitUsd"], summary["topPerformingPool"]) == ("0.00", None)


def test_one_victim_over_several_blocks_is_one_attempt(book):
    for _ in range(3):
        book.missed(victim=77)
    book.landed(10**17, victim=77)
    summary = book.summary()
    assert (summary["totalAttempts"], summary["successfulAttempts"], summary["successRate"]) == (1, 1, 1.0)


def test_only_what_was_sent_counts_as_tried(book):
    book.abandon(book.attempt(), "unprofitable")
    book.abandon(book.attempt(), "unprofitable")
    book.abandon(book.attempt(mode=Mode.TEST), "mode_test")
    sent = book.attempt()
    book.send(sent)
    summary = book.summary()
    assert (summary["totalAttempts"], summary["stillOpen"], summary["testSimulated"]) == (1, 1, 1)
    assert summary["abandoned"] == {"unprofitable": 2}


def test_losses_show_their_sign_and_the_average_is_cut_not_rounded(book):
    book.landed(-1_234_567_890_000_000_000)
    book.landed(0)
    book.landed(0)
    summary = book.summary()
    assert summary["totalProfitUsd"] == "-2,469.14"
    assert summary["averageProfitUsd"] == "-823.04"
    assert ("profit", "-$2,469.14") in daily_rows(summary)


def test_best_pool_by_net_and_dollars_for_a_pool_without(book):
    book.landed(10**17)
    book.landed(2 * 10**17, pool=BITCOIN, mark=Fraction(10**11, 5))
    summary = book.summary()
    assert summary["topPerformingPool"] == "WBTC/WETH-0.05%"
    assert [pool["name"] for pool in summary["pools"]] == ["WBTC/WETH-0.05%", "USDC/WETH-0.3%"]
    assert summary["totalProfitUsd"] == "600.00"


def test_without_any_dollar_price_no_dollar_is_shown(book):
    book.landed(10**17, pool=BITCOIN, mark=Fraction(10**11, 5))
    summary = book.summary()
    assert (summary["totalProfitUsd"], summary["averageProfitUsd"]) == (None, None)
    assert summary["netWei"] == str(10**17)
    assert ("profit", "not known in dollars") in daily_rows(summary)


def test_fees_are_valued_at_the_attempts_own_mark(book):
    book.landed(1, fees=(4_000_000, 10**15))
    assert book.summary()["feesWei"] == str(2 * 10**15 + 10**15)


def test_days_end_where_the_time_zone_says(book):
    book.missed(at_s=NOON_S + 11.5 * 3600)  # 23:30 UTC, 00:30 in Zurich
    assert book.summary()["totalAttempts"] == 1
    assert book.summary("2024-01-01", "Europe/Zurich")["totalAttempts"] == 0
    assert book.summary("2024-01-02", "Europe/Zurich")["totalAttempts"] == 1
    assert book.summary("yesterday", now_s=NOON_S + 86_400)["date"] == "2024-01-01"
    assert book.summary(None)["date"] == "2024-01-01"


@pytest.mark.parametrize(
    ("day", "zone"),
    [("01.01.2024", None), ("2024-02-30", None), ("9999-12-31", None), ("today", "Mars/Base")],
)
def test_nonsense_is_a_usage_error(book, day, zone):
    with pytest.raises(UsageError):
        book.summary(day, zone)


def test_skips_by_reason(book):
    book.store.add_skips({(int(NOON_S), "", "too_small"): 5, (int(NOON_S), DOLLARS.address, "informed"): 9})
    assert book.summary()["skips"] == {"informed": 9, "too_small": 5}


def test_missing_ledger_is_said(tmp_path):
    with pytest.raises(LedgerError, match="no ledger"):
        daily_summary(tmp_path / "none.db", (), "today")


def test_text_and_markdown(book):
    book.landed(10**17)
    summary = book.summary()
    rows = dict(daily_rows(summary))
    assert (rows["net"], rows["profit"]) == ("0.1 ETH", "$200.00")
    page = daily_markdown(summary)
    assert page.startswith("# Daily summary 2024-01-01")
    assert "| USDC/WETH-0.3% | 1 | 1 | 0.1 ETH |" in page


@pytest.mark.parametrize(
    ("wei", "text"),
    [
        ("0", "0 ETH"),
        ("1", "0.000000000000000001 ETH"),
        ("-5" + "0" * 17, "-0.5 ETH"),
        ("10" + "0" * 18, "10 ETH"),
    ],
)
def test_ether(wei, text):
    assert ether(wei) == text


def test_a_ledger_that_is_not_the_callers_to_read_is_no_defect_of_ours(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    LedgerStore(folder / "ledger.db").close()
    folder.chmod(0)
    try:
        said = as_nobody(lambda: daily_summary(folder / "ledger.db", []))
        below = as_nobody(lambda: LedgerReader(folder / "ledger.db").last_seq())
    finally:
        folder.chmod(0o700)
    assert said == f"PermissionDenied: you may not read {folder / 'ledger.db'}"
    # What the engine counts as a fault of its journal, and trades on.
    assert below == f"LedgerError: you may not read {folder / 'ledger.db'}"
