"""The head moves: nonces, outcomes, flows, reorgs, the pools, and what is wanted is planned again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from jitctl.domain.chain import Block, ChainMoved, Head
from jitctl.domain.values import Hash32
from jitctl.engine.accounting import SWAP_TOPIC, external_flows
from jitctl.engine.book import Wanted
from jitctl.engine.closing import Closing
from jitctl.engine.ether import Ether
from jitctl.engine.events import (
    BalancesRead,
    FinalizedRead,
    GuardsRead,
    HeadFollowed,
    MarksRead,
    MinedRead,
    PoolsFollowed,
)
from jitctl.engine.gaps import Gaps
from jitctl.engine.halting import Halting
from jitctl.engine.markouts import Markouts
from jitctl.engine.parts import Parts
from jitctl.engine.pending_desk import PendingDesk
from jitctl.engine.reads import Reads
from jitctl.engine.strays import Strays
from jitctl.engine.sync_desk import SyncDesk
from jitctl.engine.within import within
from jitctl.errors import JitError

VICTIMS_KEPT_BLOCKS = 64
"""Blocks whose mined victims are remembered, so that a reorg makes them wanted again."""


class ChainDesk:
    """Follows the chain, one move at a time; everything slow is a task of its own."""

    def __init__(
        self,
        parts: Parts,
        pending: PendingDesk,
        halting: Halting,
        reads: Reads,
        sync: SyncDesk,
        closing: Closing,
        strays: Strays,
    ) -> None:
        self._parts = parts
        self._pending = pending
        self._halting = halting
        self._reads = reads
        self._sync = sync
        self._closing = closing
        self._strays = strays
        self._moves: deque[ChainMoved] = deque()
        self._finalized: int | None = None
        self._mined_victims: dict[Hash32, list[Wanted]] = {}
        self.gaps = Gaps(parts, self._missed)
        self.ether = Ether(parts)
        self._markouts = Markouts(parts)

    def on_moved(self, moved: ChainMoved) -> None:
        """Take over a move of the head. Raises `LedgerError`."""
        parts = self._parts
        parts.metrics.happenings.add("heads", len(moved.added))
        if moved.too_deep or any(head.number <= parts.follower.settled_block for head in moved.removed):
            self._halting.halt("engine", "a reorg reached blocks that were settled")
        for head in moved.removed:
            self._removed(head)
        for block in moved.added:
            self._added(block)
        head = moved.head
        parts.picture.new_head(head, parts.ports.clock.monotonic_ns())
        parts.lanes.free_seen(head.number)
        self.gaps.followed(head.number, resynced=moved.resynced)
        if moved.resynced:
            parts.metrics.happenings.add("resyncs")
            self._sync.lose("blocks were not followed", missed_blocks=True)
        if self._sync.loaded:
            self._moves.append(moved)
            self.follow_pools()
        if parts.picture.synced:
            parts.inbox.note(HeadFollowed())
        else:
            self._sync.begin()
        for wanted in parts.book.expire(head.number):
            parts.seen.forget(wanted.tx.hash)

    def on_followed(self, _: HeadFollowed) -> None:
        """Decide what is due at the head, and read what hangs on it. Raises `LedgerError`."""
        picture = self._parts.picture
        if picture.synced and picture.head is not None:
            self.follow_up()
            self._reads.after_head(picture.head)

    def follow_pools(self) -> None:
        """Let the pool book follow what it has not followed yet."""
        if self._moves:
            self._parts.background.start("pools", self._follow_pools)

    def on_pools(self, followed: PoolsFollowed) -> None:
        """The pool book has caught up, or failed to: then everything is loaded afresh."""
        parts = self._parts
        if followed.failure:
            parts.metrics.happenings.add("node_errors")
            self._moves.clear()
            self._sync.loaded = False
            self._sync.lose(followed.failure)
            self._sync.begin()
            return
        self.follow_pools()
        if parts.background.running("pools"):
            return  # the book is on its way to a newer head
        parts.picture.pools_at(followed.head.hash)
        self._markouts.priced(followed.head)
        if parts.picture.current:
            self._pending.replan()

    def on_mined(self, read: MinedRead) -> None:
        """Take over what the chain holds of a bundle; what does not fit is asked for again later."""
        parts = self._parts
        attempt = parts.follower.live.get(read.attempt_id)
        if attempt is None:
            return
        attempt.reading = False
        if read.mined is not None and parts.follower.decide(attempt, read.mined):
            self._closing.left_open(attempt.pool)
            self._closing.go_on()

    def on_balances(self, read: BalancesRead) -> None:
        """Take over what was read for the pools that are watched now; else read it again."""
        picture = self._parts.picture
        if read.watching == picture.watching:
            picture.balances = read.available
        elif picture.head is not None:
            self._reads.balances(picture.head)

    def on_marks(self, read: MarksRead) -> None:
        """Decide with the marks of the head; those of another block, or for other pools, are of no use."""
        picture = self._parts.picture
        if picture.head is None:
            return
        if read.head_hash != picture.head.hash or read.watching != picture.watching:
            self._reads.marks(picture.head)
            return
        picture.take_marks(read.marks)
        if picture.current:
            self._pending.replan()

    def on_guards(self, read: GuardsRead) -> None:
        """Take over the limits of the pools that are watched now; else read them again."""
        picture = self._parts.picture
        if read.watching == picture.watching:
            picture.take_guards(read.reading)
        elif picture.head is not None:
            self._reads.guards(picture.head)

    def on_finalized(self, read: FinalizedRead) -> None:
        """Settle what is final. Raises `LedgerError`."""
        parts = self._parts
        if read.number is not None:
            self._finalized = max(read.number, self._finalized or 0)
        if parts.picture.head is not None and parts.picture.synced:
            if self.gaps.reading:
                return  # a close may yet be found in a block that was not followed
            still_open = {left.pool for left in parts.watch.all()}
            parts.follower.settle(
                parts.picture.head.number, self._finalized, parts.settings.settle_depth, still_open
            )

    def follow_up(self) -> None:
        """Decide or read every attempt whose target block has been seen. Raises `LedgerError`."""
        parts = self._parts
        head = parts.picture.head
        if head is None or not parts.picture.synced:
            return
        for attempt in parts.follower.due(head.number):
            self._reads.outcome(attempt, head)
        self._reads.marks(head)
        self._closing.go_on()
        self._strays.go_on()
        self.ether.go_on()
        self.gaps.go_on()

    def check_age(self) -> None:
        """Lose sync when no block has come for too long; it comes back with the next block."""
        parts = self._parts
        age_s = (parts.ports.clock.monotonic_ns() - parts.picture.head_ns) / 1e9
        if parts.picture.synced and age_s > parts.settings.head_stale_s:
            self._sync.lose(f"no block for {age_s:.0f} s")

    async def _follow_pools(self) -> PoolsFollowed:
        parts = self._parts
        while True:
            moved = self._moves.popleft()
            try:
                await within(
                    parts.ports.clock,
                    parts.settings.sync_timeout_s,
                    "following the pools",
                    parts.ports.pool_book.apply(moved),
                )
            except JitError as error:
                return PoolsFollowed(moved.head, error.message)
            if not self._moves:
                return PoolsFollowed(moved.head)

    def _accounted(self, tx_hash: Hash32) -> bool:
        """Whether an attempt's figures hold what a transaction moved and cost."""
        return self._parts.follower.is_a_leg(tx_hash) or self._closing.accounts_for(tx_hash)

    def _removed(self, head: Head) -> None:
        parts = self._parts
        parts.metrics.happenings.add("reorged_blocks")
        for lane in parts.lanes.undo_block(head.hash):
            parts.ports.ledger.save_lane(lane.operator, lane.next_nonce, head.number - 1)
        self._closing.block_removed(head)
        self._strays.block_removed(head)
        self.ether.block_removed(head)
        parts.ports.ledger.drop_flows(head.hash)
        for tx_hash in parts.mined_slots.remove(head.hash):
            # It was no use when it was understood; announced again it is.
            parts.seen.forget(tx_hash)
        for wanted in self._mined_victims.pop(head.hash, ()):
            # It is back in the public pool; nodes do not all announce it again.
            wanted.tried_on = None
            parts.book.add(wanted)
        parts.follower.block_removed(head)

    def _missed(self, block: Block) -> None:
        """Take what is ours from a block that was not followed, and name its flows."""
        parts = self._parts
        legs = parts.ports.ledger.legs_mined_in(block.head.number)
        for tx in block.txs:
            parts.follower.leg_found(tx.hash, block.head.hash)
            if tx.hash not in legs:
                self._closing.found(tx.hash, block.head)
        self._name_flows(block, lambda tx_hash: tx_hash in legs or self._accounted(tx_hash))
        self._closing.go_on()

    def _name_flows(self, block: Block, accounted: Callable[[Hash32], bool]) -> None:
        """Write every change of our balances that no attempt accounts for."""
        parts = self._parts
        operators = frozenset(parts.ports.signer.operators())  # the lanes are known after the first sync only
        for tx in block.txs:
            if tx.sender in operators and not accounted(tx.hash):
                self._strays.note(tx.hash, tx.sender, block.head.hash)
        flows = external_flows(
            block,
            executor=parts.settings.executor,
            owner=parts.settings.owner,
            operators=operators,
            pools=parts.picture.known.keys(),
            is_an_attempts=accounted,
        )
        if flows:
            parts.ports.ledger.add_flows(flows)
        self.ether.note(block)

    def _added(self, block: Block) -> None:
        parts = self._parts
        aliens = parts.lanes.follow(block, parts.follower.recognise)
        if aliens and parts.picture.synced:
            # Before anything else that may fail.
            named = ", ".join(f"{tx.hash} of {tx.sender}" for tx in aliens[:3])
            self._halting.halt("engine", f"a nonce moved without us: {named}")
        parts.follower.block_added(block)
        parts.ports.ledger.keep_flows(block.head.number, block.head.hash)
        for tx in block.txs:
            self._closing.found(tx.hash, block.head)
        self._name_flows(block, self._accounted)
        senders = {tx.sender for tx in block.txs}
        for lane in parts.lanes.all():
            if lane.operator in senders and parts.picture.synced:
                # Out of step it is not known yet whether that nonce was ours.
                parts.ports.ledger.save_lane(lane.operator, lane.next_nonce, block.head.number)
        watched = parts.picture.specs
        landed = {
            log.tx_hash
            for log in block.pool_logs
            if log.address in watched and log.topics and log.topics[0] == SWAP_TOPIC
        }
        parts.metrics.happenings.add("swaps_landed_in_watched_pools", len(landed))
        parts.mined_slots.add(block)
        self._markouts.block_added(block)
        mined = parts.book.remove_mined(block.txs)
        parts.metrics.happenings.add("victims_mined", len(mined))
        hashes = {tx.hash for tx in block.txs}
        self._mined_victims[block.head.hash] = [wanted for wanted in mined if wanted.tx.hash in hashes]
        if len(self._mined_victims) > VICTIMS_KEPT_BLOCKS:
            del self._mined_victims[next(iter(self._mined_victims))]
