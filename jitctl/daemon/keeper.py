"""Process 1: keeps the engine, answers the operator, writes the audit trail and the log; holds no key."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jitctl.config.load import Config, Reload, load, needs_restart, reloaded
from jitctl.control.roles import ADMIN, BY_VERB, allows
from jitctl.control.schema import (
    PASS,
    WARN,
    ActionReply,
    ActionRequest,
    CheckReport,
    Health,
    LatencyBreakdown,
    PoolStatus,
    StageRow,
    Status,
)
from jitctl.daemon.audit import Audit
from jitctl.daemon.engine_child import EngineChild
from jitctl.daemon.hang import HangWatch
from jitctl.daemon.history import History
from jitctl.daemon.link import LogLine
from jitctl.daemon.pool_view import PoolView
from jitctl.daemon.reading import Facts, health_of, shown_state, status_of
from jitctl.daemon.refusals import Refusals
from jitctl.daemon.telemetry import Telemetry
from jitctl.daemon.validation import validate
from jitctl.errors import (
    DaemonNotRunning,
    JitError,
    LinkClosed,
    PermissionDenied,
    Refused,
    TimedOut,
    UsageError,
)
from jitctl.safety.barrier import END_S, SubmitBarrier
from jitctl.safety.keeper_lock import keeper_of, taken
from jitctl.safety.latch import Latch
from jitctl.safety.stopping import Stopped, halt_now, pause_now
from jitctl.safety.validated import ValidationRecord

PAUSE_LIMIT_S = 0.75
"""How long the engine may take for a pause: it lets a submission finish, or cancels it, within 0.7 s."""
BARRIER_PATIENCE_S = 0.55
"""How long a silent engine may keep the barrier once the flag is up: no longer than a live one does. With
`PAUSE_LIMIT_S` 1.3 s, and 0.4 s more where SIGKILL does not work; known to be silent, it is not asked."""
COMMAND_LIMIT_S = 5.0
RELOAD_LIMIT_S = 15.0
STOP_LIMIT_S = 1.0
STOP_PATIENCE_S = 0.2
"""How long the engine may take to answer that it stops, and to give the barrier back; then it is ended."""
END_LIMIT_S = 5.0
"""How long an engine that has answered may take to end in good order; nothing is submitted meanwhile."""
READY_LIMIT_S = 60.0


@dataclass(frozen=True)
class Caller:
    """Who asks, for the audit trail; the holder of a token has no uid."""

    person: str
    uid: int | None
    role: str
    door: str


_KEEPERS_OWN = ("paths.", "http.", "socket.", "chain.chain_id")
"""What the keeper has bound or opened for as long as it lives."""
SIGNAL = Caller("signal", os.getuid(), "admin", "signal")
HANG = Caller("keeper", os.getuid(), "", "keeper")


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
    ) -> None:
        self.config = config
        self.mode = mode
        self.engine: EngineChild | None = None
        self.stopping = asyncio.Event()
        self.leaving = False
        self.changed = asyncio.Condition()
        self.telemetry = telemetry
        self._engine_argv = tuple(engine_argv)
        self._audit = audit
        self.refusals = Refusals(audit, telemetry)
        self._http = http_address
        self.history = History()
        self.validated = ValidationRecord(config.folders.data)
        self._pools = PoolView()
        self._latch = Latch(config.folders.data)
        self._one_action = asyncio.Lock()
        self._one_ending = asyncio.Lock()
        self._started_wall_s = time.time()
        self._started_s = time.monotonic()
        self._seen = (False, True)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the engine -------------------------------------------------------------------------------

    def record_start(self, caller: Caller, *, reason: str, force: bool) -> None:
        """Put the daemon's own start into the audit trail, before its engine exists.

        Raises `Refused` for a production start that is not validated, or while the trail cannot be written.
        """
        self._audit.require()
        self._record_files()
        request = ActionRequest(reason=reason, mode=self.mode, force=force)
        try:
            if self.mode == "production":
                self._require_validated(request, self.config)
        except JitError as error:
            self._record("start", request, caller, "STOPPED", error.code, error.message)
            raise
        self._record("start", request, caller, "STOPPED", "ok", "")

    def _record_files(self) -> None:
        """Put into the trail who paused or halted by the data folder while no keeper could write it."""
        for verb, after, found in (
            ("pause", "PAUSED", self._latch.pause_record()),
            ("emergency-stop", "HALTED", self._latch.halt_record()),
        ):
            if found is None or found.time_s <= self._audit.last_time_s or found.who in ("", "engine"):
                continue
            self._audit.record(
                who=found.who, uid=None, role="", door="files", verb=verb, why=found.why, before="",
                after=after, mode=self.mode, outcome="ok", at=found.time_s,
            )  # fmt: skip

    async def start_engine(self) -> EngineChild:
        """Exec the engine in the keeper's mode; returns at once, `wait_settled` tells how it went."""
        if self.stopping.is_set():
            raise Refused("the daemon is stopping")
        self._seen = (True, True)
        argv = [*self._engine_argv, "--config-dir", str(self.config.folders.config), "--mode", self.mode]
        self.engine = await EngineChild.spawn(
            argv, mode=self.mode, on_log=self._engine_log, on_change=self._engine_news
        )
        self.telemetry.log("engine_spawned", pid=self.engine.pid, mode=self.mode)
        return self.engine

    async def bring_up(self) -> str:
        """Start the engine and return its state once its start-up is over; raises as `wait_settled`."""
        await self.start_engine()
        state = await self.wait_settled(READY_LIMIT_S)
        if self.mode == "production":
            # It may come back like this without being validated anew.
            self.validated.mark_running(self.config.hash)
        return state

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
        self.history.add(engine.pid, engine.figures)
        alive, answered = self._seen
        answers = engine.responsive is not False
        if alive and not engine.alive:
            level = "info" if engine.ending else "error"
            self.telemetry.log("engine_exited", level=level, pid=engine.pid, exitCode=engine.exit_code)
        elif engine.alive and answers != answered:
            event = "engine_answers" if answers else "engine_silent"
            self.telemetry.log(event, level="info" if answers else "error", state=engine.state)
        self._seen = (engine.alive, answers)
        self._wake()

    def _wake(self) -> None:
        task = asyncio.create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    # -- reading ----------------------------------------------------------------------------------

    def state(self) -> str:
        """Return the state to show: the engine's own, or STOPPED when there is no engine."""
        return shown_state(self.engine, self._latch.paused())

    def status(self) -> Status:
        """Return what is known now, without asking anybody."""
        return status_of(self._facts())

    def health(self) -> Health:
        """Return liveness and, apart from it, trading readiness."""
        return health_of(self._facts(), self._audit.queued, self.telemetry.lost)

    async def pool_status(self) -> PoolStatus:
        """Return every configured pool; the engine is asked at most once a second."""
        return await self._pools.read(self.config, self.engine)

    def latency_breakdown(self) -> LatencyBreakdown:
        """Return the engine's own timings, as it last told them."""
        engine = self.engine
        stages = engine.figures.get("stages", {}) if engine is not None else {}
        age_s = engine.figures_age_s() if engine is not None else None
        rows = [StageRow(name, **times) for name, times in stages.items()]
        return LatencyBreakdown(self.mode, self.state(), age_s, rows)

    def moment(self) -> tuple[object, ...]:
        """Return what changes whenever `status` or `health` does, but for the ages in them."""
        engine = self.engine
        told = (engine.pid, engine.state, engine.responsive, engine.news) if engine is not None else ()
        seen = (self._latch.armed(), self._latch.paused(), self.stopping.is_set(), self._audit.queued)
        logged = (len(self.telemetry.recent), self.telemetry.lost)
        return told, seen, logged, self.mode, self.config.hash

    def uptime_s(self) -> float:
        return time.monotonic() - self._started_s

    def _facts(self) -> Facts:
        return Facts(
            config=self.config,
            mode=self.mode,
            engine=self.engine,
            armed=self._latch.armed(),
            paused=self._latch.paused(),
            ending=self.stopping.is_set(),
            http=self._http,
            started_wall_s=self._started_wall_s,
            uptime_s=self.uptime_s(),
            history=self.history.sparks(),
            recent=list(self.telemetry.recent),
        )

    # -- acting -----------------------------------------------------------------------------------

    async def act(self, verb: str, request: ActionRequest, caller: Caller) -> ActionReply:
        """Do one verb and record it; a verb that loosens is refused while it cannot be recorded."""
        route = BY_VERB[verb]
        before, state_before, began = self._standing(verb), self.state(), time.monotonic()
        try:
            if not route.tightens:
                self._audit.require()
            reply = await self._do(verb, request, caller)
        except JitError as error:
            self._record(verb, request, caller, before, error.code, error.message)
            raise
        elapsed_ms = (time.monotonic() - began) * 1000
        self._record(verb, request, caller, before, "ok", reply.message, forced=reply.forced)
        return replace(
            reply, verb=verb, state_before=state_before, state=self.state(), elapsed_ms=round(elapsed_ms, 3)
        )

    async def _do(self, verb: str, request: ActionRequest, caller: Caller) -> ActionReply:
        # Tightening is not behind the lock: a start or stop that hangs must not keep anyone from it.
        match verb:
            case "pause":
                return await self._pause(request, caller)
            case "emergency-stop":
                return await self._emergency_stop(request, caller)
            case "crisis-mode":
                return await self._crisis_mode(request, caller)
            case "stop":
                return await self._stop(request, caller)
        async with self._one_action:
            match verb:
                case "resume" | "clear-halt":
                    return await self._loosen(verb, request, caller)
                case "reload-pools" | "reload-strategy":
                    return await self._reload(Reload(verb.removeprefix("reload-")), request, caller)
                case _:
                    return await self._start(request)

    def _standing(self, verb: str) -> str:
        """Return what a verb changes, as it is now: the state, the crisis level or the configuration."""
        if verb == "crisis-mode":
            return str(self.status().crisis_level)
        return self.config.hash[:12] if verb.startswith("reload-") else self.state()

    def _record(
        self,
        verb: str,
        request: ActionRequest,
        caller: Caller,
        before: str,
        outcome: str,
        message: str,
        *,
        forced: bool = False,
    ) -> None:
        fields: dict[str, Any] = {
            "who": caller.person, "uid": caller.uid, "role": caller.role, "door": caller.door, "verb": verb,
            "why": request.reason, "before": before, "after": self._standing(verb), "mode": self.mode,
            "outcome": outcome,
        }  # fmt: skip
        if forced:
            fields["forced"] = True
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
        if engine.responsive is not False:
            with contextlib.suppress(TimedOut, LinkClosed):
                return _reply(
                    await engine.ask("pause", limit_s=PAUSE_LIMIT_S, who=caller.person, reason=request.reason)
                )
        return await self._pause_by_force(engine, request, caller)

    async def _pause_by_force(
        self, engine: EngineChild, request: ActionRequest, caller: Caller
    ) -> ActionReply:
        """The engine is silent: raise the flag ourselves and take the barrier, ending it if need be."""
        why = request.reason or "pause; the engine did not answer"
        stopped = await self._without_engine(pause_now, caller, why)
        forced = stopped.killed is not None
        if forced:
            await engine.wait_ended(END_S)
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

    async def _without_engine(self, stop: Callable[..., Stopped], caller: Caller, why: str) -> Stopped:
        """Stop the signer by the files and the barrier; raises `TimedOut`, also where the disk hangs."""
        folder = self.config.folders.data
        stopping = asyncio.to_thread(
            stop, folder, caller.person, why, time.time(), patience_s=BARRIER_PATIENCE_S
        )
        try:
            return await asyncio.wait_for(stopping, BARRIER_PATIENCE_S + 3 * END_S)
        except TimeoutError:
            raise TimedOut(
                f"requested, not confirmed: {folder} does not answer", hint="see to the disk that it is on"
            ) from None

    async def _loosen(self, verb: str, request: ActionRequest, caller: Caller) -> ActionReply:
        engine = self._running_engine(verb)
        body = await engine.ask(verb, limit_s=COMMAND_LIMIT_S, who=caller.person, reason=request.reason)
        return _reply(body)

    async def _emergency_stop(self, request: ActionRequest, caller: Caller) -> ActionReply:
        """Halt: by the engine if it answers, else by ourselves, ending it if it holds the barrier."""
        why = request.reason or "emergency stop"
        engine = self.engine
        if engine is not None and engine.alive:
            with contextlib.suppress(TimedOut, LinkClosed):
                body = await engine.ask(
                    "emergency-stop", limit_s=PAUSE_LIMIT_S, who=caller.person, reason=why
                )
                return _reply(body)
        stopped = await self._without_engine(halt_now, caller, why)
        forced = stopped.killed is not None
        if forced and engine is not None:
            await engine.wait_ended(1.0)
        self.telemetry.log("halt_without_engine", level="error", killed=forced)
        how = "the engine did not answer and was ended" if forced else "the barrier was free"
        return ActionReply(
            changed=stopped.changed or forced,
            forced=forced,
            message=f"halted: {how}; nothing can be signed" if stopped.changed else "already halted",
            hint="leave it, once looked into, with: jitctl clear-halt --reason ...",
        )

    async def _crisis_mode(self, request: ActionRequest, caller: Caller) -> ActionReply:
        """Set the level; a lower one needs an administrator, and an audit trail that can be written."""
        if not request.level:
            raise UsageError("crisis-mode needs a level", hint="off, low, medium, high or critical")
        if not request.reason:
            raise UsageError("crisis-mode needs a reason", hint="it is kept in the audit trail")
        barred: JitError | None = None
        try:
            self._audit.require()
        except Refused as unwritable:
            barred = unwritable
        engine = self._running_engine("set the crisis level")
        args = {"level": request.level, "may_loosen": barred is None and allows(caller.role, ADMIN)}
        try:
            body = await engine.ask(
                "crisis-mode", limit_s=COMMAND_LIMIT_S, who=caller.person, reason=request.reason, **args
            )
        except PermissionDenied as denied:
            raise (barred if barred is not None and allows(caller.role, ADMIN) else denied) from None
        return _reply(body)

    async def _reload(self, what: Reload, request: ActionRequest, caller: Caller) -> ActionReply:
        """Take over pools.toml or strategy.toml; refused as a whole, with the old one going on."""
        engine = self._running_engine(f"reload the {what}")
        found = await asyncio.to_thread(load, self.config.folders.config)
        wanted = reloaded(self.config, found, what)
        left = needs_restart(self.config, found)
        hint = f"a restart is needed for: {', '.join(left)}" if left else ""
        if wanted.hash == self.config.hash:
            return ActionReply(message=f"the {what} are as they were; nothing to reload", hint=hint)
        args = {"what": what.value, "hash": wanted.hash}
        body = await engine.ask(
            "reload", limit_s=RELOAD_LIMIT_S, who=caller.person, reason=request.reason, **args
        )
        self.config = wanted
        self._pools.forget()
        return replace(_reply(body), message=f"{what} reloaded: {body.get('message')}", hint=hint)

    async def validate_live(self, caller: Caller) -> CheckReport:
        """Check the running test bot and, if nothing failed or stayed unknown, keep that it passed.

        Raises `Refused` while the audit trail cannot be written: the record allows a production start.
        """
        self._audit.require()
        async with self._one_action:
            report = await validate(self.config, self.mode, self.engine, self.history)
            if report.result in (PASS, WARN) and self.mode == "test":
                self.validated.keep(report.config_hash, caller.person)
        failed = ", ".join(each.name for each in report.checks if each.result not in (PASS, WARN))
        outcome = "ok" if report.result in (PASS, WARN) else report.result
        self._record("validate-live", ActionRequest(), caller, self.state(), outcome, failed)
        return report

    async def _start(self, request: ActionRequest) -> ActionReply:
        """Bring an engine back, or replace a test engine by a production one; the keeper stays."""
        mode = request.mode or self.mode
        if self.engine is None or (self.engine.alive and not self.engine.was_settled):
            # The daemon's own first start, or another operator's: two would mean two engines.
            raise taken(self.config.folders.run, keeper_of(self.config.folders.run) or f"pid {os.getpid()}")
        running = self.engine.alive
        if running and mode == self.mode:
            return ActionReply(message=f"already running in mode {mode}")
        if running and self.mode == "production":
            raise Refused(
                "a production engine runs here",
                hint="end it first: jitctl stop, then jitctl start --mode test",
            )
        found = await asyncio.to_thread(load, self.config.folders.config)
        bound = [key for key in needs_restart(self.config, found) if key.startswith(_KEEPERS_OWN)]
        if bound:
            raise Refused(
                f"changed since this daemon started: {', '.join(bound)}",
                hint="only a new daemon takes these over: jitctl stop, then jitctl start",
            )
        if mode == "production":
            self._require_validated(request, found)
        if running:
            await self._end_engine("replaced by a production engine", "keeper")
        self.mode, self.config = mode, found
        self._pools.forget()
        state = await self.bring_up()
        return ActionReply(changed=True, message=f"started in mode {mode}: {state}")

    def _require_validated(self, request: ActionRequest, config: Config) -> None:
        """Raise `Refused` unless `config` passed validate-live of late, or force says why not."""
        if not request.force:
            self.validated.require(config.hash)
        elif not request.reason:
            raise UsageError("--force needs a reason", hint="it is kept in the audit trail")

    async def _stop(self, request: ActionRequest, caller: Caller) -> ActionReply:
        self.leaving = True
        self._wake()
        by_force = await self._end_engine(request.reason or "stop", caller.person)
        self.validated.mark_ended()
        self.stopping.set()
        if by_force:
            return ActionReply(
                changed=True, forced=True, message="stopped: the engine did not answer and was ended by force"
            )
        return ActionReply(changed=True, message="stopped")

    async def _end_engine(self, why: str, who: str) -> bool:
        """Stop the engine in good order, else by force; True if it took force, `TimedOut` if it stays.

        An engine that hangs is gone after `STOP_LIMIT_S` and `STOP_PATIENCE_S`; one that is known to be
        silent is not asked.
        """
        async with self._one_ending:
            engine = self.engine
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
        barrier = SubmitBarrier(self.config.folders.data)
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
        self.telemetry.log("engine_ended_by_force", level="error", pid=engine.pid)
        return True

    # -- an engine that hangs ---------------------------------------------------------------------

    async def watch_engine(
        self, watch: HangWatch, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """End every engine that `watch` calls hung, until cancelled; the next start comes up paused."""
        while True:
            # A start takes over the configuration as it is then.
            watch.hung_after_s = self.config.main.engine.hung_after_s
            await sleep(watch.tick_s)
            engine = self.engine
            if engine is not None and watch.hangs(engine.judged, engine.silent_s()):
                async with self._one_ending:
                    # Whoever held the lock may have ended it, or it may have answered meanwhile.
                    if engine.judged and watch.too_long(engine.silent_s()):
                        await self._end_hung(engine)

    async def _end_hung(self, engine: EngineChild) -> None:
        before, why = self.state(), f"engine hung for {engine.silent_s():.0f} s; ended"
        self.telemetry.log("engine_hung", level="error", pid=engine.pid, state=before, text=why)
        engine.failure = TimedOut(why, hint=f"it comes back paused with: jitctl start --mode {self.mode}")
        outcome = "ok"
        try:
            await self._without_engine(pause_now, HANG, why)
        except (JitError, OSError) as error:
            # It is ended all the same: dead it signs nothing either, and its ledger shows the crash.
            outcome = getattr(error, "code", JitError.code)
            self.telemetry.log("pause_failed", level="error", text=str(error))
        engine.ending = True
        if not await engine.kill():
            outcome = TimedOut.code
        self._audit.record(
            who=HANG.person, uid=HANG.uid, role=HANG.role, door=HANG.door, verb="end-hung-engine", why=why,
            before=before, after=self.state(), mode=self.mode, outcome=outcome,
        )  # fmt: skip
        self.telemetry.log("engine_ended", level="error", pid=engine.pid, text=why)
        self._wake()

    async def stop_now(self) -> None:
        """End everything at once: a second signal, or a failed start."""
        self.leaving = True
        self.stopping.set()
        if self.engine is not None and self.engine.alive:
            self.engine.ending = True
            await self.engine.kill()


def _reply(body: dict[str, object]) -> ActionReply:
    return ActionReply(
        changed=bool(body.get("changed", True)),
        message=str(body.get("message", "done")),
        hint=str(body.get("hint", "")),
        outstanding_bundles=_count(body.get("outstandingBundles")),
        last_target_block=_count(body.get("lastTargetBlock")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
