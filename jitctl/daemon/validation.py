"""validate-live: is this test bot fit for production? Its passing record is what production asks for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jitctl.config.load import Config
from jitctl.control.schema import FAIL, PASS, UNKNOWN, WARN, CheckReport, Finding, from_wire
from jitctl.daemon.engine_child import EngineChild
from jitctl.daemon.history import History
from jitctl.daemon.reading import FIGURES_STALE_S, is_live
from jitctl.domain.bundle import FAULT_REASONS
from jitctl.errors import JitError, Refused
from jitctl.safety.durable import create_record, read_record

RECORD_NAME = "validated.json"
FRESH_S = 86_400.0
WINDOW_S = 300.0
LATENCY_LIMIT_MS = 150.0
SELF_CHECK_LIMIT_S = 6.0
MIN_SIMULATED = 1
"""Attempts that must have been simulated well within the window."""


async def validate(config: Config, mode: str, engine: EngineChild | None, history: History) -> CheckReport:
    """Return every finding about a running test engine; asks the engine once, for at most six seconds."""
    began = time.monotonic()
    checks = [_engine(engine, mode)]
    if checks[0].result == PASS and engine is not None:
        checks += [_swaps(history), _simulated(history), _latency(engine.figures), _trading(engine.figures)]
        checks += await _self_checks(engine)
    checks.append(_alerts(config))
    elapsed_ms = (time.monotonic() - began) * 1000
    return CheckReport.of("validate-live", checks, config_hash=config.hash, elapsed_ms=elapsed_ms)


def _engine(engine: EngineChild | None, mode: str) -> Finding:
    if engine is None or not engine.alive:
        return Finding("engine", FAIL, "not running", "jitctl start --mode test")
    if not is_live(engine) or engine.figures_age_s() > FIGURES_STALE_S:
        return Finding("engine", UNKNOWN, "does not answer", "see: jitctl status")
    if engine.state != "RUNNING":
        return Finding("engine", FAIL, f"is {engine.state}", "jitctl resume; jitctl status says why")
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
    times = figures.get("stages", {}).get("seen_to_simulated")
    if not times:
        remedy = "wait for a swap that is worth it"
        return Finding("latency", UNKNOWN, "nothing has been simulated for a fresh swap", remedy)
    p95_ms = float(times["p95_ms"])
    detail = f"p95 {p95_ms:.1f} ms from seen to simulated, limit {LATENCY_LIMIT_MS:g} ms"
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


class ValidationRecord:
    """The last passing validation, on disk: for which configuration (the mode not counted), when, by whom.

    Beside it stands the configuration with which production runs or last ran, which proves more: it may come
    back with that one after it was killed, and within `FRESH_S` of an end in good order.
    """

    def __init__(self, data: Path, wall_s: Callable[[], float] = time.time) -> None:
        self._path = data / RECORD_NAME
        self._wall_s = wall_s

    def keep(self, config_hash: str, who: str) -> None:
        """Write that a configuration passed, durably; raises `JitError` where it cannot be written."""
        self._write({"config_hash": config_hash, "time_s": self._wall_s(), "who": who})

    def mark_running(self, config_hash: str) -> None:
        """Note that production runs with a configuration; a disk that is full is suffered."""
        with contextlib.suppress(JitError):
            self._write({"running": config_hash, "ended_s": None})

    def mark_ended(self) -> None:
        """Note that the bot ended in good order."""
        if self._read().get("running"):
            with contextlib.suppress(JitError):
                self._write({"ended_s": self._wall_s()})

    def require(self, config_hash: str) -> None:
        """Raise `Refused` unless this very configuration passed, or ran in production, within `FRESH_S`."""
        record = self._read()
        if record.get("running") == config_hash:
            ended_s = record.get("ended_s")
            if ended_s is None or self._is_fresh(ended_s):
                return
        time_s = record.get("time_s")
        if not isinstance(time_s, int | float):
            raise Refused("production needs a passing validate-live, and there is none", hint=_HINT)
        if record.get("config_hash") != config_hash:
            raise Refused("the configuration has changed since validate-live passed", hint=_HINT)
        if not self._is_fresh(time_s):
            age_h = (self._wall_s() - time_s) / 3600
            raise Refused(f"validate-live passed {age_h:.0f} hours ago, 24 is the limit", hint=_HINT)

    def _is_fresh(self, time_s: Any) -> bool:
        return isinstance(time_s, int | float) and 0 <= self._wall_s() - time_s <= FRESH_S

    def _read(self) -> dict[str, Any]:
        return read_record(self._path) or {}

    def _write(self, change: dict[str, Any]) -> None:
        try:
            create_record(self._path, self._read() | change)
        except OSError as error:
            raise JitError(f"cannot write {self._path}: {error.strerror or error}") from error


_HINT = (
    "run: jitctl start --mode test, then jitctl validate-live; "
    "or, if you must: jitctl start --mode production --force --reason ..."
)
