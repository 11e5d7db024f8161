"""The morning checklist's thresholds, from bodies as the verbs answer them."""

from __future__ import annotations

import pytest

from jitctl.checks.morning import Morning, findings
from jitctl.control.schema import PASS, CheckReport, Finding

GOOD_DAY = {
    "totalAttempts": 10, "successfulAttempts": 9, "netWei": str(30 * 10**15), "gasWei": str(10 * 10**15),
    "abandoned": {}, "outcomes": {"landed": 9, "missed": 1, "reverted": 0},
}  # fmt: skip
HEALTH = {"status": "ok", "live": True, "mode": "production", "state": "RUNNING"}
STATUS = {"configHash": "ab" * 32, "logFile": "log", "recent": [], "figures": {"stages": {}}}
POOLS = {"pools": [{"name": "p", "enabled": True, "healthy": True, "reason": ""}], "problem": ""}


def judged(*, day=None, **changed):
    parts = {
        "health": HEALTH, "status": STATUS, "pools": POOLS, "config_hash": "ab" * 32, "missing": {},
        "days": [GOOD_DAY | (day or {})],
        "node_sync": CheckReport.of("check-node-sync", [Finding("node", PASS)]),
    }  # fmt: skip
    return {each.name: each.result for each in findings(Morning(**parts | changed))}


def test_a_good_morning():
    assert set(judged().values()) == {"pass"}


@pytest.mark.parametrize(
    ("landed", "result"), [(7, "pass"), (6, "warn"), (4, "warn"), (3, "fail"), (0, "fail")]
)
def test_success_is_above_60_percent_and_never_below_40(landed, result):
    assert judged(day={"successfulAttempts": landed})["success-rate"] == result


@pytest.mark.parametrize(("net", "result"), [(10, "pass"), (9, "warn"), (-10, "warn")])
def test_profit_is_twice_the_gas(net, result):
    found = judged(day={"netWei": str(net * 10**15)})
    assert found["profit-to-gas"] == result
    assert found["profit"] == ("warn" if net < 0 else "pass")


@pytest.mark.parametrize(("p95_ms", "result"), [(149.9, "pass"), (150.1, "warn"), (200.1, "fail")])
def test_latency(p95_ms, result):
    stages = {"seen_to_sent": {"p95_ms": p95_ms}}
    assert judged(status=STATUS | {"figures": {"stages": stages}})["latency"] == result


def test_errors_stay_below_5_percent_and_only_faults_count():
    assert judged(day={"abandoned": {"victim_reverts": 50}})["error-rate"] == "pass"
    assert judged(day={"abandoned": {"simulation_failed": 1}})["error-rate"] == "warn"
    assert judged(day={"outcomes": {"reverted": 1}})["error-rate"] == "warn"


def test_pools_and_logged_errors():
    sick = {"name": "p", "enabled": True, "healthy": False, "reason": "no exact snapshot"}
    assert judged(pools={"pools": [sick]})["pools"] == "fail"
    assert judged(pools={"pools": [sick | {"healthy": None}], "problem": "x"})["pools"] == "unknown"
    assert judged(pools={"pools": [sick | {"enabled": False}]})["pools"] == "pass"
    line = {"level": "error", "time": "t", "event": "engine_exited"}
    assert judged(status=STATUS | {"recent": [line]})["errors-logged"] == "warn"


def test_what_is_not_known_is_not_well():
    missing = {"health": "x", "days": "y", "log": "l"}
    found = judged(health=None, status=None, pools=None, days=None, missing=missing)
    assert (found["health"], found["pools"], found["success-rate"]) == ("fail", "unknown", "unknown")
    shut = missing | {"denied": "health"}
    found = judged(health=None, status=None, pools=None, missing=shut)
    assert (found["health"], found["configuration"], found["latency"]) == ("unknown",) * 3
    silent = {"health": "x", "silent": "health", "hint": "pause", "log": "l"}
    found = judged(health=None, status=None, pools=None, missing=silent)
    assert (found["health"], found["configuration"], found["latency"]) == ("fail", "unknown", "unknown")
    assert judged(health=HEALTH | {"state": "HALTED", "status": "degraded"})["health"] == "fail"
    assert judged(health=HEALTH | {"live": False, "status": "down"})["health"] == "fail"
