"""Getting in step with the chain: at the start, after a gap, after a failure; only then is anything armed."""

from __future__ import annotations

from jitctl.domain.engine_state import EngineEvent, EngineState
from jitctl.domain.records import EngineRecord, KnownNonce
from jitctl.domain.values import Address
from jitctl.engine.closing import Closing, left_a_position
from jitctl.engine.events import SyncAgain, Synced
from jitctl.engine.halting import Halting
from jitctl.engine.parts import Parts
from jitctl.engine.pending_desk import PendingDesk
from jitctl.engine.reads import Reads
from jitctl.engine.reconcile import Reconciler, nonce_ranges, unread

SYNC_RETRY_S = 1.0


class SyncDesk:
    """`last` is the engine's state as the previous run left it; `loaded` whether the pools were read."""

    def __init__(
        self,
        parts: Parts,
        pending: PendingDesk,
        halting: Halting,
        reads: Reads,
        closing: Closing,
        last: EngineRecord | None,
    ) -> None:
        self.loaded = False
        self._parts = parts
        self._pending = pending
        self._halting = halting
        self._closing = closing
        self._reads = reads
        self._reconciler = Reconciler(parts, reads)
        self._last = last
        self._known_nonces: dict[Address, KnownNonce] | None = None
        self._missed_blocks = True

    def begin(self) -> None:
        """Read everything at the head, unless that is under way."""
        parts = self._parts
        head = parts.picture.head
        if head is None or parts.picture.synced or parts.background.running("sync:later"):
            return
        attempts = unread(list(parts.follower.live.values()))
        if self._known_nonces is None:
            self._known_nonces = dict(parts.ports.ledger.lanes())
        known, load = self._known_nonces, not self.loaded
        parts.background.start("sync", lambda: self._reconciler.run(head, attempts, known, load=load))

    def lose(self, why: str, *, missed_blocks: bool = False) -> None:
        """Stop deciding until all has been read again, attempts' outcomes too if blocks were missed."""
        parts = self._parts
        self._missed_blocks |= missed_blocks
        if parts.picture.synced:
            parts.metrics.happenings.add("sync_lost")
            # What moved in the blocks we saw is explained; the rest must be found out.
            self._known_nonces = {
                lane.operator: KnownNonce(lane.next_nonce, parts.picture.top_number)
                for lane in parts.lanes.all()
            }
        parts.picture.synced = False
        if parts.standing.state is EngineState.RUNNING:
            parts.standing.move(EngineEvent.SYNC_LOST, "engine", why)

    def on_synced(self, synced: Synced) -> None:
        """Take over what was read; arm only if our own transactions explain it. Raises `LedgerError`."""
        parts = self._parts
        head = parts.picture.head
        assert head is not None
        if synced.failure:
            self._later(synced.failure)
            return
        if synced.head.hash != head.hash or not (self.loaded or synced.loaded):
            # A block came in between and was not followed with these nonces, or the pools failed meanwhile.
            self.begin()
            return
        attempts = list(parts.follower.live.values())
        outcomes = dict(synced.outcomes)
        assert self._known_nonces is not None
        ranges = nonce_ranges(synced.nonces, self._known_nonces, attempts, outcomes, synced.explained)
        lagging = [str(each) for each in ranges if each.lags(head.number)]
        if lagging:
            self._later(f"the node lags behind our own transactions: {'; '.join(lagging)}")
            return
        # Of blocks that were followed all is known; a node that lacks a receipt could only take it away.
        for attempt in attempts if self._missed_blocks else ():
            mined = outcomes.get(attempt.attempt_id)
            in_hand = parts.background.running(f"attempt:{attempt.attempt_id}")
            if mined is None:
                continue
            if in_hand:
                # It is still being sent; what a block has of it is read once it has been.
                parts.follower.note_legs(attempt, mined)
                continue
            left_open = parts.follower.adopt(attempt, mined, head.number)
            # A close that we did not see may have followed: the chain's own word counts, where it was asked.
            may_be_open = attempt.pool in synced.open_pools or attempt.pool not in parts.picture.known
            close_tx, close = synced.closes.get(attempt.attempt_id, (None, None))
            if close_tx is not None and (close is not None or may_be_open):
                self._closing.adopt(attempt, close_tx, close, mined)
            if left_open and may_be_open and left_a_position(attempt):
                self._closing.left_open(attempt.pool)
        parts.lanes.set_nonces(synced.nonces)
        for operator, nonce in synced.nonces.items():
            parts.ports.ledger.save_lane(operator, nonce, head.number)
        parts.picture.balances = synced.available
        self._closing.positions(synced.open_pools)
        parts.picture.synced, self._missed_blocks = True, False
        if not self.loaded:
            self.loaded = True
            parts.picture.pools_at(head.hash)
        moved = [str(each) for each in ranges if each.moved_without_us]
        if moved:
            self._halting.halt("engine", f"a nonce moved without us: {'; '.join(moved)}")
        else:
            self._stand(synced)
        self._reads.after_head(head)
        if parts.picture.current:
            self._pending.replan()

    async def _wait(self) -> SyncAgain:
        await self._parts.ports.clock.sleep(SYNC_RETRY_S)
        return SyncAgain()

    def _later(self, why: str) -> None:
        self._parts.ports.observer.event("sync_failed", {"detail": why})
        self._parts.background.start("sync:later", self._wait)

    def _stand(self, synced: Synced) -> None:
        """Leave SYNCING: halted or paused if a file or a crash says so, running otherwise."""
        parts, last = self._parts, self._last
        self._last = None
        if parts.standing.state is not EngineState.SYNCING:
            return
        halt, pause = parts.latch.halt_record(), parts.latch.pause_record()
        if halt is not None:
            why = halt.why or "the data folder is not armed"
            parts.standing.move(EngineEvent.HALT, halt.who or "latch", why)
        elif last is not None and last.state is EngineState.HALTED:
            # The latch says armed, but this halt could not be written to it, or was not cleared to the end.
            self._halting.halt(last.who, last.why)
        elif pause is not None:
            why = pause.why or "the pause flag is up"
            parts.standing.move(EngineEvent.SYNCED_PAUSED, pause.who or "latch", why)
        elif synced.reserved_elsewhere_wei:
            self._begin_paused(
                "the executor holds a position in a pool that is not configured:"
                f" {synced.reserved_elsewhere_wei} wei of its budget are reserved for it"
            )
        elif last is not None and self._must_not_resume(last, len(synced.open_pools)):
            self._begin_paused(f"the last run ended without stopping, in {last.state}")
        else:
            parts.standing.move(EngineEvent.SYNCED, "engine", "in step with the chain")

    def _begin_paused(self, why: str) -> None:
        parts = self._parts
        parts.latch.pause("engine", why, parts.ports.clock.wall_s())
        parts.standing.move(EngineEvent.SYNCED_PAUSED, "engine", why)

    def _must_not_resume(self, last: EngineRecord, open_positions: int) -> bool:
        if last.state is EngineState.STOPPED:
            return False
        flat = open_positions == 0
        return last.state is EngineState.PAUSED or not (self._parts.settings.resume_after_crash and flat)
