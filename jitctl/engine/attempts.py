"""One attempt, from plan to its bundle on the way: simulate, look again under the barrier, sign, submit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from jitctl.domain.attempt_state import AttemptEvent, AttemptState
from jitctl.domain.bundle import ABANDON_REASONS, BundleDraft, BundleSimulation, RelayReply, SignedBundle
from jitctl.domain.plan import JitPlan
from jitctl.domain.records import AttemptChange, AttemptRecord, AttemptResult, Mode, Outcome
from jitctl.domain.values import Address, Hash32
from jitctl.engine.metrics import Metrics
from jitctl.engine.settings import EngineSettings, Ports
from jitctl.engine.within import within
from jitctl.errors import JitError, LedgerError, NodeError, TimedOut
from jitctl.safety.barrier import HeldBarrier, SubmitBarrier

BARRIER_TRIES = 5
BARRIER_PAUSE_S = 0.002


@dataclass(slots=True)
class Attempt:
    """A live attempt. `dropped` is an abandon reason that someone else found; nothing is sent after it.

    `legs` are the mined transactions that its outcome rests on, each with its block.

    `draft` and `alternatives` go once it is submitted or over: they hold the victim's whole body.
    """

    record: AttemptRecord
    state: AttemptState
    draft: BundleDraft | None
    alternatives: tuple[JitPlan, ...] = ()
    seen_ns: int = 0
    head_ns: int = 0
    dropped: str = ""
    reason: str = ""
    uuid: str | None = None
    mint_tx: Hash32 | None = None
    burn_tx: Hash32 | None = None
    simulation: BundleSimulation | None = None
    simulated: dict[str, int] = field(default_factory=dict)
    latencies_ms: dict[str, float] = field(default_factory=dict)
    outcome: Outcome | None = None
    result: AttemptResult | None = None
    legs: frozenset[tuple[Hash32, Hash32]] = frozenset()
    reading: bool = False

    @property
    def attempt_id(self) -> str:
        return self.record.attempt_id

    @property
    def pool(self) -> Address:
        return self.record.pool

    @property
    def target_block(self) -> int:
        return self.record.target_block

    @property
    def victim_hash(self) -> Hash32:
        return self.record.plan.victim_hash


def new_attempt_id() -> str:
    return uuid4().hex


LastLook = Callable[[Attempt], str]
"""Returns the abandon reason that holds now, "" if the bundle may be sent."""
ProfitCheck = Callable[[Attempt, BundleSimulation], bool]
"""Whether what the simulation found is still worth it."""


class AttemptRunner:
    """Runs attempts as tasks of their own; several may run at once, each holds the barrier for itself."""

    def __init__(
        self,
        ports: Ports,
        settings: EngineSettings,
        metrics: Metrics,
        barrier: SubmitBarrier,
        last_look: LastLook,
        worth_it: ProfitCheck,
        track: Callable[[Attempt], bool],
    ) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._settings = settings
        self._metrics = metrics
        self._barrier = barrier
        self._last_look = last_look
        self._worth_it = worth_it
        self._track = track

    async def run(self, attempt: Attempt) -> None:
        """Bring a PLANNED attempt to ABANDONED or SUBMITTED.

        Raises `LedgerError`, after abandoning, when SUBMITTING could not be made durable: nothing was sent,
        and nothing should be tried until the ledger can be written.
        """
        try:
            reason, detail = await self._simulate(attempt)
            if not reason and attempt.record.mode is Mode.TEST:
                reason = "mode_test"
            if not reason:
                reason, detail = await self._submit(attempt)
            if reason:
                self.abandon(attempt, reason, detail)
        except asyncio.CancelledError:
            if attempt.state in (AttemptState.PLANNED, AttemptState.SIMULATED):
                self.abandon(attempt, "stopping", "")
            raise
        except LedgerError as error:
            self._metrics.happenings.add("ledger_errors")
            self.abandon(attempt, "ledger", error.message)
            raise
        except Exception as error:
            # A defect, of ours or of an adapter; the engine pauses. What was sent is followed all the same.
            if attempt.state in (AttemptState.PLANNED, AttemptState.SIMULATED):
                self.abandon(attempt, "internal", f"{type(error).__name__}: {error}")
            else:
                self._record_sent(attempt, ())
            raise

    async def _simulate(self, attempt: Attempt) -> tuple[str, str]:
        draft = attempt.draft
        assert draft is not None
        began_ns = self._clock.monotonic_ns()
        try:
            simulation = await within(
                self._clock,
                self._settings.simulate_timeout_s,
                "the simulation",
                self._ports.simulator.simulate(draft),
            )
        except TimedOut as error:
            return "simulation_timeout", error.message
        except JitError as error:
            self._metrics.happenings.add("node_errors")
            return "simulation_failed", error.message
        finally:
            self._time(attempt, "simulate", began_ns)
        if simulation.reread_ms:
            self._keep_time(attempt, "parent_reread", simulation.reread_ms)
        if attempt.dropped:
            return attempt.dropped, ""
        if not simulation.ok:
            reason = simulation.reason if simulation.reason in ABANDON_REASONS else "simulation_failed"
            return reason, simulation.detail
        attempt.simulation = simulation
        attempt.simulated = _simulated(simulation)
        if not self._worth_it(attempt, simulation):
            return "unprofitable", "the simulation's own figures are below the floor"
        self._move(attempt, AttemptEvent.SIMULATE_OK, simulated=attempt.simulated)
        self._time_since_begin(attempt, "simulated", self._clock.monotonic_ns())
        return "", ""

    async def _submit(self, attempt: Attempt) -> tuple[str, str]:
        began_ns = self._clock.monotonic_ns()
        held = await self._take_barrier()
        self._time(attempt, "barrier_wait", began_ns)
        if held is None:
            return "barrier_timeout", "the submit barrier is taken"
        with held:
            reason = self._last_look(attempt)
            if reason:
                return reason, ""
            try:
                signed = self._sign(attempt)
            except NodeError as error:
                return "raw_mismatch", error.message
            except JitError as error:
                return "sign_failed", error.message
            if not self._track(attempt):
                return "superseded", "another attempt has the very same transaction"
            began_ns = self._clock.monotonic_ns()
            self._move(
                attempt,
                AttemptEvent.INTEND,
                durable=True,
                uuid=signed.uuid,
                mint_tx=signed.tx_hashes[0],
                burn_tx=signed.tx_hashes[2],
            )
            self._time(attempt, "commit", began_ns)
            replies = await self._send(attempt, signed)
        self._record_sent(attempt, replies)
        return "", ""

    async def _take_barrier(self) -> HeldBarrier | None:
        """Return None if someone is stopping us, or if the lock file cannot be used."""
        for turn in range(BARRIER_TRIES):
            try:
                held = self._barrier.try_shared()
            except JitError:
                return None
            if held is not None or turn + 1 == BARRIER_TRIES:
                return held
            await self._clock.sleep(BARRIER_PAUSE_S)
        return None

    def _sign(self, attempt: Attempt) -> SignedBundle:
        assert attempt.draft is not None
        began_ns = self._clock.monotonic_ns()
        signed = self._ports.signer.sign(attempt.draft)
        self._time(attempt, "sign", began_ns)
        attempt.uuid = signed.uuid
        attempt.mint_tx, attempt.burn_tx = signed.tx_hashes[0], signed.tx_hashes[2]
        return signed

    async def _send(self, attempt: Attempt, signed: SignedBundle) -> tuple[RelayReply, ...]:
        """Submit to all relays; whatever they answer, bytes may have left, so errors are only counted."""
        began_ns = self._clock.monotonic_ns()
        self._metrics.happenings.add("submissions")
        self._time_since_begin(attempt, "sent", began_ns)
        replies: tuple[RelayReply, ...] = ()
        try:
            replies = await within(
                self._clock,
                self._settings.submit_timeout_s,
                "the submission",
                self._ports.relays.submit(signed),
            )
        except JitError:
            self._metrics.happenings.add("relay_errors")
        except asyncio.CancelledError:
            # The engine takes the barrier by force: what left, left. The chain will tell.
            self._record_sent(attempt, ())
            raise
        self._time(attempt, "submit", began_ns)
        return replies

    def _record_sent(self, attempt: Attempt, replies: tuple[RelayReply, ...]) -> None:
        if attempt.state is not AttemptState.SUBMITTING:
            return
        now_s = self._clock.wall_s()
        for reply in replies:
            self._metrics.relay_replies.add(reply.outcome)
        try:
            self._ports.ledger.add_relay_replies(attempt.attempt_id, "submit", replies, now_s)
            self._move(attempt, AttemptEvent.SENT, latencies_ms=attempt.latencies_ms)
        except LedgerError:
            # The durable SUBMITTING row is enough: it is followed, and reconciled at the next start.
            self._metrics.happenings.add("ledger_errors")
            attempt.state = AttemptState.SUBMITTED
        attempt.draft, attempt.alternatives = None, ()
        self._ports.observer.event(
            "execution_time", {"attempt": attempt.attempt_id, "stages_ms": dict(attempt.latencies_ms)}
        )
        self._ports.observer.event(
            "bundle_submitted",
            {
                "attempt": attempt.attempt_id,
                "uuid": attempt.uuid,
                "target_block": attempt.target_block,
                "replies": {reply.relay: reply.outcome for reply in replies},
            },
        )

    def abandon(self, attempt: Attempt, reason: str, detail: str) -> None:
        """End an attempt of which nothing was sent; `reason` is one of `ABANDON_REASONS`."""
        attempt.reason, attempt.outcome = reason, Outcome.ABANDONED
        self._metrics.abandons.add(reason)
        self._metrics.outcomes.add(Outcome.ABANDONED)
        try:
            self._move(
                attempt,
                AttemptEvent.ABANDON,
                outcome=Outcome.ABANDONED,
                reason=reason,
                detail=detail[:500],
                latencies_ms=attempt.latencies_ms,
            )
        except LedgerError:
            self._metrics.happenings.add("ledger_errors")
            attempt.state = AttemptState.ABANDONED
        attempt.draft = None
        told = {"attempt": attempt.attempt_id, "reason": reason, "detail": detail[:500]}
        self._ports.observer.event("attempt_abandoned", told)

    def _move(
        self, attempt: Attempt, event: AttemptEvent, *, durable: bool = False, **change: object
    ) -> None:
        filled = AttemptChange(self._clock.wall_s(), **change)  # type: ignore[arg-type]  # names are checked by the dataclass
        attempt.state = self._ports.ledger.move_attempt(attempt.attempt_id, event, filled, durable=durable)

    def _time(self, attempt: Attempt, stage: str, began_ns: int) -> None:
        self._keep_time(attempt, stage, (self._clock.monotonic_ns() - began_ns) / 1e6)

    def _time_since_begin(self, attempt: Attempt, what: str, now_ns: int) -> None:
        """Keep how long it took from what began the attempt: its victim, or a new head."""
        if attempt.seen_ns:
            self._keep_time(attempt, f"seen_to_{what}", (now_ns - attempt.seen_ns) / 1e6)
        if attempt.head_ns:
            self._keep_time(attempt, f"head_to_{what}", (now_ns - attempt.head_ns) / 1e6)

    def _keep_time(self, attempt: Attempt, stage: str, elapsed_ms: float) -> None:
        self._metrics.time(stage, elapsed_ms)
        attempt.latencies_ms[stage] = round(elapsed_ms, 3)


def _simulated(simulation: BundleSimulation) -> dict[str, int]:
    """Return what the mined bundle will be compared with."""
    found: dict[str, int] = {}
    for name, leg in (("mint", simulation.mint), ("victim", simulation.victim), ("burn", simulation.burn)):
        if leg is not None:
            found[f"{name}_gas"] = leg.gas_used
    amounts = simulation.amounts
    if amounts is not None:
        for name in ("minted0", "minted1", "collected0", "collected1", "fees0", "fees1", "tip_wei"):
            found[name] = getattr(amounts, name)
    return found
