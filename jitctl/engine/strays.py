"""Transactions of our operators that no attempt accounts for: what they cost is a named flow.

A leg that leaked into the public pool and is mined after its attempt was settled, a close that failed or
that closed what nobody knows, a transaction that somebody else signed with an operator's key.
"""

from __future__ import annotations

from jitctl.domain.chain import Head
from jitctl.domain.records import ETH, Flow, FlowKind
from jitctl.domain.values import Address, Hash32
from jitctl.engine.events import StrayRead
from jitctl.engine.parts import Parts
from jitctl.engine.reads import Reads

MAX_WAITING = 1_000
"""Strays whose receipts have not been read yet; beyond it the oldest is given up."""


class Strays:
    """Reads the receipts of strays until they are known, and writes their gas to the ledger."""

    def __init__(self, parts: Parts, reads: Reads) -> None:
        self._parts = parts
        self._reads = reads
        self._waiting: dict[Hash32, tuple[Address, Hash32]] = {}

    def note(self, tx_hash: Hash32, operator: Address, block_hash: Hash32) -> None:
        """Take in a transaction that a canonical block mined."""
        self._waiting[tx_hash] = (operator, block_hash)
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def block_removed(self, head: Head) -> None:
        """Forget what a removed block mined; the ledger drops its flows by the block's hash."""
        for tx_hash in [each for each, (_, block) in self._waiting.items() if block == head.hash]:
            del self._waiting[tx_hash]

    def go_on(self) -> None:
        """Read what is not known yet."""
        for tx_hash in self._waiting:
            self._reads.stray(tx_hash)

    def on_read(self, read: StrayRead) -> None:
        """Book the gas; an answer from another fork is asked for again. Raises `LedgerError`."""
        operator, block_hash = self._waiting.get(read.tx_hash, (None, None))
        leg = read.leg
        if operator is None or leg is None or leg.block_hash != block_hash:
            return
        parts = self._parts
        flow = Flow(
            leg.block_number, leg.block_hash, leg.tx_hash, -1, operator, ETH, -leg.gas_cost_wei,
            FlowKind.GAS, parts.settings.executor,
        )  # fmt: skip
        parts.ports.ledger.add_flows([flow])
        del self._waiting[read.tx_hash]
