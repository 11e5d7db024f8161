"""How a bot is stopped: by its engine where that answers, else by the files, the barrier and SIGKILL."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from jitctl.control.schema import ActionReply, ActionRequest
from jitctl.daemon.caller import HANG, Caller
from jitctl.daemon.engine_child import EngineChild, reply_of
from jitctl.daemon.hang import HangWatch
from jitctl.daemon.keeper import Keeper
from jitctl.errors import JitError, LinkClosed, TimedOut
from jitctl.safety.barrier import END_S, SubmitBarrier
from jitctl.safety.stop_count import count_stop
from jitctl.safety.stopping import Stopped, halt_now, pause_now

PAUSE_LIMIT_S = 0.75
"""How long the engine may take for a pause: it lets a submission finish, or cancels it, within 0.7 s."""
BARRIER_PATIENCE_S = 0.55
"""How long a silent engine may keep the barrier once the flag is up: no longer than a live one does. With
`PAUSE_LIMIT_S` 1.3 s, and 0.4 s more where SIGKILL does not work; known to be silent, it is not asked."""
STOP_LIMIT_S = 1.0
STOP_PATIENCE_S = 0.2
"""How long the engine may take to answer that it stops, and to give the barrier back; then it is ended."""
END_LIMIT_S = 5.0
"""How long an engine that has answered may take to end in good order; nothing is submitted meanwhile."""


class Stopping:
    """Pause, halt and stop: never behind another action's lock, and never waiting for a node."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def pause(self, request: ActionRequest, caller: Caller) -> ActionReply:
        if self._keeper.engine is None or not self._keeper.engine.alive:
            return await self._pause_nobody(request, caller)
        engine = self._keeper.engine
        if engine.responsive is not False:
            with contextlib.suppress(TimedOut, LinkClosed):
                return reply_of(
                    await engine.ask("pause", limit_s=PAUSE_LIMIT_S, who=caller.person, reason=request.reason)
                )
        return await self._pause_by_force(engine, request, caller)

    async def _pause_nobody(self, request: ActionRequest, caller: Caller) -> ActionReply:
        """No engine runs, but one may be about to: it comes up paused, whatever was asked before this."""
        why = request.reason or "pause during a start"
        if self._keeper.latch.paused():
            # Marked anew; where the disk does not let us, it lets nobody loosen it either.
            with contextlib.suppress(TimedOut):
                await self._without_engine(pause_now, caller, why)
            return ActionReply(message="already paused; the engine is not running")
        if not self._keeper.starting:
            self._keeper.running_engine("pause")
        await self._without_engine(pause_now, caller, why)
        return ActionReply(changed=True, message="paused: the engine that is starting comes up paused")

    async def _pause_by_force(
        self, engine: EngineChild, request: ActionRequest, caller: Caller
    ) -> ActionReply:
        """The engine is silent: raise the flag ourselves and take the barrier, ending it if need be."""
        why = request.reason or "pause; the engine did not answer"
        stopped = await self._without_engine(pause_now, caller, why)
        forced = stopped.killed is not None
        if forced:
            await engine.wait_ended(END_S)
        self._keeper.telemetry.log(
            "pause_without_engine", level="error", killed=forced, waitedS=round(stopped.waited_s, 3)
        )
        if forced:
            return ActionReply(
                changed=True,
                forced=True,
                message="paused: the engine held the submit barrier and did not answer, so it was ended",
                hint=f"it comes back paused with: jitctl start --mode {self._keeper.mode}",
            )
        return ActionReply(
            changed=stopped.changed,
            message="paused: the engine does not answer, but the barrier was free and nothing is submitted",
            hint="see the log for what holds the engine; jitctl stop ends it",
        )

    async def _without_engine(self, stop: Callable[..., Stopped], caller: Caller, why: str) -> Stopped:
        """Stop the signer by the files and the barrier; raises `TimedOut`, also where the disk hangs."""
        folder = self._keeper.config.folders.data
        stopping = asyncio.to_thread(
            stop, folder, caller.person, why, time.time(), patience_s=BARRIER_PATIENCE_S
        )
        try:
            return await asyncio.wait_for(stopping, BARRIER_PATIENCE_S + 3 * END_S)
        except TimeoutError:
            raise TimedOut(
                f"requested, not confirmed: {folder} does not answer", hint="see to the disk that it is on"
            ) from None

    async def emergency_stop(self, request: ActionRequest, caller: Caller) -> ActionReply:
        """Halt: by the engine if it answers, else by ourselves, ending it if it holds the barrier."""
        why = request.reason or "emergency stop"
        engine = self._keeper.engine
        if engine is not None and engine.alive:
            with contextlib.suppress(TimedOut, LinkClosed):
                body = await engine.ask(
                    "emergency-stop", limit_s=PAUSE_LIMIT_S, who=caller.person, reason=why
                )
                return reply_of(body)
        stopped = await self._without_engine(halt_now, caller, why)
        forced = stopped.killed is not None
        if forced and engine is not None:
            await engine.wait_ended(1.0)
        self._keeper.telemetry.log("halt_without_engine", level="error", killed=forced)
        how = "the engine did not answer and was ended" if forced else "the barrier was free"
        return ActionReply(
            changed=stopped.changed or forced,
            forced=forced,
            message=f"halted: {how}; nothing can be signed" if stopped.changed else "already halted",
            hint="leave it, once looked into, with: jitctl clear-halt --reason ...",
        )

    async def stop(self, request: ActionRequest, caller: Caller) -> ActionReply:
        self._keeper.leaving = True
        count_stop(self._keeper.config.folders.run)
        self._keeper.wake()
        by_force = await self.end_engine(request.reason or "stop", caller.person)
        if self._keeper.mode == "production":
            self._keeper.validated.mark_ended()
        self._keeper.stopping.set()
        if by_force:
            return ActionReply(
                changed=True, forced=True, message="stopped: the engine did not answer and was ended by force"
            )
        return ActionReply(changed=True, message="stopped")

    async def end_engine(self, why: str, who: str) -> bool:
        """Stop the engine in good order, else by force; True if it took force, `TimedOut` if it stays.

        An engine that hangs is gone after `STOP_LIMIT_S` and `STOP_PATIENCE_S`; one that is known to be
        silent is not asked.
        """
        async with self._keeper.one_engine:
            engine = self._keeper.engine
            if engine is None or not engine.alive:
                return False
            return await self._end(engine, why, who)

    async def _end(self, engine: EngineChild, why: str, who: str) -> bool:
        engine.ending = True
        if engine.responsive is not False:
            # Whatever it answers, it is to end: one that refuses is ended as one that hangs.
            with contextlib.suppress(JitError):
                await engine.ask("stop", limit_s=STOP_LIMIT_S, who=who, reason=why)
                await engine.wait_ended(END_LIMIT_S)
        if await engine.wait_ended(0.0):
            return False
        barrier = SubmitBarrier(self._keeper.config.folders.data)
        with contextlib.suppress(JitError):
            # It ends a signer that keeps the barrier; with the barrier held none begins a submission.
            alone = await asyncio.to_thread(barrier.take, patience_s=STOP_PATIENCE_S)
            with alone.held:
                await engine.kill()
        if not await engine.kill():
            raise TimedOut(
                f"the stop is requested, not confirmed: the engine (pid {engine.pid}) cannot be ended",
                hint=f"the kernel keeps it; `ps -o stat,wchan {engine.pid}` says what it waits for",
            )
        self._keeper.telemetry.log("engine_ended_by_force", level="error", pid=engine.pid)
        return True

    async def watch_engine(
        self, watch: HangWatch, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """End every engine that `watch` calls hung, until cancelled; the next start comes up paused."""
        while True:
            # A start takes over the configuration as it is then.
            watch.hung_after_s = self._keeper.config.main.engine.hung_after_s
            await sleep(watch.tick_s)
            engine = self._keeper.engine
            if engine is not None and engine.alive and engine.mode == "production":
                self._keeper.validated.mark_seen()
            if engine is not None and watch.hangs(engine.judged, engine.silent_s()):
                async with self._keeper.one_engine:
                    # Whoever held the lock may have ended it, or it may have answered meanwhile.
                    if engine.judged and watch.too_long(engine.silent_s()):
                        await self._end_hung(engine)

    async def _end_hung(self, engine: EngineChild) -> None:
        before, why = self._keeper.state(), f"engine hung for {engine.silent_s():.0f} s; ended"
        self._keeper.telemetry.log("engine_hung", level="error", pid=engine.pid, state=before, text=why)
        engine.failure = TimedOut(
            why, hint=f"it comes back paused with: jitctl start --mode {self._keeper.mode}"
        )
        outcome = "ok"
        try:
            await self._without_engine(pause_now, HANG, why)
        except (JitError, OSError) as error:
            # It is ended all the same: dead it signs nothing either, and its ledger shows the crash.
            outcome = getattr(error, "code", JitError.code)
            self._keeper.telemetry.log("pause_failed", level="error", text=str(error))
        engine.ending = True
        if not await engine.kill():
            outcome = TimedOut.code
        self._keeper.audit.record(
            who=HANG.person, uid=HANG.uid, role=HANG.role, door=HANG.door, verb="end-hung-engine", why=why,
            before=before, after=self._keeper.state(), mode=self._keeper.mode, outcome=outcome,
        )  # fmt: skip
        self._keeper.telemetry.log("engine_ended", level="error", pid=engine.pid, text=why)
        self._keeper.wake()

    async def stop_now(self) -> None:
        """End everything at once: a second signal, or a failed start."""
        self._keeper.leaving = True
        self._keeper.stopping.set()
        if self._keeper.engine is not None and self._keeper.engine.alive:
            self._keeper.engine.ending = True
            await self._keeper.engine.kill()
