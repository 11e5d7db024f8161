"""Blocks that were not followed (the engine was down, or the feed had a gap): their flows are named later.

The range of blocks that were followed is in the ledger. When the feed begins somewhere else, the blocks in
between are read one after the other, beside everything else, and the last `settle_depth` blocks before them
again: a reorg may have replaced those while nobody looked. What is written twice is written the same.
"""

from __future__ import annotations

from collections.abc import Callable

from jitctl.domain.chain import Block
from jitctl.engine.events import GapRead
from jitctl.engine.parts import Parts
from jitctl.engine.within import within
from jitctl.errors import JitError


class Gaps:
    """Reads the blocks that are missing, in order; `take` names the flows of one."""

    def __init__(self, parts: Parts, take: Callable[[Block], None]) -> None:
        self._parts = parts
        self._take = take
        known = parts.ports.ledger.followed()
        self._since: int | None = known[0] if known is not None else None
        self._followed: int | None = known[1] if known is not None else None
        self._next: int | None = None
        self._last = 0

    @property
    def reading(self) -> bool:
        """Whether blocks are missing still."""
        return self._next is not None

    def followed(self, number: int, *, resynced: bool) -> None:
        """Note a block that was followed; after a resync, what is missing before it is remembered."""
        known, self._followed = self._followed, number
        if self._since is None:
            self._since = number
        if resynced and known is not None:
            again = min(known, number) + 1 - self._parts.settings.settle_depth
            self._next = max(self._since, min(again, self._next or again))
            self._last = number - 1
        self._save()

    def go_on(self) -> None:
        """Read the next missing block, once our own transactions are known."""
        parts = self._parts
        if self._next is None or not parts.picture.synced:
            return
        if self._next > self._last:
            self._next = None
            self._save()
            return
        number = self._next
        parts.background.start("gap", lambda: self._read(number))

    def on_read(self, read: GapRead) -> None:
        """Write what a missing block moved, and go on with the next. Raises `LedgerError`."""
        if read.block is None or self._next != read.number:
            return
        self._parts.ports.ledger.keep_flows(read.number, read.block.head.hash)
        self._take(read.block)
        self._parts.metrics.happenings.add("gap_blocks")
        self._next = read.number + 1
        self._save()
        self.go_on()

    def _save(self) -> None:
        """Keep the number up to which everything is written: a crash inside a gap begins there again."""
        done = self._followed if self._next is None else self._next - 1
        if self._since is not None and done is not None:
            self._parts.ports.ledger.save_followed(self._since, max(done, self._since))

    async def _read(self, number: int) -> GapRead:
        parts = self._parts
        try:
            return GapRead(
                number,
                await within(
                    parts.ports.clock,
                    parts.settings.read_timeout_s,
                    "reading a missing block",
                    parts.ports.chain.block(number),
                ),
            )
        except JitError:
            parts.metrics.happenings.add("node_errors")
            return GapRead(number, None)
