"""The last minutes of the engine's figures, a sample a second: what a window holds, and how it moved."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

KEPT_S = 600
SAMPLE_EVERY_S = 0.9
"""The engine tells its figures every second, and at once when its state changes."""
SPARK_POINTS = 60
SPARK_STAGES = ("seen_to_planned", "seen_to_simulated", "seen_to_sent")


@dataclass(frozen=True, slots=True)
class Sample:
    """One engine's counters and 95th percentiles (ms) at a monotonic time."""

    at_s: float
    pid: int
    counts: Mapping[str, Mapping[str, int]]
    p95_ms: Mapping[str, float]


class History:
    """Samples of at most `KEPT_S`; a new engine begins from zero, so samples of two are never compared."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._samples: deque[Sample] = deque(maxlen=KEPT_S)
        self._anew_s: float | None = None

    def add(self, pid: int, figures: Mapping[str, Any]) -> None:
        """Keep a sample, unless one was kept within the second."""
        now_s = self._monotonic_s()
        if self._samples and self._samples[-1].pid != pid:
            self._samples.clear()
            self._anew_s = None
        if self._samples and now_s - self._samples[-1].at_s < SAMPLE_EVERY_S:
            return
        counts, stages = figures.get("counts"), figures.get("stages")
        if not isinstance(counts, Mapping) or not isinstance(stages, Mapping):
            return
        p95_ms = {name: float(stages[name]["p95_ms"]) for name in SPARK_STAGES if name in stages}
        self._samples.append(Sample(now_s, pid, counts, p95_ms))

    def begin_anew(self) -> None:
        """Count nothing from before now: it was done under another configuration."""
        self._anew_s = self._monotonic_s()

    def risen(self, family: str, name: str, window_s: float) -> int:
        """Return by how much a count has risen within the last `window_s`; an engine began at zero."""
        if not self._samples:
            return 0
        last = self._samples[-1]
        since_s = max(self._monotonic_s() - window_s, self._anew_s or float("-inf"))
        before = next((sample for sample in self._samples if sample.at_s >= since_s), last)
        first_ever = before is self._samples[0] and len(self._samples) < KEPT_S and self._anew_s is None
        start = 0 if first_ever else _count(before, family, name)
        return max(0, _count(last, family, name) - start)

    def sparks(self) -> dict[str, list[float]]:
        """Return the last minute's 95th percentile of each end-to-end stage, oldest first, in ms."""
        recent = list(self._samples)[-SPARK_POINTS:]
        found = {
            name: [round(sample.p95_ms[name], 3) for sample in recent if name in sample.p95_ms]
            for name in SPARK_STAGES
        }
        return {name: points for name, points in found.items() if points}


def _count(sample: Sample, family: str, name: str) -> int:
    found = sample.counts.get(family, {}).get(name, 0)
    return found if isinstance(found, int) else 0
