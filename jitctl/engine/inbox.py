"""Everything on its way to the loop: commands first, then blocks, then the rest; only pending drops."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from jitctl.domain.chain import ChainMoved, PendingGone, PendingTx
from jitctl.domain.counters import Counters
from jitctl.engine.events import Asked, EngineInput, Note, Replan

_URGENT = frozenset({"pause", "emergency-stop", "stop"})


class Inbox:
    """Satisfies `ports.Sink`. Single consumer; everything is called from the event loop's thread.

    Commands and notes are bounded by who sends them (one answer is awaited per command, one task per note)
    and blocks come one a slot, so only pending transactions need a bound.
    """

    def __init__(self, max_pending: int, counts: Counters) -> None:
        self._commands: deque[Asked] = deque()
        self._chain: deque[ChainMoved | PendingGone] = deque()
        self._notes: deque[Note] = deque()
        self._replans: deque[Replan] = deque()
        self._pending: deque[PendingTx] = deque()
        self._max_pending = max_pending
        self._counts = counts
        self._wake = asyncio.Event()
        self.urgent = asyncio.Event()
        """Set while a command waits that stops the bot: whoever holds the loop up gives it free."""

    def offer_pending(self, tx: PendingTx) -> None:
        """Queue a pending transaction; when the queue is full the oldest is dropped and counted."""
        if len(self._pending) >= self._max_pending:
            self._pending.popleft()
            self._counts.add("pending_dropped")
        self._pending.append(tx)
        self._wake.set()

    def put(self, event: ChainMoved | PendingGone) -> None:
        """Queue a move of the chain or a gap in the feed; never dropped."""
        self._chain.append(event)
        self._wake.set()

    def ask(self, asked: Asked) -> None:
        """Queue an operator's command, before everything else; never dropped."""
        self._commands.append(asked)
        self._mind_urgent()
        self._wake.set()

    def note(self, note: Note) -> None:
        """Queue what one of the engine's own tasks found; never dropped."""
        self._notes.append(note)
        self._wake.set()

    def replan(self, replans: Iterable[Replan]) -> None:
        """Replace what waits to be evaluated again: only the newest head counts."""
        self._replans = deque(replans)
        self._wake.set()

    async def get(self) -> EngineInput:
        """Return the next input in order of precedence, waiting for one."""
        while True:
            for queue in (self._commands, self._chain, self._notes, self._replans, self._pending):
                if queue:
                    first = queue.popleft()
                    self._mind_urgent()
                    return first
            self._wake.clear()
            await self._wake.wait()

    def _mind_urgent(self) -> None:
        if any(asked.verb in _URGENT for asked in self._commands):
            self.urgent.set()
        else:
            self.urgent.clear()

    def depths(self) -> dict[str, int]:
        """Return how many of each wait."""
        return {
            "commands": len(self._commands),
            "chain": len(self._chain),
            "notes": len(self._notes),
            "replans": len(self._replans),
            "pending": len(self._pending),
        }

    def drain_commands(self) -> list[Asked]:
        """Return the commands that nobody will answer any more."""
        left = list(self._commands)
        self._commands.clear()
        return left
