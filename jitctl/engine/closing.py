"""Closing what was left open: a lone mint's position goes back to the executor, by a public transaction."""

from __future__ import annotations

import contextlib

from jitctl.domain.bundle import MinedBundle
from jitctl.domain.chain import Head
from jitctl.domain.engine_state import IllegalMove
from jitctl.domain.records import AttemptChange, AttemptResult, IntendedClose
from jitctl.domain.values import Address, Hash32
from jitctl.engine.accounting import pool_prices, with_close
from jitctl.engine.attempts import Attempt
from jitctl.engine.events import CloseRead, CloseSent, Note, OpenPositionsRead
from jitctl.engine.halting import Halting
from jitctl.engine.lanes import Lane
from jitctl.engine.parts import Parts
from jitctl.engine.reads import Reads
from jitctl.engine.strays import Strays
from jitctl.engine.watch import RETRY_BLOCKS, REVERTS_BEFORE_PAUSE, LeftOpen
from jitctl.engine.within import within
from jitctl.errors import JitError

DONE_KEPT_BLOCKS = 64
"""Blocks whose closes are remembered, so that a reorg can take them back."""


class Closing:
    """Notices, closes and accounts for positions that no block should leave open."""

    def __init__(self, parts: Parts, reads: Reads, strays: Strays, halting: Halting) -> None:
        self._parts = parts
        self._reads = reads
        self._halting = halting
        self._strays = strays
        self._done: dict[Hash32, list[tuple[LeftOpen, AttemptResult | None]]] = {}
        self._reverted_in: dict[Hash32, Hash32] = {}

    def accounts_for(self, tx_hash: Hash32) -> bool:
        """Whether a mined transaction is a close whose figures will be added to an attempt's."""
        return any(left.attempt is not None and tx_hash in left.close_txs for left in self._parts.watch.all())

    def block_removed(self, head: Head) -> None:
        """Take back the closes of a removed block: they may be mined again. Raises `LedgerError`."""
        parts = self._parts
        for left, before in self._done.pop(head.hash, ()):
            left.tried_block = head.number
            parts.watch.restore(left)
            attempt = left.attempt
            if attempt is not None and attempt.result is not None and before is not None:
                self._amend(attempt, before)
            parts.ports.observer.event("close_reorged", {"pool": left.pool})

    def found(self, tx_hash: Hash32, block: Head) -> None:
        """Take up a mined close, which an earlier run may have sent, if an attempt can account for it."""
        parts = self._parts
        close = parts.follower.close(tx_hash)
        if close is not None and self._reverted_in.get(tx_hash) == block.hash:
            return
        attempt = parts.follower.live.get(close.attempt_id) if close is not None else None
        if close is None or attempt is None or attempt.result is None or attempt.result.close_tx is not None:
            return
        left = parts.watch.get(close.pool) or LeftOpen(
            close.pool, attempt.result.block_number, attempt, tried_block=block.number
        )
        if left.attempt is attempt:
            left.add_close(tx_hash)
            parts.watch.restore(left)
            parts.follower.close_found(tx_hash, block.hash)

    def adopt(
        self, attempt: Attempt, close_tx: Hash32, close: MinedBundle | None, mined: MinedBundle
    ) -> None:
        """Take over what the chain holds of a close that an attempt's figures contain. Raises `LedgerError`.

        It may have been mined in another block, at another price, or not at all any more; then the position
        is open, or its pool not watched. A receipt alone that is missing may be a node's that lags.
        """
        parts, result = self._parts, attempt.result
        if result is None or result.close_tx != close_tx:
            return
        for done in self._done.values():
            done[:] = [(left, before) for left, before in done if left.attempt is not attempt]
        before, leg = parts.follower.result(attempt, mined), close.burn if close is not None else None
        if close is None or leg is None or not leg.success:
            parts.follower.close_lost(close_tx)
            self._amend(attempt, before)
            return
        parts.follower.close_found(close_tx, leg.block_hash)
        left = LeftOpen(attempt.pool, before.block_number, attempt, (close_tx,))
        self._remember(leg.block_hash, left, before)
        after = self._with_close(attempt, before, close)
        if (after.amounts, after.gas_wei) != (result.amounts, result.gas_wei):
            self._amend(attempt, after)

    def left_open(self, pool: Address) -> None:
        """Note that a mint landed without its burn, or that a position of unknown origin is open."""
        parts = self._parts
        lone = [each for each in parts.follower.live.values() if each.pool == pool and left_a_position(each)]
        head = parts.picture.head
        if parts.watch.left_open(pool, head.number if head else 0, lone[-1] if lone else None):
            self._remember_closes(pool)
            parts.metrics.happenings.add("lone_mints")
            told = {"pool": pool, "attempt": lone[-1].attempt_id if lone else ""}
            parts.ports.ledger.record("position_open", told, parts.ports.clock.wall_s())
            parts.ports.observer.event("position_open", told)

    def on_positions(self, read: OpenPositionsRead) -> None:
        """Compare what is open on chain with what we believe."""
        head = self._parts.picture.head
        if head is not None and head.hash == read.head_hash:
            self.positions(read.pools)
            self.go_on()

    def positions(self, open_pools: tuple[Address, ...]) -> None:
        """Take over which pools hold an open position at the head."""
        parts = self._parts
        for pool in open_pools:
            self.left_open(pool)
        head = parts.picture.head
        follower = parts.follower
        for pool in parts.watch.gone(
            open_pools, head.number if head else 0, lambda close: follower.mined_in(close) is not None
        ):
            parts.ports.ledger.record("position_closed", {"pool": pool}, parts.ports.clock.wall_s())
            parts.ports.observer.event("position_closed", {"pool": pool, "by": "somebody else"})

    def go_on(self) -> None:
        """Send the closes that are due, and read those that were mined."""
        parts = self._parts
        head, closer = parts.picture.head, parts.ports.closer
        if closer is None or head is None:
            return
        for left in parts.watch.all():
            if parts.follower.undecided_mint(left.pool):
                continue  # until it is known whose position this is
            mined = [tx for tx in left.close_txs if parts.follower.mined_in(tx) is not None]
            if mined:
                self._reads.close(left.pool, mined[-1])
            elif parts.standing.running and left.due(head.number):
                self._begin(left, head)

    def on_sent(self, sent: CloseSent) -> None:
        """Say what became of sending a close; free its lane if it failed."""
        parts = self._parts
        if sent.tx_hash is None:
            parts.lanes.release(_owner(sent.pool))
        told = {"pool": sent.pool, "tx": sent.tx_hash or "", "detail": sent.detail}
        parts.ports.observer.event("close_sent" if sent.tx_hash else "close_failed", told)

    def on_read(self, read: CloseRead) -> None:
        """Add what a close brought back to the attempt that left the position. Raises `LedgerError`."""
        parts = self._parts
        left = parts.watch.get(read.pool)
        if left is None or read.mined is None or read.mined.burn is None:
            return
        close = read.mined.burn
        if close.tx_hash not in left.close_txs:
            return  # it was read before
        if parts.follower.mined_in(close.tx_hash) != close.block_hash:
            return
        parts.lanes.release(_owner(read.pool))
        if not close.success:
            intended = parts.follower.close(close.tx_hash)
            if self.accounts_for(close.tx_hash) and intended is not None:
                self._strays.note(close.tx_hash, intended.operator, close.block_hash)
            left.close_txs = tuple(tx for tx in left.close_txs if tx != close.tx_hash)
            self._reverted_in[close.tx_hash] = close.block_hash
            if len(self._reverted_in) > DONE_KEPT_BLOCKS:
                del self._reverted_in[next(iter(self._reverted_in))]
            self._reverted(read.pool)
            return
        attempt = left.attempt
        before = attempt.result if attempt is not None else None
        if attempt is not None and before is not None:
            self._amend(attempt, self._with_close(attempt, before, read.mined))
        # Only now: what the ledger refuses is read again.
        parts.watch.closed(read.pool)
        parts.metrics.happenings.add("closes")
        self._remember(close.block_hash, left, before)
        told = {"pool": read.pool, "tx": close.tx_hash, "gas_wei": close.gas_cost_wei}
        parts.ports.observer.event("position_closed", {**told, "by": "engine"})
        parts.ports.ledger.record("position_closed", told, parts.ports.clock.wall_s())

    def _reverted(self, pool: Address) -> None:
        """Every close that reverts costs its gas: a position that cannot be closed so is for a human."""
        parts = self._parts
        parts.metrics.happenings.add("closes_reverted")
        if parts.watch.close_reverted(pool):
            why = f"{REVERTS_BEFORE_PAUSE} closes of the position in pool {pool} reverted"
            parts.ports.observer.event("closes_given_up", {"pool": pool, "detail": why})
            with contextlib.suppress(IllegalMove):  # stopped, it sends no close anyway
                self._halting.pause("engine", why)

    def _remember_closes(self, pool: Address) -> None:
        """An earlier run may have sent closes of what is open now."""
        left = self._parts.watch.get(pool)
        if left is not None and left.attempt is not None:
            for tx_hash in self._parts.follower.closes_for(left.attempt.attempt_id):
                left.add_close(tx_hash)

    def _remember(self, block_hash: Hash32, left: LeftOpen, before: AttemptResult | None) -> None:
        self._done.setdefault(block_hash, []).append((left, before))
        if len(self._done) > DONE_KEPT_BLOCKS:
            del self._done[next(iter(self._done))]

    def _with_close(self, attempt: Attempt, before: AttemptResult, close: MinedBundle) -> AttemptResult:
        prices = pool_prices(None, attempt.pool, close, attempt.record.parent_sqrt_price_x96)
        return with_close(before, close, attempt.record, prices)

    def _amend(self, attempt: Attempt, result: AttemptResult) -> None:
        change = AttemptChange(self._parts.ports.clock.wall_s(), result=result)
        self._parts.ports.ledger.amend_attempt(attempt.attempt_id, change)
        attempt.result = result

    def _begin(self, left: LeftOpen, head: Head) -> None:
        parts = self._parts
        if parts.background.running(_owner(left.pool)):
            return
        # A close that was not mined is sent again with the same nonce, from the same lane.
        parts.lanes.release(_owner(left.pool))
        lane = parts.lanes.acquire(_owner(left.pool), head.number + RETRY_BLOCKS)
        if lane is None:
            return
        left.tried_block = head.number
        parts.background.start(_owner(left.pool), lambda: self._close(left, lane, head))

    async def _close(self, left: LeftOpen, lane: Lane, head: Head) -> Note:
        parts = self._parts
        closer = parts.ports.closer
        assert closer is not None
        attempt_id = left.attempt.attempt_id if left.attempt is not None else ""
        try:
            held = parts.barrier.try_shared()
            if held is None:
                return CloseSent(left.pool, None, "the submit barrier is taken")
            with held:
                if not parts.standing.running or parts.latch.paused() or not parts.latch.armed():
                    return CloseSent(left.pool, None, "not running any more")
                nonce = lane.next_nonce
                signed = closer.sign(left.pool, lane.operator, nonce, head)
                close = IntendedClose(signed.tx_hash, lane.operator, nonce, left.pool, attempt_id)
                parts.ports.ledger.intend_close(close, parts.ports.clock.wall_s())
                parts.follower.track_close(close)
                left.add_close(signed.tx_hash)
                await within(
                    parts.ports.clock, parts.settings.submit_timeout_s, "the close", closer.send(signed)
                )
        except JitError as error:
            # It may have left all the same: it stays known.
            return CloseSent(left.pool, None, error.message)
        return CloseSent(left.pool, signed.tx_hash)


def left_a_position(attempt: Attempt) -> bool:
    """Whether a position of the attempt has not been closed yet, as far as its figures say."""
    return attempt.reason == "lone_mint" and attempt.result is not None and attempt.result.close_tx is None


def _owner(pool: Address) -> str:
    return f"close:{pool}"
