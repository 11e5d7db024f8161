"""What the engine counts and times: closed lists of names, fixed memory, plain snapshots."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from jitctl.domain.bundle import ABANDON_REASONS, RelayOutcome
from jitctl.domain.counters import Counters
from jitctl.domain.plan import SkipReason
from jitctl.domain.records import Outcome

RELAY_OUTCOMES = (
    RelayOutcome.ACCEPTED, RelayOutcome.REFUSED, RelayOutcome.TIMED_OUT,
    RelayOutcome.UNREACHABLE, RelayOutcome.BAD_REPLY, RelayOutcome.RATE_LIMITED,
)  # fmt: skip

HAPPENINGS = (
    "pending_seen", "pending_dropped", "pending_understood", "pending_gone", "decisions_failed",
    "victims_replaced", "victims_mined",
    "traces", "traces_dropped", "wanted_dropped",
    "heads", "reorged_blocks", "resyncs", "sync_lost", "gap_blocks", "ether_unread",
    "attempts", "alternatives", "submissions", "cancels", "reorged_attempts",
    "lone_mints", "closes", "closes_reverted",
    "simulations_compared", "simulation_gas_differs", "simulation_amounts_differ",
    "node_errors", "relay_errors", "ledger_errors", "journal_errors", "source_restarts", "halts",
    "swaps_landed_in_watched_pools", "swaps_seen_pending",
)  # fmt: skip
"""Frozen names: they are metric names."""

STAGES = (
    "decode", "evaluate", "simulate", "parent_reread", "sign", "commit", "submit",
    "seen_to_planned", "seen_to_simulated", "seen_to_sent",
    "head_to_planned", "head_to_simulated", "head_to_sent", "barrier_wait",
)  # fmt: skip
"""Frozen names of what is timed, in milliseconds."""

RESERVOIR = 1024
"""How many of the latest timings of each stage are kept."""


RECENT_S = 300.0
"""What counts as recent: old good timings must not hide that it is slow now."""


@dataclass(frozen=True, slots=True)
class StageTimes:
    """The latest timings of a stage in milliseconds; `count` is of all there ever were.

    `recent_count` and `recent_p95_ms` (None for none) are of those kept that are at most `RECENT_S` old.
    """

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    recent_count: int
    recent_p95_ms: float | None


class Metrics:
    """The engine's counters and timings."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self.happenings = Counters(HAPPENINGS)
        self.skips = Counters(reason.value for reason in SkipReason)
        self.abandons = Counters(sorted(ABANDON_REASONS))
        self.outcomes = Counters(outcome.value for outcome in Outcome)
        self.relay_replies = Counters(RELAY_OUTCOMES)
        self._times: dict[str, deque[tuple[float, float]]] = {
            stage: deque(maxlen=RESERVOIR) for stage in STAGES
        }
        self._timed = Counters(STAGES)

    def time(self, stage: str, elapsed_ms: float) -> None:
        """Keep a timing; an undeclared stage raises `KeyError`."""
        self._times[stage].append((self._monotonic_s(), elapsed_ms))
        self._timed.add(stage)

    def stages(self) -> dict[str, StageTimes]:
        """Return the times of every stage that was ever timed."""
        found = {}
        since_s = self._monotonic_s() - RECENT_S
        for stage, kept in self._times.items():
            if kept:
                ordered = sorted(elapsed_ms for _, elapsed_ms in kept)
                recent = sorted(elapsed_ms for at_s, elapsed_ms in kept if at_s >= since_s)
                found[stage] = StageTimes(
                    self._timed[stage],
                    _quantile(ordered, 0.50),
                    _quantile(ordered, 0.95),
                    _quantile(ordered, 0.99),
                    ordered[-1],
                    len(recent),
                    _quantile(recent, 0.95) if recent else None,
                )
        return found

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Return all counts by family, zeros included."""
        return {
            "happenings": dict(self.happenings.snapshot()),
            "skips": dict(self.skips.snapshot()),
            "abandons": dict(self.abandons.snapshot()),
            "outcomes": dict(self.outcomes.snapshot()),
            "relay_replies": dict(self.relay_replies.snapshot()),
        }


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
