"""Positions of ours that are open where no block should leave one: a mint that landed without its burn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jitctl.domain.values import Address, Hash32
from jitctl.engine.attempts import Attempt

RETRY_BLOCKS = 3
"""A close that was not mined after so many blocks is sent again."""


@dataclass(slots=True)
class LeftOpen:
    """An open position; `attempt` is None if no attempt that we know left it.

    `sent_with` are the operator and nonce of the latest close, `close_tx` its hash once that is known.
    """

    pool: Address
    since_block: int
    attempt: Attempt | None = None
    close_tx: Hash32 | None = None
    sent_with: tuple[Address, int] | None = None
    tried_block: int = -RETRY_BLOCKS

    def due(self, head_number: int) -> bool:
        """Whether a close should be sent now."""
        return head_number - self.tried_block >= RETRY_BLOCKS


class PositionWatch:
    """What is open, and what is being done about it."""

    def __init__(self) -> None:
        self._open: dict[Address, LeftOpen] = {}

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
        if known.attempt is None and known.sent_with is None:
            known.attempt = attempt
        return False

    def gone(
        self, open_pools: Iterable[Address], block_number: int, mined: Callable[[Hash32], bool]
    ) -> list[Address]:
        """Forget and return the positions that somebody else closed, or that a reorg undid.

        One whose own close is `mined` stays until that has been read, and one noted at this very block
        may be newer than the answer.
        """
        found = set(open_pools)
        gone = [
            left.pool
            for left in self._open.values()
            if left.pool not in found
            and (left.close_tx is None or not mined(left.close_tx))
            and left.since_block < block_number
        ]
        for pool in gone:
            del self._open[pool]
        return gone

    def restore(self, left: LeftOpen) -> None:
        """Take up a position again whose close a reorg took back."""
        self._open[left.pool] = left

    def closed(self, pool: Address) -> LeftOpen | None:
        """Forget a position whose close has been read."""
        return self._open.pop(pool, None)
