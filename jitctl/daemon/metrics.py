"""/metrics in Prometheus' text form, from the same status that everybody reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jitctl.control.schema import Status
from jitctl.domain.engine_state import EngineState

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ELSEWHERE = frozenset({"head_number", "head_age_s", "open_attempts", "trading_ready"})
_LABEL_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def render_metrics(status: Status) -> str:
    """Return every number of `status`; the engine's figures come as `jit_<name>`, flat or by label."""
    lines: list[str] = []

    def gauge(name: str, value: float | int | bool | None, /, **labels: str) -> None:
        if value is None:
            return
        inside = ",".join(f'{key}="{text.translate(_LABEL_ESCAPES)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {float(value):.10g}" if inside else f"{name} {float(value):.10g}")

    gauge("jit_info", 1, version=status.version, mode=status.mode, config_hash=status.config_hash[:12])
    gauge("jit_up", status.engine.alive)
    gauge("jit_engine_responsive", status.engine.responsive)
    gauge("jit_engine_round_trip_seconds", _seconds(status.engine.round_trip_ms))
    gauge("jit_engine_figures_age_seconds", status.engine.figures_age_s)
    gauge("jit_trading_ready", status.trading_ready)
    gauge("jit_armed", status.armed)
    gauge("jit_uptime_seconds", status.uptime_s)
    gauge("jit_head_number", status.head_number)
    gauge("jit_head_age_seconds", status.head_age_s)
    gauge("jit_open_attempts", status.open_attempts)
    for state in EngineState:
        gauge("jit_state", state == status.state, state=state)
    _engine(gauge, status.figures)
    return "\n".join(lines) + "\n"


def _engine(gauge: Callable[..., None], figures: dict[str, Any]) -> None:
    """Add the engine's own: plain numbers by name, counts by family, queues, and stage times."""
    for key, value in figures.items():
        name = _snake(key)
        if isinstance(value, bool | int | float) and name not in _ELSEWHERE:
            gauge(f"jit_{name}", value)
    for family, counts in _mapping(figures, "counts").items():
        for name, count in counts.items():
            gauge(f"jit_{_snake(family)}_total", count, name=name)
    for name, depth in _mapping(figures, "queues").items():
        gauge("jit_queue_depth", depth, queue=name)
    for stage, times in _mapping(figures, "stages").items():
        for field, quantile in (("p50_ms", "0.5"), ("p95_ms", "0.95"), ("p99_ms", "0.99")):
            gauge("jit_stage_milliseconds", times.get(field), stage=stage, quantile=quantile)
        gauge("jit_stage_milliseconds_count", times.get("count"), stage=stage)
    outcomes = _mapping(_mapping(figures, "counts"), "outcomes")
    decided = sum(outcomes.get(name, 0) for name in ("landed", "missed", "reverted"))
    if decided:
        gauge("jit_success_rate", outcomes.get("landed", 0) / decided)


def _mapping(data: dict[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=512)
def _snake(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", _WORD.sub("_", name).lower())


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
