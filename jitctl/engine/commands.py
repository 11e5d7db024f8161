"""The operator's verbs, one function each; repeating one is safe and says so.

A verb answers with a JSON-able body holding `message` and `changed`, or raises a `JitError` and has changed
nothing. `pause`, `emergency_stop` and `stop` answer only once the submit barrier was held: from then on
nothing is signed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from jitctl.domain.chain import Head
from jitctl.domain.engine_state import CrisisLevel, EngineEvent, EngineState, IllegalMove
from jitctl.domain.plan import Marks
from jitctl.domain.values import Address, PoolSpec
from jitctl.engine.events import Asked, TaskFailed
from jitctl.engine.halting import Halting
from jitctl.engine.parts import Parts
from jitctl.engine.ports import GuardReading
from jitctl.engine.reads import Reads
from jitctl.engine.reporting import Reporting
from jitctl.engine.within import within
from jitctl.errors import (
    CannotDetermine,
    JitError,
    LedgerError,
    PermissionDenied,
    PositionsOpen,
    Refused,
    UsageError,
)

Body = dict[str, Any]
T = TypeVar("T")
CLEAR_READ_TIMEOUT_S = 0.9
"""Nothing else is answered meanwhile, and a pause must be within a second."""


class Commands:
    """Does what `Engine.command` is asked, one command after another."""

    def __init__(self, parts: Parts, halting: Halting, reads: Reads, reporting: Reporting) -> None:
        self._parts = parts
        self._halting = halting
        self._reads = reads
        self._reporting = reporting
        self._verbs: dict[str, Callable[[Asked], Awaitable[Body]]] = {
            "ping": self.ping,
            "status": self.status,
            "pause": self.pause,
            "resume": self.resume,
            "stop": self.stop,
            "emergency-stop": self.emergency_stop,
            "clear-halt": self.clear_halt,
            "crisis-mode": self.crisis_mode,
            "reload": self.reload,
            "pool-status": self.pool_status,
        }

    def verbs(self) -> tuple[str, ...]:
        """Return the names of all verbs."""
        return tuple(self._verbs)

    async def answer(self, asked: Asked) -> None:
        """Do a command and settle its future."""
        try:
            verb = self._verbs.get(asked.verb)
            if verb is None:
                raise UsageError(f"the engine knows no command {asked.verb!r}")
            body = await verb(asked)
        except IllegalMove:
            state = self._parts.standing.state
            self._settle(asked, Refused(f"cannot {asked.verb}: the engine is {state}", hint=_HINTS[state]))
        except JitError as error:
            self._settle(asked, error)
        except Exception as error:
            # A defect: the engine pauses for it, but whoever asked is not left waiting.
            text = f"unexpected {type(error).__name__}: {error}"
            self._settle(asked, JitError(text, hint="this is a defect of jitctl; its log has more"))
            raise
        else:
            self._settle(asked, body)

    async def ping(self, asked: Asked) -> Body:
        """Answer from the command queue: that is what being alive means."""
        return {"message": "pong", "changed": False, "state": self._parts.standing.state.value}

    async def status(self, asked: Asked) -> Body:
        """Return the engine's figures."""
        return {"message": self._parts.standing.state.value, "changed": False, **self._reporting.figures()}

    async def pool_status(self, asked: Asked) -> Body:
        """Return every watched pool's price, tick and liquidity as of the head."""
        picture = self._parts.picture
        number, age_s = None, None
        if picture.head is not None:
            number = picture.head.number
            age_s = (self._parts.ports.clock.monotonic_ns() - picture.head_ns) / 1e9
        return {
            "message": "pools", "changed": False, "headNumber": number, "headAgeS": age_s,
            "pools": self._reporting.pools(),
        }  # fmt: skip

    async def pause(self, asked: Asked) -> Body:
        """Sign nothing more from the answer on; bundles already out may still land and are named."""
        standing = self._parts.standing
        if standing.state is EngineState.HALTED:
            await self._halting.drain()
            return self._body("halted already: nothing is submitted", changed=False)
        changed = self._halting.pause(asked.who, asked.reason)
        await self._halting.drain()
        return self._body("paused" if changed else "already paused", changed=changed)

    async def resume(self, asked: Asked) -> Body:
        """Go on trading; refused while halted, or out of step with the chain."""
        parts = self._parts
        if parts.standing.state is EngineState.RUNNING and not parts.latch.paused():
            return self._body("already running", changed=False)
        self._require_timely(asked)
        if parts.standing.state is EngineState.HALTED or not parts.latch.armed():
            raise Refused(
                "cannot resume: the engine is halted",
                hint="find out why, then: jitctl clear-halt --reason ...",
            )
        if not parts.picture.synced:
            raise Refused(
                "cannot resume: not in step with the chain yet",
                hint="`jitctl status` says what it waits for",
            )
        with self._alone(asked):
            # The flag comes down only if the move is allowed; it is raised again if it cannot be kept.
            was_paused = parts.latch.paused()
            try:
                parts.latch.resume()
                if not parts.standing.running:
                    parts.standing.move(EngineEvent.RESUME, asked.who, asked.reason)
            except BaseException:
                if was_paused:
                    with contextlib.suppress(JitError):  # it says less than what failed before it
                        parts.latch.pause(asked.who, "resume failed", parts.ports.clock.wall_s())
                raise
        return self._body("running", changed=True)

    @contextlib.contextmanager
    def _alone(self, asked: Asked) -> Iterator[None]:
        """Hold the barrier while something is loosened; refused if the bot was stopped since it was asked.

        A command may have waited behind another one, or in a process that hung. Whoever stops the bot from
        outside changes the files' mark with the barrier held, so that either he or we come first.
        """
        parts = self._parts
        held = parts.barrier.try_exclusive()
        if held is None:
            raise Refused(f"cannot {asked.verb}: the submit barrier is held just now", hint="repeat it")
        with held:
            self._halting.uphold()
            if asked.args.get("mark", parts.latch.mark()) != parts.latch.mark():
                raise Refused(
                    f"cannot {asked.verb}: the bot was paused or halted after this was asked",
                    hint="`jitctl status` says by whom; repeat it if it is still right",
                )
            yield

    def _require_timely(self, asked: Asked) -> None:
        """Raise if whoever asked has given up (`args["until_s"]`, monotonic): a pause may have come since."""
        until_s = asked.args.get("until_s")
        if until_s is not None and self._parts.ports.clock.monotonic_ns() > until_s * 1e9:
            raise Refused(f"{asked.verb} came too late: nobody waits for it any more")

    async def stop(self, asked: Asked) -> Body:
        """End the engine in good order; bundles already out are reconciled at the next start."""
        standing = self._parts.standing
        changed = standing.state is not EngineState.STOPPED
        standing.move(EngineEvent.STOP, asked.who, asked.reason)
        await self._halting.drain()
        self._parts.stopping = True
        return self._body("stopped" if changed else "already stopped", changed=changed)

    async def emergency_stop(self, asked: Asked) -> Body:
        """Halt: as `pause`, and nothing but `clear-halt` leads out of it."""
        changed = self._halting.halt(asked.who, asked.reason)
        await self._halting.drain()
        return self._body("halted" if changed else "already halted", changed=changed)

    async def clear_halt(self, asked: Asked) -> Body:
        """Leave HALTED for PAUSED, once no position is open at the head."""
        parts = self._parts
        if parts.standing.state is not EngineState.HALTED:
            if parts.latch.armed():
                return self._body("not halted", changed=False)
            raise Refused(
                "cannot clear the halt yet: the engine has not taken it over",
                hint="repeat once `jitctl status` says HALTED",
            )
        if not asked.reason:
            raise UsageError("clear-halt needs a reason", hint="jitctl clear-halt --reason ...")
        self._require_timely(asked)
        head = parts.picture.head
        if head is None:
            raise CannotDetermine("no block has been seen: whether positions are open is unknown")
        try:
            open_pools, reserved_wei = await within(
                parts.ports.clock, CLEAR_READ_TIMEOUT_S, "reading the open positions", self._left_open(head)
            )
        except JitError as error:
            raise CannotDetermine(
                f"cannot tell whether positions are open: {error.message}", hint="check the node, then repeat"
            ) from error
        if open_pools:
            raise PositionsOpen(
                f"{len(open_pools)} positions are open: {', '.join(open_pools)}",
                hint="close them with the guardian's key, then repeat",
            )
        if reserved_wei:
            raise PositionsOpen(
                f"a position is open in a pool that is not configured: {reserved_wei} wei are held for it",
                hint="close it with the guardian's key, then repeat",
            )
        with self._alone(asked):
            parts.latch.clear(asked.who, asked.reason, parts.ports.clock.wall_s())
            parts.standing.move(EngineEvent.CLEAR_HALT, asked.who, asked.reason)
        return self._body("halt cleared; paused", changed=True)

    async def _left_open(self, head: Head) -> tuple[tuple[Address, ...], int]:
        """Return the watched pools with an open position, and what the executor holds back for any."""
        parts = self._parts
        return await asyncio.gather(
            self._reads.open_pools_at(head, sorted(parts.picture.known)),
            parts.ports.chain.reserved_wei(parts.settings.executor, head.hash),
        )

    async def crisis_mode(self, asked: Asked) -> Body:
        """Set the crisis level (`args["level"]`); a lower one only where `args["may_loosen"]` allows it."""
        try:
            level = CrisisLevel(str(asked.args.get("level", "")))
        except ValueError:
            raise UsageError(
                f"no crisis level {asked.args.get('level')!r}", hint=f"one of: {', '.join(CrisisLevel)}"
            ) from None
        if level.rank < self._parts.standing.crisis.rank and not asked.args.get("may_loosen", True):
            raise PermissionDenied(
                f"lowering the crisis level from {self._parts.standing.crisis} needs the role admin",
                hint="an administrator (the daemon's own user, or root) may do this",
            )
        if level.rank < self._parts.standing.crisis.rank:
            self._require_timely(asked)
        changed = self._parts.standing.set_crisis(level, asked.who, asked.reason)
        return self._body(f"crisis level {level}" if changed else f"already {level}", changed=changed)

    async def reload(self, asked: Asked) -> Body:
        """Take over `args["params"]` (StrategyParams) and `args["pools"]` (PoolSpecs), both or nothing."""
        parts = self._parts
        params, pools = asked.args["params"], tuple(asked.args["pools"])
        same_pools = {spec.address: spec for spec in pools} == parts.picture.specs
        if not same_pools:
            if parts.picture.head is None:
                raise Refused(
                    "not reloaded: no block has been seen, so the pools cannot be looked at",
                    hint="the old configuration goes on; `jitctl status` says what it waits for",
                )
            try:
                balances, marks, guards = await self._unless_stopped(
                    within(
                        parts.ports.clock,
                        parts.settings.read_timeout_s,
                        "loading the pools",
                        self._load(pools, parts.picture.head),
                    )
                )
            except JitError as error:
                hint = f"the old configuration goes on; {error.hint or 'check the node'}"
                raise Refused(f"not reloaded: {error.message}", hint=hint) from error
            # The very next swap may be in a new pool: its tokens' marks and its guards are known by then.
            parts.picture.balances = balances
            parts.picture.take_marks(marks)
            if guards is not None:
                parts.picture.take_guards(guards)
        in_use = {attempt.pool for attempt in parts.follower.live.values()}
        in_use |= {left.pool for left in parts.watch.all()}
        parts.picture.replace(params, pools, in_use)
        told = {"generation": parts.picture.generation, "pools": len(pools), "who": asked.who}
        try:
            parts.ports.ledger.record("reload", told, parts.ports.clock.wall_s())
        except LedgerError as error:
            # It is taken over, and saying otherwise would leave the feeds with the old pools.
            parts.inbox.note(TaskFailed("reload", error.message, ledger=True))
        return self._body(f"generation {parts.picture.generation}", changed=True)

    async def _unless_stopped(self, reading: Coroutine[Any, Any, T]) -> T:
        """Return what is read; raises `Refused` as soon as a pause, a halt or a stop waits for the loop."""
        read = asyncio.create_task(reading)
        stopped = asyncio.create_task(self._parts.inbox.urgent.wait())
        try:
            await asyncio.wait({read, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not read.done():
                raise Refused("the bot was told to stop or pause meanwhile", hint="repeat the reload")
            return read.result()
        finally:
            for task in (read, stopped):
                task.cancel()
            await asyncio.gather(read, stopped, return_exceptions=True)

    async def _load(
        self, pools: Sequence[PoolSpec], head: Head
    ) -> tuple[Mapping[Address, int], Marks, GuardReading | None]:
        ports = self._parts.ports
        addresses = sorted(spec.address for spec in pools)
        balances, marks, guards = await asyncio.gather(
            self._reads.balances_at(head, pools),
            ports.prices.read(head),
            ports.guards.read(addresses, head) if ports.guards is not None else _none(),
        )
        # Last, for it cannot be undone: whoever stops this before then has changed nothing.
        await ports.pool_book.load(pools, head, proven=True)
        return balances, marks, guards

    def _body(self, message: str, *, changed: bool) -> Body:
        parts = self._parts
        outstanding = parts.follower.outstanding()
        stuck = self._halting.stuck
        return {
            "message": message,
            "hint": f"this does not outlive this engine until the disk is seen to: {stuck}" if stuck else "",
            "changed": changed,
            "state": parts.standing.state.value,
            "crisisLevel": parts.standing.crisis.value,
            "who": parts.standing.who,
            "reason": parts.standing.why,
            "sinceS": parts.standing.since_s,
            "outstandingBundles": len(outstanding),
            "lastTargetBlock": max((attempt.target_block for attempt in outstanding), default=None),
            "openPositions": len(parts.watch),
            "generation": parts.picture.generation,
        }

    def _settle(self, asked: Asked, answer: Body | JitError) -> None:
        if asked.answer.done():
            return
        if isinstance(answer, JitError):
            asked.answer.set_exception(answer)
        else:
            asked.answer.set_result(answer)


async def _none() -> None:
    return None


_HINTS = {
    EngineState.STARTING: "it is starting: try again in a moment",
    EngineState.SYNCING: "it is getting in step with the chain: see `jitctl status`",
    EngineState.RUNNING: "it is running",
    EngineState.PAUSED: "it is paused: jitctl resume",
    EngineState.STOPPED: "start it: jitctl start --mode ...",
    EngineState.HALTED: "find out why, then: jitctl clear-halt --reason ...",
}
