"""/metrics in Prometheus' text form, from the same status that everybody reads."""

from __future__ import annotations

import re
from typing import Any

from jitctl.control.schema import Status
from jitctl.domain.engine_state import EngineState

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
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
    for name, value in status.figures.items():
        _figure(gauge, _snake(name), value)
    return "\n".join(lines) + "\n"


def _figure(gauge: Any, name: str, value: Any) -> None:
    if isinstance(value, bool | int | float):
        if name not in ("head_number", "head_age_s", "open_attempts", "trading_ready"):
            gauge(f"jit_{name}", value)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, bool | int | float):
                gauge(f"jit_{name}", item, name=str(key))


def _snake(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", _WORD.sub("_", name).lower())


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
