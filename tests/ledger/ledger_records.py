"""Records to put into ledgers."""

from dataclasses import fields
from fractions import Fraction

from jitctl.domain.bundle import LegAmounts
from jitctl.domain.plan import JitPlan
from jitctl.domain.records import AttemptRecord, AttemptResult, Flow, FlowKind, Mode
from jitctl.domain.values import Address, Hash32

HUGE = 3 * 10**60


def a_hash(number: int) -> Hash32:
    return Hash32(f"0x{number:064x}")


def account(number: int) -> Address:
    return Address(f"0x{number:040x}")


def a_plan(number: int = 1, **changes: object) -> JitPlan:
    values: dict[str, object] = dict.fromkeys(
        (field.name for field in fields(JitPlan) if field.type == "int"), HUGE + number
    )
    values |= {
        "victim_hash": a_hash(number), "pool": account(1), "zero_for_one": True,
        "victim_amount_specified": -HUGE, "tick_lower": -887270, "tick_upper": 10, "net_wei": -5,
        "adds_ticks": 2, "parent_hash": a_hash(99), "target_block": 100 + number, "notes": {"p": "0.5"},
    }  # fmt: skip
    return JitPlan(**(values | changes))


def an_attempt(number: int = 1, planned_s: float = 1000.0) -> AttemptRecord:
    return AttemptRecord(
        f"attempt-{number}", Mode.PRODUCTION, a_plan(number), account(7), number, Fraction(10**30, 7), True,
        HUGE, planned_s,
    )  # fmt: skip


def a_result(number: int = 1) -> AttemptResult:
    amounts = LegAmounts(HUGE, 2, HUGE + 1, 3, 1, 1, 10**15)
    return AttemptResult(100 + number, a_hash(500 + number), amounts, 10**16, -(10**20), HUGE, 0)


def a_flow(number: int = 1, block: int = 100) -> Flow:
    return Flow(
        block, a_hash(500 + block), a_hash(number), number, account(9), account(1), -HUGE,
        FlowKind.WITHDRAWAL, account(3),
    )  # fmt: skip
