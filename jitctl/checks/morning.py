"""The morning checklist as findings: made of what other verbs answer, in the runbook's order.

The thresholds are the runbook's: success above 60 % (below 40 % is a failure), profit at least twice the
gas, under 150 ms end to end (above 200 ms is a failure), errors below 5 %, all pools healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jitctl.control.schema import FAIL, PASS, UNKNOWN, WARN, CheckReport, Finding
from jitctl.domain.bundle import FAULT_REASONS

SUCCESS_GOAL, SUCCESS_FLOOR = 0.60, 0.40
PROFIT_TO_GAS_GOAL = 2.0
LATENCY_GOAL_MS, LATENCY_CEILING_MS = 150.0, 200.0
ERRORS_GOAL = 0.05
NAMED = 3
"""How many differing keys are named; `config diff` shows all."""
NOTHING_SENT = "nothing was sent: nothing to judge"

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Morning:
    """What the verbs answered; None, with the reason in `missing`, where one could not.

    `missing["silent"]` says that a daemon is there and does not answer, `missing["denied"]` that the
    caller may not ask it, `missing["hint"]` what to do,
    `missing["log"]` where the log is. `differing` names what differs between the files and what runs, with
    the verb that takes it over.
    """

    health: Body | None
    status: Body | None
    pools: Body | None
    node_sync: CheckReport
    days: Sequence[Body] | None
    config_hash: str | None
    missing: Mapping[str, str]
    differing: Sequence[str] = ()


def findings(found: Morning) -> Iterable[Finding]:
    """Return every line of the checklist."""
    yield _health(found)
    yield _node(found.node_sync)
    yield from _performance(found)
    yield _errors_logged(found)
    yield _pools(found)
    yield _configuration(found)
    yield _latency(found)


def _health(found: Morning) -> Finding:
    if found.health is None:
        why = found.missing["health"]
        result = UNKNOWN if "denied" in found.missing else FAIL
        return Finding("health", result, why, found.missing.get("hint", "see the log"))
    health = found.health
    detail = f"{health['status']}: {health['mode']} mode, {health['state']}"
    if not health["live"]:
        return Finding("health", FAIL, detail, "jitctl status says why, and what to do")
    if health["state"] == "HALTED":
        return Finding("health", FAIL, detail, "find out why, then: jitctl clear-halt --reason ...")
    return Finding("health", PASS if health["status"] == "ok" else WARN, detail, "see: jitctl health")


def _node(report: CheckReport) -> Finding:
    wrong = [each for each in report.checks if each.result != PASS]
    if not wrong:
        return Finding("node-sync", PASS, f"{len(report.checks)} checks of the nodes passed")
    worst = next((each for each in wrong if each.result == report.result), wrong[0])
    return Finding("node-sync", report.result, f"{worst.name}: {worst.detail}", "see: jitctl check-node-sync")


def _performance(found: Morning) -> Iterable[Finding]:
    if found.days is None:
        for name in ("profit", "success-rate", "profit-to-gas", "error-rate"):
            yield Finding(name, UNKNOWN, found.missing["days"], "see: jitctl daily-summary")
        return
    days = found.days
    attempts = sum(day["totalAttempts"] for day in days)
    landed = sum(day["successfulAttempts"] for day in days)
    net_wei, gas_wei = (sum(int(day[key]) for day in days) for key in ("netWei", "gasWei"))
    net = f"{Decimal(net_wei) / 10**18:.6f} ETH since yesterday, {landed} of {attempts} landed"
    yield Finding("profit", WARN if net_wei < 0 else PASS, net, "see: jitctl daily-summary --date yesterday")
    if not attempts:
        yield Finding("success-rate", PASS, NOTHING_SENT)
        yield Finding("profit-to-gas", PASS, NOTHING_SENT)
    else:
        yield _success(landed, attempts)
        yield _profit_to_gas(net_wei, gas_wei)
    yield _error_rate(days, attempts)


def _success(landed: int, attempts: int) -> Finding:
    rate = landed / attempts
    result = FAIL if rate < SUCCESS_FLOOR else PASS if rate > SUCCESS_GOAL else WARN
    detail = f"{rate:.1%} of {attempts}, goal above {SUCCESS_GOAL:.0%}"
    return Finding("success-rate", result, detail, "why: jitctl daily-summary shows the outcomes and reasons")


def _profit_to_gas(net_wei: int, gas_wei: int) -> Finding:
    if not gas_wei:
        return Finding("profit-to-gas", PASS, "no gas was paid")
    ratio = (net_wei + gas_wei) / gas_wei
    detail = f"{ratio:.2f} times the gas, goal {PROFIT_TO_GAS_GOAL:g}"
    remedy = "raise limits.min_profit_wei in strategy.toml"
    return Finding("profit-to-gas", PASS if ratio >= PROFIT_TO_GAS_GOAL else WARN, detail, remedy)


def _error_rate(days: Sequence[Body], attempts: int) -> Finding:
    faults = sum(day["abandoned"].get(reason, 0) for day in days for reason in FAULT_REASONS)
    faults += sum(day["outcomes"].get("reverted", 0) for day in days)
    begun = attempts + sum(sum(day["abandoned"].values()) for day in days)
    if not begun:
        return Finding("error-rate", PASS, "nothing was tried: nothing to judge")
    detail = f"{faults / begun:.1%} of {begun}, goal below {ERRORS_GOAL:.0%}"
    remedy = "jitctl daily-summary lists what attempts were abandoned for"
    return Finding("error-rate", PASS if faults / begun < ERRORS_GOAL else WARN, detail, remedy)


def _errors_logged(found: Morning) -> Finding:
    if found.status is None:
        return Finding(
            "errors-logged", UNKNOWN, found.missing["health"], f"see the log: {found.missing['log']}"
        )
    errors = [line for line in found.status.get("recent", []) if line.get("level") == "error"]
    if not errors:
        return Finding("errors-logged", PASS, "none since the daemon's start")
    last = errors[-1]
    detail = f"{len(errors)} of late; the last: {last.get('time')} {last.get('event')}"
    return Finding("errors-logged", WARN, detail, f"see: {found.status.get('logFile')}")


def _pools(found: Morning) -> Finding:
    if found.pools is None:
        return Finding("pools", UNKNOWN, found.missing["health"], "see: jitctl pool-status")
    pools = found.pools.get("pools", [])
    enabled = [pool for pool in pools if pool["enabled"]]
    counts = f"{len(enabled)} of {len(pools)} enabled"
    wrong = [f"{pool['name']} ({pool['reason']})" for pool in enabled if pool["healthy"] is False]
    if wrong:
        return Finding("pools", FAIL, f"{counts}; not healthy: {', '.join(wrong)}", "see: jitctl pool-status")
    if any(pool["healthy"] is None for pool in enabled):
        return Finding("pools", UNKNOWN, str(found.pools.get("problem")), "see: jitctl pool-status")
    return Finding("pools", PASS, f"{counts}, all of those healthy")


def _may_run(found: Morning) -> bool:
    """Whether a daemon that told us nothing may be there all the same."""
    return "silent" in found.missing or "denied" in found.missing


def _configuration(found: Morning) -> Finding:
    if found.config_hash is None:
        return Finding("configuration", FAIL, found.missing["config"], "see: jitctl validate-config")
    running = found.status.get("configHash") if found.status is not None else None
    if running is None and _may_run(found):
        return Finding("configuration", UNKNOWN, found.missing["health"], "see: health")
    if running is None:
        return Finding("configuration", PASS, "the files are valid; nothing runs with them")
    if running != found.config_hash:
        named = ", ".join(found.differing[:NAMED]) + (", ..." if len(found.differing) > NAMED else "")
        detail = "the files differ from what runs" + (f": {named}" if named else "")
        remedy = "see: jitctl config diff; take them over, or put back what runs: jitctl config rollback"
        return Finding("configuration", WARN, detail, remedy)
    return Finding("configuration", PASS, f"the files say it as it runs, {running[:12]}")


def _latency(found: Morning) -> Finding:
    if found.status is None and _may_run(found):
        return Finding("latency", UNKNOWN, found.missing["health"], "see: health")
    stages = found.status.get("figures", {}).get("stages", {}) if found.status is not None else {}
    stage = next((name for name in ("seen_to_sent", "seen_to_simulated") if name in stages), None)
    if stage is None:
        return Finding("latency", PASS, NOTHING_SENT)
    p95_ms = float(stages[stage]["p95_ms"])
    result = FAIL if p95_ms > LATENCY_CEILING_MS else PASS if p95_ms < LATENCY_GOAL_MS else WARN
    detail = f"p95 {p95_ms:.1f} ms {stage.replace('_', ' ')}, goal under {LATENCY_GOAL_MS:g} ms"
    return Finding("latency", result, detail, "the stages: jitctl status --watch")
