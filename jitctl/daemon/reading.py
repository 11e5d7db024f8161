"""What the keeper answers to readers: made of what it knows, never of a question to the engine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jitctl import __version__
from jitctl.config.difference import values
from jitctl.config.generations import Generation
from jitctl.config.load import Config
from jitctl.control.redact import redact
from jitctl.control.schema import Check, EngineFigures, Health, RunningConfig, Status
from jitctl.daemon.engine_child import EngineChild

LIVE_AGE_S = 4.0
"""A ping a second, two seconds each to answer: an older answer than this says nothing about now."""
FIGURES_STALE_S = 5.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Facts:
    """The keeper's knowledge at one moment; `ending` says that the daemon is on its way out.

    `armed` and `paused` are the data folder's, which may be ahead of a silent engine.
    """

    config: Config
    generation: Generation | None
    mode: str
    engine: EngineChild | None
    armed: bool
    paused: bool
    latch_mark: str
    ending: bool
    http: str
    started_wall_s: float
    uptime_s: float
    history: dict[str, list[float]]
    recent: list[dict[str, Any]]


def status_of(facts: Facts) -> Status:
    """Return the status; old figures say how old they are, and make nothing ready to trade."""
    engine, config = facts.engine, facts.config
    figures = dict(engine.figures) if engine is not None else {}
    alive = engine is not None and engine.alive
    fresh = engine is not None and alive and engine.figures_age_s() <= FIGURES_STALE_S
    who, reason, since_s = str(figures.get("who", "")), str(figures.get("reason", "")), figures.get("sinceS")
    if engine is not None and not alive and not facts.ending:
        # Not what its last figures name: those are about the state in which it was.
        who = "keeper"
        since_s = round(facts.started_wall_s + facts.uptime_s - engine.figures_age_s(), 3)
        reason = engine.failure.message if engine.failure else f"engine ended, exit code {engine.exit_code}"
    return Status(
        version=__version__,
        mode=facts.mode,
        state=shown_state(engine, facts.armed, facts.paused),
        ready=engine is not None and alive and engine.was_settled,
        who=who,
        reason=reason,
        since_s=since_s,
        crisis_level=str(figures.get("crisisLevel", "off")),
        crisis_who=str(figures.get("crisisWho", "")),
        crisis_reason=str(figures.get("crisisReason", "")),
        crisis_since_s=figures.get("crisisSinceS"),
        trading_ready=bool(figures.get("tradingReady"))
        and facts.armed
        and not facts.paused
        and fresh
        and is_live(engine),
        armed=facts.armed,
        latch_mark=facts.latch_mark,
        chain_id=config.main.chain.chain_id,
        head_number=figures.get("headNumber"),
        head_age_s=_aged(figures.get("headAgeS"), engine),
        open_attempts=figures.get("openAttempts"),
        generation=facts.generation.number if facts.generation is not None else 0,
        config_hash=str(figures.get("configHash") or config.hash),
        keeper_pid=os.getpid(),
        started_at_s=facts.started_wall_s,
        uptime_s=facts.uptime_s,
        log_file=str(config.folders.log_file),
        http=facts.http,
        engine=_engine_figures(engine),
        memory_mb=_memory_mb(engine),
        executor=config.main.executor.address,
        history=facts.history,
        recent=facts.recent,
        figures=figures,
    )


def running_config(config: Config, generation: Generation | None) -> RunningConfig:
    """Return a configuration value by value, redacted, and the generation that holds it."""
    shown = {stem: redact(found) for stem, found in values(config).items()}
    if generation is None:
        return RunningConfig(hash=config.hash, values=shown)
    return RunningConfig(
        generation=generation.number,
        hash=config.hash,
        since_s=generation.time_s,
        who=generation.who,
        verb=generation.verb,
        why=generation.why,
        restores=generation.restores,
        values=shown,
    )


def _memory_mb(engine: EngineChild | None) -> dict[str, float]:
    """Return the resident memory of both processes, in MiB."""
    found = {"keeper": resident_mb(os.getpid())}
    if engine is not None and engine.alive:
        found["engine"] = resident_mb(engine.pid)
    return {name: size for name, size in found.items() if size is not None}


def resident_mb(pid: int) -> float | None:
    """Return a process's resident memory in MiB; None if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return round(pages * _PAGE_BYTES / (1 << 20), 1)


def health_of(facts: Facts, audit_queued: int, lines_lost: int) -> Health:
    """Return liveness (the engine's command queue answers) and, apart from it, trading readiness."""
    status, live = status_of(facts), is_live(facts.engine)
    engine = status.engine
    ping, age = engine.ping_age_s, engine.figures_age_s
    answer = f"answered {ping:.1f} s ago" if ping is not None else "has never answered"
    if not live and ping is not None:
        answer = f"does not answer; it last did {ping:.1f} s ago"
    fresh = engine.alive and age is not None and age <= FIGURES_STALE_S
    checks = [
        Check("engine", "ok" if live else "fail", answer if engine.alive else "not running"),
        Check("figures", "ok" if fresh else "warn", f"{age:.1f} s old" if age is not None else "none"),
        Check("latch", "ok" if status.armed else "fail", "armed" if status.armed else "halted"),
        Check("trading", "ok" if status.trading_ready else "warn", _trading(status, live)),
        Check("audit", "warn" if audit_queued else "ok", f"{audit_queued} records waiting"),
        Check("log", "warn" if lines_lost else "ok", f"{lines_lost} lines lost"),
    ]
    return Health(
        status=("ok" if status.trading_ready else "degraded") if live else "down",
        live=live,
        trading_ready=status.trading_ready,
        version=__version__,
        mode=facts.mode,
        state=status.state,
        uptime_s=facts.uptime_s,
        checks=list(checks),
    )


def _trading(status: Status, live: bool) -> str:
    if status.trading_ready or (live and status.state not in ("RUNNING", "PAUSED", "HALTED")):
        return status.reason or status.state
    if status.state == "RUNNING":
        return "running, but not ready to trade" if live else "running, but the engine does not answer"
    return f"{status.state.lower()}: {status.reason}" if status.reason else status.state.lower()


def shown_state(engine: EngineChild | None, armed: bool, paused: bool) -> str:
    """Return the engine's own state, or what the data folder makes of it where a silent one does not know.

    RUNNING with the pause flag up is PAUSED, and either without the latch armed is HALTED: nothing is signed.
    """
    if engine is None:
        return "STOPPED"
    if not armed and engine.state in ("RUNNING", "PAUSED"):
        return "HALTED"
    return "PAUSED" if paused and engine.state == "RUNNING" else engine.state


def is_live(engine: EngineChild | None) -> bool:
    """Whether the engine's command queue has answered lately."""
    if engine is None or not engine.alive or not engine.responsive:
        return False
    age = engine.ping_age_s()
    return age is not None and age <= LIVE_AGE_S


def _engine_figures(engine: EngineChild | None) -> EngineFigures:
    if engine is None:
        return EngineFigures()
    return EngineFigures(
        pid=engine.pid if engine.alive else None,
        alive=engine.alive,
        responsive=bool(engine.responsive),
        round_trip_ms=engine.round_trip_ms,
        ping_age_s=engine.ping_age_s(),
        figures_age_s=engine.figures_age_s(),
    )


def _aged(age_s: object, engine: EngineChild | None) -> float | None:
    """Return an age that the engine reported, as it is by now."""
    if not isinstance(age_s, int | float) or engine is None:
        return None
    return round(age_s + engine.figures_age_s(), 3)
