"""Stopping from within: the latch, the state, the barrier, and cancelling what is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jitctl.domain.engine_state import EngineEvent, EngineState
from jitctl.engine.attempt_desk import AttemptDesk
from jitctl.engine.parts import Parts
from jitctl.errors import JitError, TimedOut

POLL_S = 0.001
GRACE_S = 0.1
"""What a submission may take beyond its own time limit before it is cancelled."""


class Halting:
    """Everything that makes the engine sign nothing more."""

    def __init__(self, parts: Parts, attempts: AttemptDesk) -> None:
        self._parts = parts
        self._attempts = attempts
        self.stuck = ""
        """Why the files do not say what the engine does; empty if they do."""

    def halt(self, who: str, why: str) -> bool:
        """Halt at once, in memory and on the latch; False if it was halted. The barrier comes after.

        If the latch cannot be moved the engine is halted all the same, until it ends.
        """
        parts = self._parts
        changed = parts.standing.state != "HALTED"
        if changed:
            parts.metrics.happenings.add("halts")
            parts.standing.move(EngineEvent.HALT, who, why)
        self._write("latch_stuck", lambda: parts.latch.halt(who, why, parts.ports.clock.wall_s()))
        self.cancel_outstanding("stopping")
        return changed

    def pause(self, who: str, why: str) -> bool:
        """Pause at once, in memory and by the flag; False if it was paused. The barrier comes after."""
        parts = self._parts
        before = parts.standing.state
        after = parts.standing.move(EngineEvent.PAUSE, who, why)
        if after is EngineState.PAUSED:
            self._write("pause_flag_stuck", lambda: parts.latch.pause(who, why, parts.ports.clock.wall_s()))
        return before is not after

    def _write(self, stuck: str, change: Callable[[], bool]) -> None:
        self.stuck = ""
        try:
            change()
        except JitError as error:
            self.stuck = error.message
            self._parts.ports.observer.event(stuck, {"detail": error.message})

    def uphold(self) -> None:
        """Write to the files the pause or halt that they do not show; raises `JitError` if they take none.

        Before anything is loosened, and once a second: what is only in memory has no mark that a later
        command could be told by, and ends with the engine.
        """
        parts = self._parts
        standing, now_s = parts.standing, parts.ports.clock.wall_s()
        if standing.state is EngineState.HALTED and parts.latch.armed():
            parts.latch.halt(standing.who, standing.why, now_s)
        if standing.state is EngineState.PAUSED and not parts.latch.paused():
            parts.latch.pause(standing.who, standing.why, now_s)
        self.stuck = ""

    def cancel_outstanding(self, reason: str) -> None:
        """Give up every attempt that is on its way."""
        for attempt in self._parts.follower.live.values():
            self._attempts.give_up(attempt, reason)

    async def drain(self) -> float:
        """Return once no submission of ours is under way, with the wait in seconds.

        A submission that overstays its limit is cancelled; raises `TimedOut` if even that does not help.
        """
        parts = self._parts
        clock = parts.ports.clock
        began_ns = clock.monotonic_ns()
        for limit_s in (parts.settings.submit_timeout_s + GRACE_S, GRACE_S):
            until_ns = clock.monotonic_ns() + int(limit_s * 1e9)
            while True:
                held = parts.barrier.try_exclusive()
                if held is not None:
                    held.release()
                    return (clock.monotonic_ns() - began_ns) / 1e9
                if clock.monotonic_ns() >= until_ns:
                    break
                await clock.sleep(POLL_S)
            await asyncio.gather(*parts.background.cancel("attempt:"), return_exceptions=True)
        raise TimedOut(
            "the submit barrier is held by another process",
            hint=f"find it with `fuser {parts.barrier.path}`; this engine submits nothing more",
        )
