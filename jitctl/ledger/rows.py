"""How records become rows and back: money as text, since SQLite's integers end at 64 bits."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from fractions import Fraction
from typing import Any

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import LegAmounts
from jitctl.domain.engine_state import CrisisLevel, EngineState
from jitctl.domain.plan import JitPlan
from jitctl.domain.records import (
    AttemptChange,
    AttemptRecord,
    AttemptResult,
    EngineRecord,
    Mode,
    Outcome,
    StoredAttempt,
)
from jitctl.domain.values import Address, Hash32

_AMOUNTS = tuple(field.name for field in fields(LegAmounts))
_NETS = ("gas_wei", "net_pre_wei", "net_post_wei", "net_mark_wei")
_BIG = 1 << 53

RESULT_COLUMNS = ("block_number", "block_hash", *_AMOUNTS, *_NETS, "close_tx", "markouts")
"""Columns that only a mined outcome fills and a reorg empties."""


def to_json(data: object) -> str:
    """Return compact JSON; integers that other readers would round become strings."""
    return json.dumps(_readable(data), separators=(",", ":"), ensure_ascii=False)


def _readable(data: object) -> object:
    if isinstance(data, bool):
        return data
    if isinstance(data, int):
        return data if -_BIG < data < _BIG else str(data)
    if isinstance(data, dict):
        return {str(key): _readable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_readable(value) for value in data]
    return data


def plan_to_json(plan: JitPlan) -> str:
    return to_json({field.name: getattr(plan, field.name) for field in fields(plan)})


def plan_from_json(text: str) -> JitPlan:
    """Return the plan that `plan_to_json` wrote."""
    data: dict[str, Any] = json.loads(text)
    for field in fields(JitPlan):
        if field.type == "int":
            data[field.name] = int(data[field.name])
    return JitPlan(**data)


def attempt_row(record: AttemptRecord) -> tuple[object, ...]:
    """Return the values of `INSERT_ATTEMPT`."""
    plan = record.plan
    return (
        record.attempt_id, record.mode.value, plan.victim_hash, plan.pool, record.operator, record.nonce,
        plan.target_block, plan.parent_hash, plan_to_json(plan), str(record.mark),
        int(record.weth_is_token0), str(record.parent_sqrt_price_x96), record.planned_s, record.planned_s,
        AttemptState.PLANNED.value,
    )  # fmt: skip


INSERT_ATTEMPT = (
    "INSERT INTO attempts (id, mode, victim_hash, pool, operator, nonce, target_block, parent_hash, plan,"
    " mark, weth_is_token0, parent_sqrt_price_x96, planned_s, updated_s, state)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


def change_columns(change: AttemptChange) -> dict[str, object]:
    """Return the columns that a change sets."""
    columns: dict[str, object] = {"updated_s": change.time_s}
    for name in ("uuid", "mint_tx", "burn_tx", "reason", "detail"):
        if getattr(change, name) is not None:
            columns[name] = getattr(change, name)
    if change.outcome is not None:
        columns["outcome"] = change.outcome.value
    if change.simulated is not None:
        columns["simulated"] = to_json(change.simulated)
    if change.latencies_ms is not None:
        columns["latencies_ms"] = to_json(change.latencies_ms)
    if change.result is not None:
        result = change.result
        columns |= {"block_number": result.block_number, "block_hash": result.block_hash}
        columns |= {name: str(getattr(result.amounts, name)) for name in _AMOUNTS}
        columns |= {name: str(getattr(result, name)) for name in _NETS}
        columns["close_tx"] = result.close_tx
        columns["markouts"] = to_json({name: str(value) for name, value in result.markouts_wei.items()})
    return columns


def stored_attempt(row: sqlite3.Row) -> StoredAttempt:
    """Return an attempt from a row of `SELECT * FROM attempts`."""
    result = None
    if row["block_number"] is not None:
        result = AttemptResult(
            block_number=row["block_number"],
            block_hash=Hash32(row["block_hash"]),
            amounts=LegAmounts(**{name: int(row[name]) for name in _AMOUNTS}),
            close_tx=row["close_tx"],
            markouts_wei={name: int(value) for name, value in json.loads(row["markouts"] or "{}").items()},
            **{name: int(row[name]) for name in _NETS},
        )
    return StoredAttempt(
        record=AttemptRecord(
            attempt_id=row["id"],
            mode=Mode(row["mode"]),
            plan=plan_from_json(row["plan"]),
            operator=Address(row["operator"]),
            nonce=row["nonce"],
            mark=Fraction(row["mark"]),
            weth_is_token0=bool(row["weth_is_token0"]),
            parent_sqrt_price_x96=int(row["parent_sqrt_price_x96"]),
            planned_s=row["planned_s"],
        ),
        state=AttemptState(row["state"]),
        uuid=row["uuid"],
        mint_tx=row["mint_tx"],
        burn_tx=row["burn_tx"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        reason=row["reason"],
        detail=row["detail"],
        result=result,
        simulated={name: int(value) for name, value in json.loads(row["simulated"]).items()},
        latencies_ms=json.loads(row["latencies_ms"]),
        updated_s=row["updated_s"],
    )


def engine_record(row: sqlite3.Row) -> EngineRecord:
    """Return the one row of the table `engine`."""
    return EngineRecord(
        EngineState(row["state"]), CrisisLevel(row["crisis"]), Mode(row["mode"]),
        row["who"], row["why"], row["time_s"], row["crisis_who"], row["crisis_why"], row["crisis_time_s"],
    )  # fmt: skip


def engine_row(record: EngineRecord) -> tuple[object, ...]:
    """Return the row without its id, in the table's order."""
    return (
        record.state.value, record.crisis.value, record.mode.value, record.who, record.why, record.time_s,
        record.crisis_who, record.crisis_why, record.crisis_time_s,
    )  # fmt: skip
