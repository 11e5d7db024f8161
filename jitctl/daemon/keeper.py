"""Process 1: keeps the engine, answers the operator, writes the audit trail and the log; holds no key."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jitctl.config.load import Config
from jitctl.control.roles import BY_VERB
from jitctl.control.schema import ActionReply, ActionRequest, Health, Status
from jitctl.daemon.audit import Audit
from jitctl.daemon.engine_child import EngineChild
from jitctl.daemon.link import LogLine
from jitctl.daemon.reading import Facts, health_of, status_of
from jitctl.daemon.telemetry import Telemetry
from jitctl.errors import DaemonNotRunning, JitError, LinkClosed, Refused, TimedOut
from jitctl.safety.latch import Latch
from jitctl.safety.stopping import pause_now

PAUSE_LIMIT_S = 1.0
COMMAND_LIMIT_S = 5.0
STOP_LIMIT_S = 10.0
READY_LIMIT_S = 60.0


@dataclass(frozen=True)
class Caller:
    """Who asks, for the audit trail."""

    person: str
    uid: int
    role: str
    door: str


SIGNAL = Caller("signal", os.getuid(), "admin", "signal")


class Keeper:
    """The operator's view of one bot. Actions run one after another; reads never wait for them."""

    def __init__(
        self,
        config: Config,
        *,
        mode: str,
        engine_argv: Sequence[str],
        telemetry: Telemetry,
        audit: Audit,
        http_address: str,
        stop_limit_s: float = STOP_LIMIT_S,
    ) -> None:
        self.config = config
        self.mode = mode
        self.engine: EngineChild | None = None
        self.stopping = asyncio.Event()
        self.changed = asyncio.Condition()
        self.telemetry = telemetry
        self._engine_argv = tuple(engine_argv)
        self._audit = audit
        self._http = http_address
        self._stop_limit_s = stop_limit_s
        self._latch = Latch(config.folders.data)
        self._one_action = asyncio.Lock()
        self._started_wall_s = time.time()
        self._started_s = time.monotonic()
        self._seen = (False, True)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the engine -------------------------------------------------------------------------------

    async def start_engine(self) -> EngineChild:
        """Exec the engine in the keeper's mode; returns at once, `wait_settled` tells how it went."""
        self._seen = (True, True)
        argv = [*self._engine_argv, "--config-dir", str(self.config.folders.config), "--mode", self.mode]
        self.engine = await EngineChild.spawn(
            argv, mode=self.mode, on_log=self._engine_log, on_change=self._engine_news
        )
        self.telemetry.log("engine_spawned", pid=self.engine.pid, mode=self.mode)
        return self.engine

    async def wait_settled(self, limit_s: float) -> str:
        """Wait until the engine's start-up is over and return its state.

        Raises the engine's own error if it failed, `TimedOut` (it goes on starting) after `limit_s`.
        """
        engine = self.engine
        assert engine is not None
        try:
            async with asyncio.timeout(limit_s), self.changed:
                await self.changed.wait_for(lambda: engine.settled)
        except TimeoutError:
            raise TimedOut(
                f"the engine is still {engine.state} after {limit_s:g} s",
                hint="follow it with: jitctl status",
            ) from None
        if not engine.alive:
            raise engine.failure or JitError(
                f"the engine ended while starting (exit code {engine.exit_code})",
                hint=f"its last words are in {self.config.folders.log_file}",
            )
        return engine.state

    def _engine_log(self, line: LogLine) -> None:
        self.telemetry.record(line.event, line.fields, level=line.level, source="engine", time_s=line.time_s)

    def _engine_news(self) -> None:
        engine = self.engine
        if engine is None:
            return
        alive, answered = self._seen
        answers = engine.responsive is not False
        if alive and not engine.alive:
            level = "info" if engine.ending else "error"
            self.telemetry.log("engine_exited", level=level, pid=engine.pid, exitCode=engine.exit_code)
        elif engine.alive and answers != answered:
            event = "engine_answers" if answers else "engine_silent"
            self.telemetry.log(event, level="info" if answers else "error", state=engine.state)
        self._seen = (engine.alive, answers)
        task = asyncio.create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    # -- reading ----------------------------------------------------------------------------------

    def state(self) -> str:
        """Return the state to show: the engine's own, or STOPPED when there is no engine."""
        return self.engine.state if self.engine is not None else "STOPPED"

    def status(self) -> Status:
        """Return what is known now, without asking anybody."""
        return status_of(self._facts())

    def health(self) -> Health:
        """Return liveness and, apart from it, trading readiness."""
        return health_of(self._facts(), self._audit.queued, self.telemetry.lost)

    def moment(self) -> tuple[object, ...]:
        """Return what changes whenever `status` or `health` does, but for the ages in them."""
        engine = self.engine
        told = (engine.pid, engine.state, engine.responsive, engine.news) if engine is not None else ()
        return (told, self._latch.armed(), self.mode, self.config.hash, self.stopping.is_set(),
                self._audit.queued, self.telemetry.lost)  # fmt: skip

    def uptime_s(self) -> float:
        return time.monotonic() - self._started_s

    def _facts(self) -> Facts:
        return Facts(
            config=self.config,
            mode=self.mode,
            engine=self.engine,
            armed=self._latch.armed(),
            ending=self.stopping.is_set(),
            http=self._http,
            started_wall_s=self._started_wall_s,
            uptime_s=self.uptime_s(),
        )

    # -- acting -----------------------------------------------------------------------------------

    async def act(self, verb: str, request: ActionRequest, caller: Caller) -> ActionReply:
        """Do one verb and record it; a verb that loosens is refused while it cannot be recorded."""
        route = BY_VERB[verb]
        before, began = self.state(), time.monotonic()
        try:
            if not route.tightens:
                self._audit.require()
            reply = await self._do(verb, request, caller)
        except JitError as error:
            self._record(verb, request, caller, before, error.code, error.message)
            raise
        elapsed_ms = (time.monotonic() - began) * 1000
        self._record(verb, request, caller, before, "ok", reply.message)
        return replace(
            reply, verb=verb, state_before=before, state=self.state(), elapsed_ms=round(elapsed_ms, 3)
        )

    async def _do(self, verb: str, request: ActionRequest, caller: Caller) -> ActionReply:
        if verb == "pause":
            # Not behind the lock: a start or stop that hangs must not keep anyone from pausing.
            return await self._pause(request, caller)
        async with self._one_action:
            match verb:
                case "resume" | "clear-halt":
                    return await self._loosen(verb, request, caller)
                case "start":
                    return await self._start(request)
                case _:
                    return await self._stop(request, caller)

    def _record(
        self, verb: str, request: ActionRequest, caller: Caller, before: str, outcome: str, message: str
    ) -> None:
        fields: dict[str, Any] = {
            "who": caller.person, "uid": caller.uid, "role": caller.role, "door": caller.door, "verb": verb,
            "why": request.reason, "before": before, "after": self.state(), "mode": self.mode,
            "outcome": outcome,
        }  # fmt: skip
        self._audit.record(**fields)
        self.telemetry.log(
            "operator_command", level="info" if outcome == "ok" else "warning", **fields, text=message
        )

    def _running_engine(self, verb: str) -> EngineChild:
        if self.engine is None or not self.engine.alive:
            raise DaemonNotRunning(
                f"cannot {verb}: the engine is not running",
                hint=f"start it with: jitctl start --mode {self.mode}",
            )
        return self.engine

    async def _pause(self, request: ActionRequest, caller: Caller) -> ActionReply:
        if (self.engine is None or not self.engine.alive) and self._latch.paused():
            return ActionReply(message="already paused; the engine is not running")
        engine = self._running_engine("pause")
        try:
            body = await engine.ask("pause", limit_s=PAUSE_LIMIT_S, who=caller.person, reason=request.reason)
        except (TimedOut, LinkClosed):
            return await self._pause_by_force(engine, request, caller)
        return _reply(body)

    async def _pause_by_force(
        self, engine: EngineChild, request: ActionRequest, caller: Caller
    ) -> ActionReply:
        """The engine is silent: raise the flag ourselves and take the barrier, ending it if need be."""
        why = request.reason or "pause; the engine did not answer"
        stopped = await asyncio.to_thread(
            pause_now, self.config.folders.data, caller.person, why, time.time(), patience_s=PAUSE_LIMIT_S
        )
        forced = stopped.killed is not None
        if forced:
            await engine.wait_ended(1.0)
        self.telemetry.log(
            "pause_without_engine", level="error", killed=forced, waitedS=round(stopped.waited_s, 3)
        )
        if forced:
            return ActionReply(
                changed=True,
                forced=True,
                message="paused: the engine held the submit barrier and did not answer, so it was ended",
                hint=f"it comes back paused with: jitctl start --mode {self.mode}",
            )
        return ActionReply(
            changed=stopped.changed,
            message="paused: the engine does not answer, but the barrier was free and nothing is submitted",
            hint="see the log for what holds the engine; jitctl stop ends it",
        )

    async def _loosen(self, verb: str, request: ActionRequest, caller: Caller) -> ActionReply:
        engine = self._running_engine(verb)
        body = await engine.ask(verb, limit_s=COMMAND_LIMIT_S, who=caller.person, reason=request.reason)
        return _reply(body)

    async def _start(self, request: ActionRequest) -> ActionReply:
        """Bring an engine back, or replace a test engine by a production one; the keeper stays."""
        mode = request.mode or self.mode
        running = self.engine is not None and self.engine.alive
        if running and mode == self.mode:
            return ActionReply(message=f"already running in mode {mode}")
        if running and self.mode == "production":
            raise Refused(
                "a production engine runs here",
                hint="end it first: jitctl stop, then jitctl start --mode test",
            )
        if running:
            await self._end_engine("replaced by a production engine", "keeper")
        self.mode = mode
        await self.start_engine()
        state = await self.wait_settled(READY_LIMIT_S)
        return ActionReply(changed=True, message=f"started in mode {mode}: {state}")

    async def _stop(self, request: ActionRequest, caller: Caller) -> ActionReply:
        by_force = await self._end_engine(request.reason or "stop", caller.person)
        self.stopping.set()
        if by_force:
            return ActionReply(
                changed=True, forced=True, message="stopped: the engine did not end in time and was killed"
            )
        return ActionReply(changed=True, message="stopped")

    async def _end_engine(self, why: str, who: str) -> bool:
        """Stop the engine in good order, else by force; True if it took force."""
        engine = self.engine
        if engine is None or not engine.alive:
            return False
        engine.ending = True
        with contextlib.suppress(TimedOut, LinkClosed):
            await engine.ask("stop", limit_s=self._stop_limit_s, who=who, reason=why)
            await engine.wait_ended(COMMAND_LIMIT_S)
        if await engine.wait_ended(0.0):
            return False
        await engine.kill()
        return True

    async def stop_now(self) -> None:
        """End everything at once: a second signal, or a failed start."""
        self.stopping.set()
        if self.engine is not None and self.engine.alive:
            self.engine.ending = True
            await self.engine.kill()


def _reply(body: dict[str, object]) -> ActionReply:
    return ActionReply(
        changed=bool(body.get("changed", True)),
        message=str(body.get("message", "done")),
        hint=str(body.get("hint", "")),
    )
