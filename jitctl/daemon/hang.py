"""When an engine counts as hung: the keeper's judgement, told the time, acting on nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_TICK_S = 1.0


class HangWatch:
    """Asked once a tick. Silence counts only while the keeper itself was awake to hear an answer."""

    def __init__(self, hung_after_s: float, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """`hung_after_s` 0: never."""
        self.hung_after_s = hung_after_s
        self.tick_s = min(MAX_TICK_S, hung_after_s / 4) if hung_after_s > 0 else MAX_TICK_S
        self._monotonic_s = monotonic_s
        self._last_s = self._awake_since_s = monotonic_s()

    def hangs(self, judged: bool, silent_s: float) -> bool:
        """Return whether an engine that has owed an answer for `silent_s` is to be ended now."""
        now_s = self._monotonic_s()
        passed_s, self._last_s = now_s - self._last_s, now_s
        if passed_s > 2 * self.tick_s + MAX_TICK_S:
            # The keeper itself was stopped or starved: the answer may lie unread, so it counts anew.
            self._awake_since_s = now_s
        return judged and self.too_long(min(silent_s, now_s - self._awake_since_s))

    def too_long(self, silent_s: float) -> bool:
        return 0 < self.hung_after_s <= silent_s
