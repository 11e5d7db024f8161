"""The JSON that scripts read: adding a key is fine, renaming or dropping one breaks this test on purpose."""

from __future__ import annotations

from dataclasses import fields

import pytest

from jitctl.cli.check_view import EXIT_CODES, STRICT_WARNINGS
from jitctl.cli.verbs import DAEMON, VERBS
from jitctl.control import schema
from jitctl.control.roles import ROUTES
from jitctl.reports.daily import DailySummary

KEYS = {
    schema.ActionRequest: "reason mode level mark force dry restores",
    schema.ActionReply: "verb changed stateBefore state message hint forced elapsedMs"
    " outstandingBundles lastTargetBlock",
    schema.Health: "status live tradingReady version mode state uptimeS checks",
    schema.Check: "name result detail",
    schema.Status: "version mode state ready who reason sinceS crisisLevel crisisWho crisisReason"
    " crisisSinceS tradingReady armed latchMark chainId headNumber headAgeS openAttempts generation"
    " configHash keeperPid startedAtS uptimeS logFile http memoryMb executor history recent engine figures",
    schema.EngineFigures: "pid alive responsive roundTripMs pingAgeS figuresAgeS",
    schema.CheckReport: "verb result checks configHash elapsedMs",
    schema.Finding: "name result detail remedy elapsedMs",
    schema.ReloadReply: "verb changed stateBefore state message hint generation configHash dry changes"
    " needsRestart warnings",
    schema.ChangedValue: "file key kind before after",
    schema.RunningConfig: "generation hash sinceS who verb why restores values",
    schema.PoolStatus: "headNumber problem pools headAgeS",
    schema.PoolRow: "name address token0 token1 feePips enabled healthy reason sqrtPriceX96 tick price"
    " liquidity feeProtocol attemptsToday landedToday netWeiToday",
    schema.LatencyBreakdown: "mode state figuresAgeS stages",
    schema.StageRow: "stage count p50Ms p95Ms p99Ms maxMs",
    DailySummary: "date totalAttempts successfulAttempts successRate totalProfitUsd averageProfitUsd"
    " topPerformingPool timeZone netWei gasWei bidsWei feesWei profitToGasRatio outcomes abandoned skips"
    " pools",
}
PATHS = {
    "GET /health", "GET /metrics", "GET /api/status", "GET /api/daily-summary", "GET /api/latency-breakdown",
    "GET /admin/pool-status", "POST /admin/pause", "POST /admin/resume", "POST /admin/emergency-stop",
    "POST /admin/clear-halt", "POST /admin/crisis-mode", "POST /admin/reload-pools",
    "POST /admin/reload-strategy", "POST /admin/validate-live", "POST /admin/start", "POST /admin/stop",
    "POST /admin/reload-config", "GET /api/config",
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.__name__)
def test_every_key_is_still_there(kind) -> None:
    assert {schema.camel(each.name) for each in fields(kind)} >= set(KEYS[kind].split())


def test_every_path_of_the_runbook_is_still_served() -> None:
    assert {f"{route.method} {route.path}" for route in ROUTES} >= PATHS


def test_every_verb_that_asks_the_daemon_has_the_route_of_its_name() -> None:
    routes = {route.verb for route in ROUTES}
    assert {verb.name for verb in VERBS if verb.kind == DAEMON} <= routes


def test_a_check_that_failed_is_1_one_that_is_unknown_8_and_a_strict_warning_10() -> None:
    assert EXIT_CODES == {"pass": 0, "warn": 0, "fail": 1, "unknown": 8}
    assert STRICT_WARNINGS == 10
