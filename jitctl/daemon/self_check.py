"""What only the engine's process can say of itself, for validate-live: its snapshots, relays and ledger."""

from __future__ import annotations

import asyncio
from typing import Any

from jitctl.chain.pools import ChainPoolBook
from jitctl.control.schema import FAIL, PASS, UNKNOWN, Finding, to_wire
from jitctl.domain.bundle import RelayOutcome
from jitctl.engine.ports import Clock
from jitctl.errors import JitError
from jitctl.execution.relays import HttpRelays
from jitctl.ledger.store import LedgerStore

LIMIT_S = 3.0
_UNANSWERED = frozenset({RelayOutcome.TIMED_OUT, RelayOutcome.UNREACHABLE, RelayOutcome.RATE_LIMITED})


class SelfCheck:
    """Asks the adapters that trade, not copies of them."""

    def __init__(self, book: ChainPoolBook, relays: HttpRelays, ledger: LedgerStore, clock: Clock) -> None:
        self._book = book
        self._relays = relays
        self._ledger = ledger
        self._clock = clock

    async def run(self) -> dict[str, Any]:
        """Return `{"checks": [...]}`; what does not answer within `LIMIT_S` is unknown."""
        found = await asyncio.gather(self._snapshots(), self._relay_replies())
        return {"checks": to_wire([found[0], *found[1], self._ledger_writes()])}

    async def _snapshots(self) -> Finding:
        try:
            async with asyncio.timeout(LIMIT_S):
                compared, wrong = await self._book.compare()
        except (JitError, TimeoutError) as error:
            why = error.message if isinstance(error, JitError) else f"no answer within {LIMIT_S:g} s"
            return Finding("snapshots", UNKNOWN, why, "check the node: jitctl check-node-sync")
        if wrong:
            names = ", ".join(wrong)
            remedy = "the pools are read afresh now; repeat, and report it if it comes back"
            return Finding("snapshots", FAIL, f"differ from the chain: {names}", remedy)
        if not compared:
            return Finding("snapshots", UNKNOWN, "no pool is followed yet", "see: jitctl pool-status")
        head = self._book.head()
        return Finding("snapshots", PASS, f"{compared} pools equal the chain at block {head.number}")

    async def _relay_replies(self) -> list[Finding]:
        try:
            replies = await self._relays.check(self._book.head().number)
        except JitError as error:
            return [Finding("relays", UNKNOWN, error.message)]
        found = []
        for reply in replies:
            if reply.outcome == RelayOutcome.ACCEPTED:
                detail = f"accepts our signature, {reply.elapsed_ms:.0f} ms"
                found.append(Finding(f"relay-{reply.relay}", PASS, detail))
            elif reply.outcome in _UNANSWERED:
                detail = f"{reply.outcome}: {reply.detail}"
                remedy = "check the network and [[relays]] url"
                found.append(Finding(f"relay-{reply.relay}", UNKNOWN, detail, remedy))
            else:
                detail = f"{reply.outcome}: {reply.detail}"
                remedy = "check the relay's identity key and its URL"
                found.append(Finding(f"relay-{reply.relay}", FAIL, detail, remedy))
        return found

    def _ledger_writes(self) -> Finding:
        try:
            self._ledger.record("self_check", {}, self._clock.wall_s())
            self._ledger.flush()
        except JitError as error:
            return Finding("ledger", FAIL, error.message, error.hint or "free space; check the data folder")
        return Finding("ledger", PASS, "a record was written and is on disk")
