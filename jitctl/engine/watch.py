"""Positions of ours that are open where no block should leave one: a mint that landed without its burn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jitctl.domain.values import Address, Hash32
from jitctl.engine.attempts import Attempt

RETRY_BLOCKS = 3
"""A close that was not mined after so many blocks is sent again."""
REVERTS_BEFORE_PAUSE = 3
"""Closes of one pool that may revert in a row before somebody has to look."""
CLOSES_KEPT = 64
"""Closes remembered for one position."""


@dataclass(slots=True)
class LeftOpen:
    """An open position; `attempt` is None if no attempt that we know left it.

    `close_txs` are the closes signed for it, oldest first: any of them may be mined.
    """

    pool: Address
    since_block: int
    attempt: Attempt | None = None
    close_txs: tuple[Hash32, ...] = ()
    tried_block: int = -RETRY_BLOCKS

    def add_close(self, tx_hash: Hash32) -> None:
        """Know one more close of it."""
        self.close_txs = (*(tx for tx in self.close_txs if tx != tx_hash), tx_hash)[-CLOSES_KEPT:]

    def due(self, head_number: int) -> bool:
        """Whether a close should be sent now."""
        return head_number - self.tried_block >= RETRY_BLOCKS


class PositionWatch:
    """What is open, and what is being done about it."""

    def __init__(self) -> None:
        self._open: dict[Address, LeftOpen] = {}
        self._reverts: Counter[Address] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> tuple[LeftOpen, ...]:
        return tuple(self._open.values())

    def get(self, pool: Address) -> LeftOpen | None:
        return self._open.get(pool)

    def left_open(self, pool: Address, block_number: int, attempt: Attempt | None = None) -> bool:
        """Note an open position; False if it is known."""
        known = self._open.get(pool)
        if known is None:
            self._open[pool] = LeftOpen(pool, block_number, attempt)
            return True
        if known.attempt is None and not known.close_txs:
            known.attempt = attempt
        return False

    def gone(
        self, open_pools: Iterable[Address], block_number: int, mined: Callable[[Hash32], bool]
    ) -> list[Address]:
        """Forget and return the positions that somebody else closed, or that a reorg undid.

        One of whose closes is `mined` stays until that has been read, and one noted at this very block
        may be newer than the answer.
        """
        found = set(open_pools)
        gone = [
            left.pool
            for left in self._open.values()
            if left.pool not in found
            and not any(mined(close) for close in left.close_txs)
            and left.since_block < block_number
        ]
        for pool in gone:
            self.closed(pool)
        return gone

    def restore(self, left: LeftOpen) -> None:
        """Take up a position again whose close a reorg took back."""
        self._open[left.pool] = left

    def closed(self, pool: Address) -> LeftOpen | None:
        """Forget a position that is open no more, and how often its closes reverted."""
        del self._reverts[pool]
        return self._open.pop(pool, None)

    def close_reverted(self, pool: Address) -> bool:
        """Count a close that was mined and reverted; True, and counted anew, if too many did in a row."""
        self._reverts[pool] += 1
        if self._reverts[pool] < REVERTS_BEFORE_PAUSE:
            return False
        del self._reverts[pool]
        return True
