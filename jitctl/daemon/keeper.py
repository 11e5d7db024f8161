"""Process 1: keeps the engine, answers the operator, writes the audit trail and the log; holds no key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple

from jitctl.config.generations import Generation
from jitctl.config.load import Config
from jitctl.control.schema import (
    Health,
    LatencyBreakdown,
    PoolStatus,
    RunningConfig,
    StageRow,
    Status,
)
from jitctl.daemon.audit import Audit
from jitctl.daemon.caller import Caller
from jitctl.daemon.current import Current
from jitctl.daemon.engine_child import EngineChild
from jitctl.daemon.history import History
from jitctl.daemon.link import LogLine
from jitctl.daemon.pool_view import PoolView
from jitctl.daemon.reading import Facts, health_of, running_config, shown_state, status_of
from jitctl.daemon.refusals import Refusals
from jitctl.daemon.telemetry import Telemetry
from jitctl.errors import (
    DaemonNotRunning,
    JitError,
    Refused,
    TimedOut,
)
from jitctl.safety.latch import Latch
from jitctl.safety.validated import ValidationRecord

READY_LIMIT_S = 60.0


class Offer(NamedTuple):
    """A reload that the engine has not answered: it may have taken it over, or may yet."""

    config: Config
    generation: Generation
    verb: str
    caller: Caller
    why: str


class Keeper:
    """One bot as its keeper holds it: the engine, and what readers are told, without asking anybody."""

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
        self.starting = False
        self.one_engine = asyncio.Lock()
        """Held by whoever brings an engine up or ends one: whoever ends it sees the one that just came up."""
        self.changed = asyncio.Condition()
        self.telemetry = telemetry
        self.current = Current(config.folders.data, telemetry)
        self._engine_argv = tuple(engine_argv)
        self.audit = audit
        self.refusals = Refusals(audit, telemetry)
        self._http = http_address
        self.history = History()
        self.validated = ValidationRecord(config.folders.data)
        self.pools = PoolView()
        self._offers: dict[str, Offer] = {}
        self.latch = Latch(config.folders.data)
        self._started_wall_s = time.time()
        self._started_s = time.monotonic()
        self._seen = (False, True)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the engine -------------------------------------------------------------------------------

    async def start_engine(self) -> EngineChild:
        """Exec the engine in the keeper's mode; returns at once, `wait_settled` tells how it went.

        Raises `Refused` if the daemon is stopping, or is told to meanwhile.
        """
        async with self.one_engine:
            self._require_staying()
            engine = self.engine = await self._spawned()
            try:
                self._require_staying()
            except Refused:
                engine.ending = True
                await engine.kill()
                raise
        self.telemetry.log("engine_spawned", pid=engine.pid, mode=self.mode)
        return engine

    def _require_staying(self) -> None:
        if self.leaving:
            raise Refused("the daemon is stopping")

    async def _spawned(self) -> EngineChild:
        self._seen = (True, True)
        kept = self.current.generation
        if kept is None or kept.hash != self.config.hash:
            kept = await asyncio.to_thread(self.current.keep, self.config, verb="start")
            self.current.run_by(kept)
        argv = [
            *self._engine_argv, "--config-dir", str(self.config.folders.config), "--mode", self.mode,
            "--config-hash", self.config.hash, "--generation", str(self.current.store.folder_of(kept)),
        ]  # fmt: skip
        return await EngineChild.spawn(
            argv, mode=self.mode, on_log=self._engine_log, on_change=self._engine_news
        )

    async def bring_up(self) -> str:
        """Start the engine and return its state once its start-up is over; raises as `wait_settled`."""
        self.starting = True
        try:
            await self.start_engine()
            state = await self.wait_settled(READY_LIMIT_S)
        finally:
            self.starting = False
        await self.confirm_configuration()
        return state

    async def confirm_configuration(self) -> str:
        """Keep what the engine runs by as the current generation; returns why that could not be done."""
        if self.mode == "production":
            # It may come back like this without being validated anew.
            await asyncio.to_thread(self.validated.mark_running, self.config.hash)
        problem = await self.current.confirm()
        if problem:
            self._beside(self.current.confirm_later())
        return problem

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
        self._heed_configuration(str(engine.figures.get("configHash", "")))
        alive, answered = self._seen
        answers = engine.responsive is not False
        if alive and not engine.alive:
            level = "info" if engine.ending else "error"
            self.telemetry.log("engine_exited", level=level, pid=engine.pid, exitCode=engine.exit_code)
        elif engine.alive and answers != answered:
            event = "engine_answers" if answers else "engine_silent"
            self.telemetry.log(event, level="info" if answers else "error", state=engine.state)
        self._seen = (engine.alive, answers)
        self.wake()

    @property
    def unsure_of_configuration(self) -> bool:
        """Whether the engine owes the answer to a reload."""
        return bool(self._offers)

    def offered(self, offer: Offer) -> None:
        """Know of a reload that was not answered in time."""
        self._offers.pop(offer.config.hash, None)
        self._offers[offer.config.hash] = offer

    def take_configuration(self, config: Config, generation: Generation) -> None:
        """Hold what the engine trades by for the configuration, from now on.

        The engine does one reload after another: what was offered before this one is answered by it.
        """
        self.config = config
        answered = list(self._offers)
        if config.hash in self._offers and generation == self._offers[config.hash].generation:
            answered = answered[: answered.index(config.hash) + 1]
        self.current.run_by(generation, [self._offers.pop(each).generation for each in answered])
        self.pools.forget()
        self.history.begin_anew()

    def _heed_configuration(self, told_hash: str) -> None:
        offer = self._offers.get(told_hash)
        if offer is None or told_hash == self.config.hash:
            self._confirm_what_runs(told_hash)
            return
        before, caller = self.config.hash[:12], offer.caller
        self.take_configuration(offer.config, offer.generation)
        self._confirm_what_runs(told_hash)
        self.telemetry.log("reload_taken_over_late", level="warning", verb=offer.verb, configHash=told_hash)
        self.audit.record(
            who=caller.person, uid=caller.uid, role=caller.role, door=caller.door, verb=offer.verb,
            why=offer.why, before=before, after=told_hash[:12], mode=self.mode, outcome="ok",
        )  # fmt: skip

    def _confirm_what_runs(self, told_hash: str) -> None:
        """Name it on disk as the current one: after a start that took long, or once a full disk has room."""
        kept, engine = self.current.generation, self.engine
        runs = engine is not None and engine.alive and engine.was_settled
        if runs and kept is not None and told_hash in ("", kept.hash) and self.current.due():
            self._beside(self._confirm())

    async def _confirm(self) -> None:
        await self.confirm_configuration()

    def wake(self) -> None:
        self._beside(self._notify())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    # -- reading ----------------------------------------------------------------------------------

    def state(self) -> str:
        """Return the state to show: the engine's own, or STOPPED when there is no engine."""
        return shown_state(self.engine, self.latch.armed(), self.latch.paused())

    def status(self) -> Status:
        """Return what is known now, without asking anybody."""
        return status_of(self._facts())

    def health(self) -> Health:
        """Return liveness and, apart from it, trading readiness."""
        return health_of(self._facts(), self.audit.queued, self.telemetry.lost)

    def running_config(self) -> RunningConfig:
        """Return the configuration that runs, value by value, without its secrets."""
        return running_config(self.config, self.current.generation)

    async def pool_status(self) -> PoolStatus:
        """Return every configured pool; the engine is asked at most once a second."""
        return await self.pools.read(self.config, self.engine)

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
        latch = (self.latch.armed(), self.latch.paused(), self.latch.mark())
        seen = (*latch, self.stopping.is_set(), self.audit.queued)
        logged = (len(self.telemetry.recent), self.telemetry.lost)
        return told, seen, logged, self.mode, self.config.hash

    def uptime_s(self) -> float:
        return time.monotonic() - self._started_s

    def _facts(self) -> Facts:
        return Facts(
            config=self.config,
            generation=self.current.generation,
            mode=self.mode,
            engine=self.engine,
            armed=self.latch.armed(),
            paused=self.latch.paused(),
            latch_mark=self.latch.mark(),
            ending=self.stopping.is_set(),
            http=self._http,
            started_wall_s=self._started_wall_s,
            uptime_s=self.uptime_s(),
            history=self.history.sparks(),
            recent=list(self.telemetry.recent),
        )

    def running_engine(self, verb: str) -> EngineChild:
        if self.engine is None or not self.engine.alive:
            raise DaemonNotRunning(
                f"cannot {verb}: the engine is not running",
                hint=f"start it with: jitctl start --mode {self.mode}",
            )
        return self.engine
