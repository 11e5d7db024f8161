"""validate-live: is this test bot fit for production? What it found is kept by safety/validated.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jitctl.config.load import Config
from jitctl.control.schema import FAIL, PASS, UNKNOWN, WARN, CheckReport, Finding, from_wire
from jitctl.daemon.engine_child import EngineChild
from jitctl.daemon.history import History
from jitctl.daemon.reading import FIGURES_STALE_S, is_live
from jitctl.domain.bundle import FAULT_REASONS
from jitctl.errors import JitError

WINDOW_S = 300.0
LATENCY_LIMIT_MS = 150.0
SELF_CHECK_LIMIT_S = 6.0
MIN_SIMULATED = 1
"""Attempts that must have been simulated well within the window."""


async def validate(config: Config, mode: str, engine: EngineChild | None, history: History) -> CheckReport:
    """Return every finding about a running test engine; asks the engine once, for at most six seconds."""
    began = time.monotonic()
    checks = [_engine(engine, mode, config.hash)]
    if checks[0].result == PASS and engine is not None:
        checks += [_swaps(history), _simulated(history), _latency(engine.figures), _trading(engine.figures)]
        checks += await _self_checks(engine)
    checks.append(_alerts(config))
    elapsed_ms = (time.monotonic() - began) * 1000
    return CheckReport.of("validate-live", checks, config_hash=config.hash, elapsed_ms=elapsed_ms)


def _engine(engine: EngineChild | None, mode: str, config_hash: str) -> Finding:
    if engine is None or not engine.alive:
        return Finding("engine", FAIL, "not running", "jitctl start --mode test")
    if not is_live(engine) or engine.figures_age_s() > FIGURES_STALE_S:
        return Finding("engine", UNKNOWN, "does not answer", "see: jitctl status")
    if engine.state != "RUNNING":
        return Finding("engine", FAIL, f"is {engine.state}", "jitctl resume; jitctl status says why")
    if engine.figures.get("configHash", config_hash) != config_hash:
        return Finding(
            "engine", UNKNOWN, "trades by another configuration than the daemon knows of", "jitctl restart"
        )
    if mode != "test":
        return Finding("engine", WARN, "runs in production already", "nothing: this is for a test bot")
    return Finding("engine", PASS, f"runs in mode {mode} and answers")


def _swaps(history: History) -> Finding:
    seen = history.risen("happenings", "pending_seen", WINDOW_S)
    decoded = history.risen("happenings", "pending_understood", WINDOW_S)
    within = f"in the last {WINDOW_S / 60:.0f} minutes"
    if decoded:
        return Finding("swaps", PASS, f"{decoded} swaps decoded of {seen} pending transactions {within}")
    remedy = "wait for traffic; if none comes, check the node's pending feed"
    return Finding("swaps", UNKNOWN, f"no swap decoded of {seen} pending transactions {within}", remedy)


def _simulated(history: History) -> Finding:
    good = history.risen("abandons", "mode_test", WINDOW_S)
    bad = sum(history.risen("abandons", reason, WINDOW_S) for reason in FAULT_REASONS)
    if good < MIN_SIMULATED:
        remedy = (
            "wait for a swap that is worth it; the log's attempt_abandoned lines say why the others failed"
        )
        return Finding("simulations", FAIL if bad else UNKNOWN, f"0 succeeded, {bad} failed", remedy)
    share = good / (good + bad)
    detail = f"{good} succeeded, {bad} failed ({share:.0%})"
    if share < 0.5:
        return Finding("simulations", FAIL, detail, "the log's attempt_abandoned lines say why")
    return Finding("simulations", WARN if share < 0.9 else PASS, detail, "see the log's attempt_abandoned")


def _latency(figures: Mapping[str, Any]) -> Finding:
    times = figures.get("stages", {}).get("seen_to_simulated") or {}
    if not times.get("recent_count"):
        remedy = "wait for a swap that is worth it"
        return Finding("latency", UNKNOWN, "no fresh swap was simulated in the last five minutes", remedy)
    p95_ms = float(times["recent_p95_ms"])
    counted = f"{times['recent_count']} from seen to simulated"
    detail = f"p95 {p95_ms:.1f} ms of {counted}, limit {LATENCY_LIMIT_MS:g} ms"
    if p95_ms > LATENCY_LIMIT_MS:
        return Finding("latency", FAIL, detail, "is the node near? see the stages in: jitctl status --watch")
    return Finding("latency", PASS, detail)


def _trading(figures: Mapping[str, Any]) -> Finding:
    if figures.get("tradingReady"):
        return Finding("trading-ready", PASS, "in step with the chain, marks are fresh")
    return Finding("trading-ready", FAIL, str(figures.get("reason") or "not ready"), "see: jitctl status")


async def _self_checks(engine: EngineChild) -> list[Finding]:
    try:
        body = await engine.ask("self-check", limit_s=SELF_CHECK_LIMIT_S)
    except JitError as error:
        return [Finding("self-check", UNKNOWN, error.message, "see: jitctl status")]
    return [from_wire(Finding, each) for each in body.get("checks", [])]


def _alerts(config: Config) -> Finding:
    if config.alerts.contacts:
        return Finding("alerts", PASS, f"{len(config.alerts.contacts)} contacts configured")
    return Finding("alerts", WARN, "nobody is named in alerts.toml", "add [contacts]")
