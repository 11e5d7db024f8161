"""Ether that reached or left an operator in ways that a block's transactions do not show: a safe's top-up.

A block's change of an operator's balance is held against what is known to explain it: plain transfers to it,
and the gas of its own transactions. What remains is a named flow, of no transaction in particular.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jitctl.domain.chain import Block, Head
from jitctl.domain.records import ETH, Flow, FlowKind
from jitctl.domain.values import ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from jitctl.engine.accounting import plain_ether_wei
from jitctl.engine.events import EtherRead
from jitctl.engine.parts import Parts
from jitctl.engine.within import within
from jitctl.errors import JitError, NodeError

MAX_WAITING = 1_000
"""Blocks whose balances have not been read yet; beyond it the oldest is given up."""
TRIES = 3
"""A node that has thrown away a settled block's state will not find it again. Before that a refusal is a bad
moment, and a flow that is given up stays without a name."""


@dataclass(slots=True)
class _Waiting:
    block: Block
    refusals: int = 0
    refused_at: int | None = None
    """The head's number at the last refusal: until it is settled, it is asked once a head."""


class Ether:
    """Reads the operators' balances around each block, one block at a time, and names what is left over."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: dict[Hash32, _Waiting] = {}

    def note(self, block: Block) -> None:
        """Take in a canonical block."""
        self._waiting[block.head.hash] = _Waiting(block)
        if len(self._waiting) > MAX_WAITING:
            self._give_up(next(iter(self._waiting)))

    def block_removed(self, head: Head) -> None:
        """Forget a removed block; the ledger drops its flows by the block's hash."""
        self._waiting.pop(head.hash, None)

    def go_on(self) -> None:
        """Read the oldest block that is not known yet."""
        if not self._waiting:
            return
        oldest = next(iter(self._waiting.values()))
        if oldest.refused_at != self._head_number() or self._is_settled(oldest.block):
            self._parts.background.start("read:ether", lambda: self._read(oldest.block))

    def on_read(self, read: EtherRead) -> None:
        """Write what nothing else explains, and go on with the next block. Raises `LedgerError`."""
        waiting = self._waiting.get(read.block_hash)
        if waiting is None:
            self.go_on()
            return
        if read.unexplained_wei is None:
            if read.refused:
                waiting.refusals, waiting.refused_at = waiting.refusals + 1, self._head_number()
                if waiting.refusals >= TRIES and self._is_settled(waiting.block):
                    self._give_up(read.block_hash)
            return  # it is asked again with the next tick, or once the head has moved
        del self._waiting[read.block_hash]
        head = waiting.block.head
        flows = [
            Flow(
                head.number, head.hash, ZERO_HASH, -1, operator, ETH, amount, FlowKind.TRANSFER, ZERO_ADDRESS
            )
            for operator, amount in read.unexplained_wei.items()
            if amount
        ]
        if flows:
            self._parts.ports.ledger.add_flows(flows)
        self.go_on()

    def _head_number(self) -> int:
        head = self._parts.picture.head
        return head.number if head is not None else 0

    def _is_settled(self, block: Block) -> bool:
        return self._head_number() - block.head.number >= self._parts.settings.settle_depth

    def _give_up(self, block_hash: Hash32) -> None:
        waiting = self._waiting.pop(block_hash)
        self._parts.metrics.happenings.add("ether_unread")
        self._parts.ports.observer.event("ether_unread", {"block": waiting.block.head.number})

    async def _read(self, block: Block) -> EtherRead:
        parts = self._parts
        try:
            work = self._unexplained(block)
            found = await within(parts.ports.clock, parts.settings.read_timeout_s, "reading ether", work)
        except JitError as error:
            parts.metrics.happenings.add("node_errors")
            answered = isinstance(error, NodeError) and error.rpc_code is not None
            return EtherRead(block.head.hash, None, refused=answered)
        return EtherRead(block.head.hash, found)

    async def _unexplained(self, block: Block) -> dict[Address, int] | None:
        """Return each operator's change of ether less what explains it; None from another fork."""
        chain = self._parts.ports.chain
        operators = self._parts.ports.signer.operators()
        own = [tx for tx in block.txs if tx.sender in operators]
        before, after, legs = await asyncio.gather(
            asyncio.gather(*(chain.eth_balance(each, block.head.parent_hash) for each in operators)),
            asyncio.gather(*(chain.eth_balance(each, block.head.hash) for each in operators)),
            asyncio.gather(*(chain.leg(tx.hash) for tx in own)),
        )
        changes = {operator: now - then for operator, then, now in zip(operators, before, after, strict=True)}
        for tx in block.txs:
            if (known_wei := plain_ether_wei(tx, operators)) and tx.to is not None:
                changes[tx.to] -= known_wei
        for tx, found in zip(own, legs, strict=True):
            if found is None or found[0].block_hash != block.head.hash:
                return None
            changes[tx.sender] += found[0].gas_cost_wei
        return changes
