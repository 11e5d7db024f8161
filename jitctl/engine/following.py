"""What became of submitted attempts: followed block by block, through reorgs, until they are settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import TypeVar

from jitctl.domain.attempt_state import OPEN_STATES, AttemptEvent, AttemptState
from jitctl.domain.bundle import MinedBundle, MinedLeg
from jitctl.domain.chain import Block, Head, MinedTx
from jitctl.domain.records import AttemptChange, AttemptResult, IntendedClose, Outcome
from jitctl.domain.values import Address, Hash32
from jitctl.engine.accounting import classify, leaves_position, pool_prices, result_of
from jitctl.engine.attempts import Attempt
from jitctl.engine.metrics import Metrics
from jitctl.engine.settings import Ports

T = TypeVar("T")

BLOCKS_KEPT = 16
"""Blocks whose logs are kept for prices around an attempt; an outcome is read within a block or two."""

OWN_KEPT = 8_192
"""Transactions of ours that are recognised when they are mined."""

_DECIDED = {AttemptState.INCLUDED, AttemptState.REVERTED, AttemptState.MISSED}
_OUTCOMES = {
    AttemptState.INCLUDED: Outcome.LANDED,
    AttemptState.REVERTED: Outcome.REVERTED,
    AttemptState.MISSED: Outcome.MISSED,
}


class Follower:
    """The live attempts and the transactions that are ours. Reads nothing itself: it says what to read."""

    def __init__(self, ports: Ports, metrics: Metrics) -> None:
        self.live: dict[str, Attempt] = {}
        self.settled_block = 0
        self._clock = ports.clock
        self._ledger = ports.ledger
        self._observer = ports.observer
        self._metrics = metrics
        self._own: dict[Hash32, str] = {}
        self._closes: dict[Hash32, IntendedClose] = {}
        self._mined: dict[Hash32, Hash32] = {}
        self._blocks: deque[Block] = deque(maxlen=BLOCKS_KEPT)

    def add(self, attempt: Attempt) -> None:
        """Follow a new attempt."""
        self.live[attempt.attempt_id] = attempt

    def forget(self, attempt_id: str) -> None:
        """Stop following an attempt that was abandoned."""
        self.live.pop(attempt_id, None)

    def track(self, attempt: Attempt) -> bool:
        """Know the hashes of a bundle that is about to be sent; False, and nothing kept, if one is another's.

        What is mined must belong to exactly one attempt, or a neighbour's mint would be booked as our own.
        """
        hashes = [tx_hash for tx_hash in (attempt.mint_tx, attempt.burn_tx) if tx_hash is not None]
        if any(self._own.get(tx_hash, attempt.attempt_id) != attempt.attempt_id for tx_hash in hashes):
            return False
        for tx_hash in hashes:
            _keep(self._own, tx_hash, attempt.attempt_id)
        return True

    def track_close(self, close: IntendedClose) -> None:
        """Know a close that is about to be sent, or that an earlier run may have sent."""
        _keep(self._closes, close.tx_hash, close)

    def close(self, tx_hash: Hash32) -> IntendedClose | None:
        """Return the close of ours that a transaction is."""
        return self._closes.get(tx_hash)

    def closes_for(self, attempt_id: str) -> list[Hash32]:
        """Return the closes of what an attempt left open, oldest first."""
        return [close.tx_hash for close in self._closes.values() if close.attempt_id == attempt_id]

    def recognise(self, tx: MinedTx) -> bool:
        """Whether an operator's transaction is ours, by this run or an earlier one. Raises `LedgerError`."""
        return self._known(tx.hash) or tx.hash in self._ledger.sent_with(tx.sender, tx.nonce)

    def leg_found(self, tx_hash: Hash32, block_hash: Hash32) -> None:
        """Know the block of a live attempt's leg, whatever was answered about it before."""
        if self.is_a_leg(tx_hash):
            self._mined[tx_hash] = block_hash

    def close_found(self, tx_hash: Hash32, block_hash: Hash32) -> None:
        """Know the canonical block of a close that was mined while nobody followed."""
        self._mined[tx_hash] = block_hash

    def close_lost(self, tx_hash: Hash32) -> None:
        """Know that no canonical block holds a close."""
        self._mined.pop(tx_hash, None)

    def is_a_leg(self, tx_hash: Hash32) -> bool:
        """Whether a live attempt accounts for a transaction as its mint or burn."""
        return self._own.get(tx_hash) in self.live

    def undecided_mint(self, pool: Address) -> bool:
        """Whether a mint in the pool has been mined whose attempt has not been read yet."""
        return any(
            attempt.pool == pool and attempt.state not in _DECIDED and attempt.mint_tx in self._mined
            for attempt in self.live.values()
        )

    def mined_in(self, tx_hash: Hash32) -> Hash32 | None:
        """Return the canonical block that mined a transaction of ours, None if none did."""
        return self._mined.get(tx_hash)

    def block_added(self, block: Block) -> None:
        """Take note of what of ours a block mined."""
        self._blocks.append(block)
        for tx in block.txs:
            if self._known(tx.hash):
                self._mined[tx.hash] = block.head.hash

    def block_removed(self, head: Head) -> None:
        """Undo a block. Raises `LedgerError`."""
        kept = [block for block in self._blocks if block.head.hash != head.hash]
        self._blocks = deque(kept, maxlen=BLOCKS_KEPT)
        for tx_hash in [tx_hash for tx_hash, block in self._mined.items() if block == head.hash]:
            del self._mined[tx_hash]
        for attempt in self.live.values():
            if self._rests_on(attempt, head):
                self._undo(attempt)

    def due(self, head_number: int) -> list[Attempt]:
        """Return the attempts whose outcome must be read; those of which nothing was mined become MISSED.

        An attempt of which a leg is mined after all (leaked, in a later block) is due again.
        """
        to_read = []
        for attempt in self.live.values():
            mined = self._legs_mined(attempt)
            if attempt.state in _DECIDED and mined != attempt.legs:
                self._undo(attempt)
            if attempt.state is not AttemptState.SUBMITTED or attempt.reading:
                continue
            if mined:
                to_read.append(attempt)
            elif attempt.target_block <= head_number:
                self._decide(attempt, AttemptEvent.SEEN_ABSENT, self._why_missed(attempt))
        return to_read

    def adopt(self, attempt: Attempt, mined: MinedBundle, head_number: int) -> bool:
        """Take over what was read for blocks that were not followed; returns whether a position is open."""
        self.note_legs(attempt, mined)
        legs = [leg for leg in (mined.mint, mined.burn) if leg is not None]
        if attempt.state in _DECIDED:
            if _still_true(attempt, legs):
                attempt.legs = self._legs_mined(attempt)
                return attempt.reason == "lone_mint" and leaves_position(mined)
            self._undo(attempt)
        if not legs and attempt.target_block > head_number:
            if attempt.state is AttemptState.SUBMITTING:
                attempt.state = self._ledger.move_attempt(
                    attempt.attempt_id, AttemptEvent.SENT, AttemptChange(self._clock.wall_s())
                )
            return False
        return self.decide(attempt, mined)

    def note_legs(self, attempt: Attempt, mined: MinedBundle) -> None:
        """Know which legs of an attempt blocks that were not followed have mined."""
        for tx_hash, leg in ((attempt.mint_tx, mined.mint), (attempt.burn_tx, mined.burn)):
            if leg is not None:
                self._mined[leg.tx_hash] = leg.block_hash
            elif tx_hash is not None:
                self._mined.pop(tx_hash, None)

    def decide(self, attempt: Attempt, mined: MinedBundle) -> bool:
        """Take over what the chain holds; returns whether it leaves a position open.

        An answer from a fork that has gone, or of a node that lags behind the block we saw, changes nothing.
        """
        if attempt.state not in (AttemptState.SUBMITTING, AttemptState.SUBMITTED):
            return False
        for tx_hash, leg in ((attempt.mint_tx, mined.mint), (attempt.burn_tx, mined.burn)):
            # Both ways: a leg that we saw mined and the answer lacks would make a lone mint of a whole JIT.
            seen_in = self._mined.get(tx_hash) if tx_hash is not None else None
            if seen_in != (leg.block_hash if leg is not None else None):
                return False
        event, reason = classify(mined)
        if event is AttemptEvent.SEEN_ABSENT:
            self._decide(attempt, event, reason)
            return False
        self._decide(attempt, event, reason, self.result(attempt, mined))
        self._compare(attempt, mined)
        return leaves_position(mined)

    def result(self, attempt: Attempt, mined: MinedBundle) -> AttemptResult:
        """Return an attempt's figures by its legs alone, without the close that may have followed."""
        first = next(leg for leg in (mined.mint, mined.burn) if leg is not None)
        block = self._block(first.block_hash)
        prices = pool_prices(block, attempt.pool, mined, attempt.record.parent_sqrt_price_x96)
        return result_of(mined, attempt.record, prices, (first.block_number, first.block_hash))

    def settle(
        self, head_number: int, finalized: int | None, depth: int, still_open: Collection[Address] = ()
    ) -> None:
        """Settle what no reorg is allowed to change any more, but for what left a position `still_open`."""
        upto = max(head_number - depth, finalized or 0)
        self.settled_block = max(self.settled_block, min(upto, head_number))
        for attempt in list(self.live.values()):
            if attempt.reason == "lone_mint" and attempt.pool in still_open:
                continue
            if self._legs_mined(attempt) != attempt.legs:
                continue  # it is due again
            if attempt.state in _DECIDED and self._block_number(attempt) <= self.settled_block:
                self._ledger.move_attempt(
                    attempt.attempt_id, AttemptEvent.FINALIZE, AttemptChange(self._clock.wall_s())
                )
                self._drop(attempt)

    def outstanding(self) -> list[Attempt]:
        """Return the attempts of which a bundle may still land."""
        states = {AttemptState.SUBMITTING, AttemptState.SUBMITTED}
        return [attempt for attempt in self.live.values() if attempt.state in states]

    def open_in(self, target_block: int) -> list[Attempt]:
        """Return the attempts on their way to a block, but for those that were given up."""
        return [
            attempt
            for attempt in self.live.values()
            if attempt.target_block == target_block and attempt.state in OPEN_STATES and not attempt.dropped
        ]

    def of_victim(self, victim_hash: Hash32) -> list[Attempt]:
        return [attempt for attempt in self.live.values() if attempt.victim_hash == victim_hash]

    def _known(self, tx_hash: Hash32) -> bool:
        return tx_hash in self._own or tx_hash in self._closes

    def _decide(
        self, attempt: Attempt, event: AttemptEvent, reason: str, result: AttemptResult | None = None
    ) -> None:
        """Write first: what the ledger refuses has not happened."""
        change = AttemptChange(
            self._clock.wall_s(), outcome=_OUTCOMES[_after(event)], reason=reason, result=result
        )
        attempt.state = self._ledger.move_attempt(attempt.attempt_id, event, change, durable=True)
        attempt.legs, attempt.result = self._legs_mined(attempt), result
        attempt.outcome, attempt.reason = change.outcome, reason
        assert attempt.outcome is not None
        self._metrics.outcomes.add(attempt.outcome)
        told: dict[str, object] = {
            "attempt": attempt.attempt_id, "outcome": attempt.outcome.value, "reason": reason,
        }  # fmt: skip
        if attempt.result is not None:
            told |= {"block": attempt.result.block_number, "net_wei": attempt.result.net_mark_wei}
        self._observer.event("attempt_outcome", told)

    def _undo(self, attempt: Attempt) -> None:
        attempt.state = self._ledger.move_attempt(
            attempt.attempt_id, AttemptEvent.REORGED_OUT, AttemptChange(self._clock.wall_s(), reason="")
        )
        self._metrics.happenings.add("reorged_attempts")
        attempt.result, attempt.reason, attempt.outcome, attempt.reading = None, "", None, False
        attempt.legs = frozenset()
        self._observer.event("attempt_reorged", {"attempt": attempt.attempt_id})

    def _rests_on(self, attempt: Attempt, head: Head) -> bool:
        if attempt.state is AttemptState.MISSED:
            return attempt.target_block == head.number
        if attempt.result is not None and attempt.result.block_hash == head.hash:
            return True
        return any(block_hash == head.hash for _, block_hash in attempt.legs)

    def _legs_mined(self, attempt: Attempt) -> frozenset[tuple[Hash32, Hash32]]:
        return frozenset(
            (tx_hash, self._mined[tx_hash])
            for tx_hash in (attempt.mint_tx, attempt.burn_tx)
            if tx_hash is not None and tx_hash in self._mined
        )

    def _block(self, block_hash: Hash32) -> Block | None:
        return next((block for block in self._blocks if block.head.hash == block_hash), None)

    def _block_number(self, attempt: Attempt) -> int:
        return attempt.result.block_number if attempt.result is not None else attempt.target_block

    def _why_missed(self, attempt: Attempt) -> str:
        for block in self._blocks:
            if any(tx.hash == attempt.victim_hash for tx in block.txs):
                return "victim_landed_without_us"
        return "victim_not_landed"

    def _compare(self, attempt: Attempt, mined: MinedBundle) -> None:
        """Count where the chain did not do what our simulation said."""
        simulated = attempt.simulated
        if attempt.simulation is None or mined.mint is None or mined.burn is None:
            return
        self._metrics.happenings.add("simulations_compared")
        gas = {"mint_gas": mined.mint.gas_used, "burn_gas": mined.burn.gas_used}
        if mined.victim is not None:
            gas["victim_gas"] = mined.victim.gas_used
        if any(simulated.get(name, used) != used for name, used in gas.items()):
            self._metrics.happenings.add("simulation_gas_differs")
        names = ("minted0", "minted1", "collected0", "collected1", "fees0", "fees1", "tip_wei")
        if any(simulated.get(name, 0) != getattr(mined.amounts, name) for name in names):
            self._metrics.happenings.add("simulation_amounts_differ")

    def _drop(self, attempt: Attempt) -> None:
        # Its hashes stay known: a relay that kept the bundle could still spend the same nonce with it.
        del self.live[attempt.attempt_id]
        for tx_hash in (attempt.mint_tx, attempt.burn_tx):
            if tx_hash is not None:
                self._mined.pop(tx_hash, None)


def _keep(known: dict[Hash32, T], tx_hash: Hash32, value: T) -> None:
    known[tx_hash] = value
    if len(known) > OWN_KEPT:
        del known[next(iter(known))]


def _still_true(attempt: Attempt, legs: Sequence[MinedLeg]) -> bool:
    """Whether a decided attempt rests on just these legs; what a close cost is not among them."""
    result = attempt.result
    if result is None or not legs:
        return result is None and not legs
    same_gas = result.close_tx is not None or result.gas_wei == sum(leg.gas_cost_wei for leg in legs)
    return result.block_hash == legs[0].block_hash and same_gas


def _after(event: AttemptEvent) -> AttemptState:
    return {
        AttemptEvent.SEEN_LANDED: AttemptState.INCLUDED,
        AttemptEvent.SEEN_REVERTED: AttemptState.REVERTED,
        AttemptEvent.SEEN_ABSENT: AttemptState.MISSED,
    }[event]
