"""One endpoint's health: benched at the first failure, back only after it has proved itself."""

from __future__ import annotations

from dataclasses import dataclass

from jitctl.chain.rate_limit import RateLimitedError
from jitctl.errors import JitError, TimedOut

BENCH_BASE_S = 1.0
BENCH_MAX_S = 30.0
PROBES_TO_RECOVER = 3
TIMEOUTS_TO_BENCH = 2
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What operators see of an endpoint; ages in seconds, None where nothing is known yet."""

    name: str
    usable: bool
    preferred: bool
    head_number: int | None
    head_age_s: float | None
    latency_ms: float | None
    last_error: str
    last_error_age_s: float | None
    web_socket: bool


class HealthRecord:
    """Hysteresis: a bench time that doubles with repeated failures, and good probes in a row to return.

    One failure benches, except timeouts: a single slow answer does not, two in a row do. Times are the
    injected monotonic clock's nanoseconds.
    """

    def __init__(self) -> None:
        self.usable = True
        self.wrong_chain = False
        self.last_error = ""
        self.last_error_ns: int | None = None
        self.latency_ms: float | None = None
        self.head_number: int | None = None
        self.head_changed_ns: int | None = None
        self.not_before_ns = 0
        self._benched_until_ns = 0
        self._benchings = 0
        self._timeouts = 0
        self._good_probes = 0

    def answered(self, latency_ms: float) -> None:
        """A call was answered."""
        self._timeouts = 0
        previous = self.latency_ms
        self.latency_ms = latency_ms if previous is None else 0.8 * previous + 0.2 * latency_ms

    def failed(self, error: JitError, now_ns: int) -> None:
        """A call failed for a reason that is the endpoint's."""
        self.last_error = error.message
        self.last_error_ns = now_ns
        self._good_probes = 0
        if isinstance(error, RateLimitedError):
            self.not_before_ns = now_ns + int(error.retry_after_s * _NS)
        if isinstance(error, TimedOut):
            self._timeouts += 1
            if self._timeouts < TIMEOUTS_TO_BENCH and self.usable:
                return
        self.bench(now_ns)

    def bench(self, now_ns: int) -> None:
        """Use the other endpoints for a while."""
        if self.usable or now_ns >= self._benched_until_ns:
            wait_s = min(BENCH_BASE_S * 2**self._benchings, BENCH_MAX_S)
            self._benched_until_ns = now_ns + int(wait_s * _NS)
            self._benchings = min(self._benchings + 1, 16)
        self.usable = False
        self._good_probes = 0

    def probed_well(self, head_number: int, now_ns: int) -> None:
        """A health probe found the right chain and a head that keeps up."""
        self.saw_head(head_number, now_ns)
        self.wrong_chain = False
        if self.usable:
            if self._benched_until_ns and now_ns > self._benched_until_ns + int(BENCH_MAX_S * _NS):
                self._benchings = 0
            return
        self._good_probes += 1
        if self._good_probes >= PROBES_TO_RECOVER and now_ns >= self._benched_until_ns:
            self.usable = True
            self._timeouts = 0

    def saw_head(self, head_number: int, now_ns: int) -> None:
        """The endpoint's head, as last told."""
        if head_number != self.head_number:
            self.head_number = head_number
            self.head_changed_ns = now_ns
