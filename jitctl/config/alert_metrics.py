"""What alert rules can watch: a closed list, with unit, range and which way is worse."""

from __future__ import annotations

import math
from typing import NamedTuple

YES, ABOVE, BELOW = "level", "above", "below"
"""The key by which a rule of the metric says when it fires: a level for yes or no, else thresholds."""


class AlertMetric(NamedTuple):
    """`fires_by` is the key of a rule that belongs to it; `unit` and `lowest` to `highest` are its values'.

    `needs_attempts`: it is a share or a time of attempts, and says nothing about an hour without any.
    """

    name: str
    fires_by: str
    meaning: str
    unit: str = ""
    lowest: float = 0.0
    highest: float = math.inf
    needs_attempts: bool = False


METRICS = (
    AlertMetric("system_down", YES, "the daemon or its engine does not run, or does not answer"),
    AlertMetric("key_compromise_suspected", YES, "an operator's nonce moved without us"),
    AlertMetric("node_disconnected", YES, "no trading node answers, or none has a fresh head"),
    AlertMetric("pool_failing", YES, "an enabled pool cannot be traded; one alert a pool"),
    AlertMetric("configuration_issue", YES, "the files on disk are not valid, or have warnings"),
    AlertMetric("loss_usd", ABOVE, "what was lost within the window, gas included", "USD"),
    AlertMetric(
        "success_rate", BELOW, "landed of all attempts that ended within the window", "a share, 0 to 1",
        highest=1.0, needs_attempts=True,
    ),
    AlertMetric(
        "latency_p95_ms", ABOVE, "95th percentile from swap seen to bundle sent", "milliseconds",
        needs_attempts=True,
    ),
    AlertMetric("memory_growth_mb", ABOVE, "by how much resident memory grew within the window", "MB"),
    AlertMetric("crashes", ABOVE, "engines that ended by themselves within the window", "a count"),
    AlertMetric("warnings", ABOVE, "warnings in the log within the window", "a count"),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
