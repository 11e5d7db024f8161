"""The engine: wires its parts together, runs them, and answers the operator."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from jitctl.domain.chain import ChainMoved, PendingGone, PendingTx
from jitctl.domain.engine_state import EngineEvent, EngineState, IllegalMove
from jitctl.domain.records import Mode
from jitctl.domain.values import PoolSpec
from jitctl.engine.attempt_desk import AttemptDesk
from jitctl.engine.background import Background
from jitctl.engine.book import MinedSlots, SeenHashes, WantedBook
from jitctl.engine.chain_desk import ChainDesk
from jitctl.engine.closing import Closing
from jitctl.engine.commands import Commands
from jitctl.engine.events import (
    Asked,
    AttemptEnded,
    BalancesRead,
    CloseRead,
    CloseSent,
    EtherRead,
    FinalizedRead,
    GapRead,
    GuardsRead,
    HeadFollowed,
    MarksRead,
    MinedRead,
    OpenPositionsRead,
    PoolsFollowed,
    Replan,
    StrayRead,
    SyncAgain,
    Synced,
    TaskFailed,
    Tick,
    Traced,
)
from jitctl.engine.following import Follower
from jitctl.engine.halting import Halting
from jitctl.engine.inbox import Inbox
from jitctl.engine.lanes import Lanes
from jitctl.engine.loop import Loop
from jitctl.engine.metrics import Metrics
from jitctl.engine.parts import Parts
from jitctl.engine.pending_desk import PendingDesk
from jitctl.engine.picture import Picture
from jitctl.engine.ports import Source
from jitctl.engine.reads import Reads
from jitctl.engine.reconcile import revive
from jitctl.engine.reporting import Reporting
from jitctl.engine.settings import EngineSettings, Ports
from jitctl.engine.standing import Standing
from jitctl.engine.strays import Strays
from jitctl.engine.sync_desk import SyncDesk
from jitctl.engine.watch import PositionWatch
from jitctl.errors import JitError, LedgerError, Refused
from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity
from jitctl.strategy.decode import Routers
from jitctl.strategy.limits import StrategyParams

TICK_S = 1.0
SOURCE_RESTART_S = 1.0


class Engine:
    """One trading engine, for one process.

    `ports` are its adapters, `settings` its fixed numbers, `params` and `pools` what a reload can replace,
    `routers` whose calldata is read, `mode` whether anything is submitted. The caller has armed a new data
    folder, holds the signer lock and has opened the ledger; the engine closes it.

    Construct it inside a running event loop, then `await run()`, which returns after a `stop` command;
    `command` may be awaited from any task of that loop at any time.
    """

    def __init__(
        self,
        ports: Ports,
        settings: EngineSettings,
        params: StrategyParams,
        pools: Sequence[PoolSpec],
        routers: Routers,
        mode: Mode,
    ) -> None:
        metrics = Metrics(lambda: ports.clock.monotonic_ns() / 1e9)
        inbox = Inbox(settings.pending_queue, metrics.happenings)
        last = ports.ledger.engine()
        parts = self._parts = Parts(
            ports=ports,
            settings=settings,
            routers=routers,
            metrics=metrics,
            inbox=inbox,
            background=Background(inbox),
            standing=Standing(mode, ports.clock, ports.ledger, metrics, ports.observer),
            picture=Picture.of(params, pools),
            book=WantedBook(settings.wanted_max, settings.wanted_max_age_blocks),
            seen=SeenHashes(settings.seen_max),
            mined_slots=MinedSlots(),
            lanes=Lanes(()),
            follower=Follower(ports, metrics),
            watch=PositionWatch(),
            latch=Latch(settings.data_dir),
            barrier=SubmitBarrier(settings.data_dir),
        )
        if last is not None:
            parts.standing.restore_crisis(last)
        attempts = AttemptDesk(parts)
        self._pending = PendingDesk(parts, attempts)
        self._halting = Halting(parts, attempts)
        reads = Reads(parts)
        strays = Strays(parts, reads)
        closing = Closing(parts, reads, strays, self._halting)
        sync = SyncDesk(parts, self._pending, self._halting, reads, closing, last)
        self._chain = ChainDesk(parts, self._pending, self._halting, reads, sync, closing, strays)
        self._reporting = Reporting(parts)
        self._commands = Commands(parts, self._halting, reads, self._reporting)
        handlers: dict[type, Callable[[Any], Awaitable[None] | None]] = {
            Asked: self._commands.answer,
            ChainMoved: self._chain.on_moved,
            HeadFollowed: self._chain.on_followed,
            PendingGone: self._on_gap,
            PendingTx: self._pending.on_pending,
            Replan: self._pending.on_replan,
            Traced: self._pending.on_traced,
            AttemptEnded: self._on_attempt_ended,
            MinedRead: self._chain.on_mined,
            BalancesRead: self._chain.on_balances,
            OpenPositionsRead: closing.on_positions,
            FinalizedRead: self._chain.on_finalized,
            MarksRead: self._chain.on_marks,
            GuardsRead: self._chain.on_guards,
            Synced: sync.on_synced,
            GapRead: self._chain.gaps.on_read,
            EtherRead: self._chain.ether.on_read,
            SyncAgain: lambda _: sync.begin(),
            PoolsFollowed: self._chain.on_pools,
            CloseSent: closing.on_sent,
            CloseRead: closing.on_read,
            StrayRead: strays.on_read,
            TaskFailed: self._on_task_failed,
            Tick: self._on_tick,
        }
        self._loop = Loop(inbox, handlers, lambda: parts.stopping, self._on_failure)

    @property
    def state(self) -> EngineState:
        return self._parts.standing.state

    @property
    def metrics(self) -> Metrics:
        return self._parts.metrics

    def figures(self) -> dict[str, Any]:
        """Return what status and metrics show: JSON-able, camelCase, from memory."""
        return self._reporting.figures()

    async def command(
        self, verb: str, *, who: str, reason: str = "", args: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Do a verb of `engine.commands` and return its body; raises the `JitError` it answers with."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if self._parts.stopping:
            raise Refused("the engine has stopped", hint="start it: jitctl start --mode ...")
        self._parts.inbox.ask(Asked(verb, who, reason, args or {}, answer))
        return await answer

    async def run(self) -> None:
        """Trade until stopped. Raises `JitError` if it cannot start, or not take over a block."""
        parts, in_order = self._parts, False
        try:
            parts.barrier.register_signer(ProcessIdentity.current())
            revive(parts, parts.ports.ledger.unsettled())
            parts.standing.move(EngineEvent.BOOT, "engine", "start")
            for number, source in enumerate(parts.ports.sources):
                self._start_source(number, source)
            parts.background.start("ticker", self._ticker)
            await self._loop.run()
            in_order = True
        finally:
            # Also when it ends by an error or is cancelled: no command is left without its answer.
            parts.stopping = True
            await parts.background.end()
            for asked in parts.inbox.drain_commands():
                if not asked.answer.done():
                    asked.answer.set_exception(Refused("the engine has stopped"))
            self._write_skips()
            try:
                parts.ports.ledger.close()
            except LedgerError:
                if in_order:
                    raise  # otherwise what ended the engine says more
            self._catch_up_journal()

    def _start_source(self, number: int, source: Source) -> None:
        self._parts.background.start(f"source:{number}", lambda: self._feed(source))

    async def _feed(self, source: Source) -> None:
        """Run a source for ever; one that ends or fails is started again after a pause."""
        parts = self._parts
        while True:
            try:
                await source.run(parts.inbox)
                detail = "ended"
            except JitError as error:
                detail = error.message
            except Exception as error:
                # A defect: trading stops until someone has looked, but the engine must not go blind.
                detail = f"{type(error).__name__}: {error}"
                parts.inbox.note(TaskFailed("a source", detail))
            parts.metrics.happenings.add("source_restarts")
            parts.ports.observer.event("source_restarted", {"detail": detail})
            await parts.ports.clock.sleep(SOURCE_RESTART_S)

    async def _ticker(self) -> None:
        while True:
            await self._parts.ports.clock.sleep(TICK_S)
            self._parts.inbox.note(Tick())

    def _on_gap(self, gap: PendingGone) -> None:
        self._parts.metrics.happenings.add("pending_gone")
        self._parts.ports.observer.event("pending_gone", {"reason": gap.reason})

    def _on_attempt_ended(self, ended: AttemptEnded) -> None:
        self._pending.on_ended(ended)
        self._chain.follow_up()

    def _on_tick(self, _: Tick) -> None:
        """Housekeeping: what others did to the files, what waits for the disk, what has gone silent."""
        parts = self._parts
        self._heed_files()
        self._write_skips()
        parts.standing.save_again()
        self._chain.check_age()
        self._chain.follow_up()
        parts.ports.ledger.flush()
        self._catch_up_journal()

    def _heed_files(self) -> None:
        """Take over a halt or pause that another process wrote to the data folder; write what is ours."""
        parts = self._parts
        if parts.standing.state is EngineState.STARTING:
            return
        halt = parts.latch.halt_record()
        if halt is not None and parts.standing.state not in (EngineState.HALTED, EngineState.SYNCING):
            parts.standing.move(EngineEvent.HALT, halt.who or "latch", halt.why or "the latch is off")
            self._halting.cancel_outstanding("stopping")
        pause = parts.latch.pause_record()
        if pause is not None and parts.standing.running:
            parts.standing.move(EngineEvent.PAUSE, pause.who or "latch", pause.why or "the pause flag is up")
        with contextlib.suppress(JitError):
            self._halting.uphold()

    def _write_skips(self) -> None:
        parts = self._parts
        if parts.skips:
            counts = dict(parts.skips)
            parts.skips.clear()
            try:
                parts.ports.ledger.add_skips(counts)
            except LedgerError:
                parts.metrics.happenings.add("ledger_errors")

    def _catch_up_journal(self) -> None:
        journal = self._parts.ports.journal
        if journal is None:
            return
        try:
            journal.catch_up()
        except LedgerError as error:
            self._parts.metrics.happenings.add("journal_errors")
            self._parts.ports.observer.event("journal_error", {"detail": error.message})

    def _on_task_failed(self, failed: TaskFailed) -> None:
        """A task ended as none should: whatever it was, trading stops until someone has looked."""
        told = {"task": failed.what, "error": failed.error}
        self._parts.ports.observer.event("task_failed", told)
        if failed.ledger:
            self._on_ledger_error(LedgerError(failed.error))
        else:
            self._pause(f"{failed.what} failed: {failed.error}")

    def _on_failure(self, event: object, error: Exception) -> None:
        """A handler failed. A transaction that we cannot decide about is left alone; anything else pauses.

        A move of the chain that was taken over by half ends the engine: what its memory says is of no use
        any more. The next start reads all of it from the chain, as after a crash.
        """
        parts = self._parts
        text = f"{type(error).__name__}: {error}"
        if isinstance(event, ChainMoved):
            parts.ports.observer.event("engine_error", {"input": "ChainMoved", "error": text})
            why = error.message if isinstance(error, JitError) else text
            raise JitError(
                f"block {event.head.number} could not be taken over: {why}",
                hint="see to that, then: jitctl start; it reads everything afresh",
            ) from error
        if isinstance(error, LedgerError):
            self._on_ledger_error(error)
            return
        if isinstance(event, PendingTx | Traced | Replan):
            tx_hash = event.tx_hash if isinstance(event, Replan) else _tx_of(event).hash
            parts.metrics.happenings.add("decisions_failed")
            parts.book.remove(tx_hash)
            parts.ports.observer.event("decision_failed", {"victim": tx_hash, "error": text})
            return
        parts.ports.observer.event("engine_error", {"input": type(event).__name__, "error": text})
        self._pause(f"{type(event).__name__}: {text}")

    def _on_ledger_error(self, error: LedgerError) -> None:
        """Without a ledger nothing may be sent, so nothing should be tried."""
        self._parts.metrics.happenings.add("ledger_errors")
        self._parts.ports.observer.event("ledger_error", {"detail": error.message})
        self._pause(f"ledger: {error.message}")

    def _pause(self, why: str) -> None:
        try:
            self._halting.pause("engine", why)
        except IllegalMove:
            # Starting, stopped or halted: it submits nothing anyway.
            return


def _tx_of(event: PendingTx | Traced) -> PendingTx:
    return event.tx if isinstance(event, Traced) else event
