"""The victims still wanted: understood pending swaps in watched pools, bounded, until mined or replaced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jitctl.domain.chain import Block, MinedTx, PendingTx
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import Address, Hash32


@dataclass(slots=True)
class Wanted:
    """A pending swap that may be worth an attempt.

    `worth_wei` is its last evaluation (0: none yet), `tried_on` the head on which it needs no other,
    `failures` how many simulations it failed: a swap that looks rich and never works must not keep a lane.
    `judged` says that it was taken or its skip counted, which happens once. `decode_ms` is what
    understanding its calldata took.
    """

    tx: PendingTx
    swap: SwapTx
    first_head: int
    worth_wei: int = 0
    tried_on: Hash32 | None = None
    failures: int = 0
    judged: bool = False
    decode_ms: float = 0.0


class WantedBook:
    """Wanted swaps by hash and by (sender, nonce)."""

    def __init__(self, max_entries: int, max_age_blocks: int) -> None:
        self._max_entries = max_entries
        self._max_age_blocks = max_age_blocks
        self._by_hash: dict[Hash32, Wanted] = {}
        self._by_slot: dict[tuple[Address, int], Hash32] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, tx_hash: Hash32) -> Wanted | None:
        return self._by_hash.get(tx_hash)

    def rival_of(self, tx: PendingTx) -> Hash32 | None:
        """Return the wanted transaction with the same sender and nonce but another hash."""
        known = self._by_slot.get((tx.sender, tx.nonce))
        return known if known != tx.hash else None

    def add(self, wanted: Wanted) -> Wanted | None:
        """Keep a swap; returns what is dropped for it when the book is full: the least promising."""
        tx = wanted.tx
        self._by_hash[tx.hash] = wanted
        self._by_slot[tx.sender, tx.nonce] = tx.hash
        if len(self._by_hash) <= self._max_entries:
            return None
        dropped = min(
            (entry for entry in self._by_hash.values() if entry is not wanted),
            key=lambda entry: (-entry.failures, entry.worth_wei, entry.first_head),
        )
        self.remove(dropped.tx.hash)
        return dropped

    def remove(self, tx_hash: Hash32) -> Wanted | None:
        wanted = self._by_hash.pop(tx_hash, None)
        if wanted is not None:
            slot = (wanted.tx.sender, wanted.tx.nonce)
            if self._by_slot.get(slot) == tx_hash:
                del self._by_slot[slot]
        return wanted

    def remove_mined(self, txs: Iterable[MinedTx]) -> list[Wanted]:
        """Drop what a block mined or made impossible: the same sender and nonce; returns the dropped."""
        gone = []
        for tx in txs:
            known = self._by_slot.get((tx.sender, tx.nonce))
            if known is not None:
                dropped = self.remove(known)
                if dropped is not None:
                    gone.append(dropped)
        return gone

    def expire(self, head_number: int) -> list[Wanted]:
        """Drop what has been waiting for too many blocks; returns the dropped."""
        old = [
            wanted
            for wanted in self._by_hash.values()
            if head_number - wanted.first_head > self._max_age_blocks
        ]
        for wanted in old:
            self.remove(wanted.tx.hash)
        return old

    def best_first(self) -> list[Hash32]:
        """Return all hashes: what has failed least, then the most promising, then the newest."""
        ordered = sorted(
            self._by_hash.values(),
            key=lambda entry: (entry.failures, -entry.worth_wei, -entry.first_head, entry.tx.hash),
        )
        return [entry.tx.hash for entry in ordered]


class MinedSlots:
    """The (sender, nonce) pairs that the latest blocks used up: what is understood after that is too late."""

    def __init__(self, max_blocks: int = 32) -> None:
        self._max_blocks = max_blocks
        self._by_block: dict[Hash32, tuple[tuple[Address, int], ...]] = {}
        self._block_of: dict[tuple[Address, int], Hash32] = {}
        self._late: dict[Hash32, list[Hash32]] = {}

    def add(self, block: Block) -> None:
        """Take note of a canonical block."""
        slots = tuple((tx.sender, tx.nonce) for tx in block.txs)
        self._by_block[block.head.hash] = slots
        self._block_of |= dict.fromkeys(slots, block.head.hash)
        if len(self._by_block) > self._max_blocks:
            self.remove(next(iter(self._by_block)))

    def remove(self, block_hash: Hash32) -> list[Hash32]:
        """Forget a block; returns the transactions that were `too_late` for it."""
        for slot in self._by_block.pop(block_hash, ()):
            if self._block_of.get(slot) == block_hash:
                del self._block_of[slot]
        return self._late.pop(block_hash, [])

    def too_late(self, tx: PendingTx) -> bool:
        """Whether the transaction, or another of its sender and nonce, is mined."""
        block_hash = self._block_of.get((tx.sender, tx.nonce))
        if block_hash is not None:
            self._late.setdefault(block_hash, []).append(tx.hash)
        return block_hash is not None


class SeenHashes:
    """The latest transaction hashes, so that a repeated announcement costs one lookup; fixed memory."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._seen: dict[Hash32, None] = {}

    def first_time(self, tx_hash: Hash32) -> bool:
        """Whether the hash is new; it is remembered."""
        if tx_hash in self._seen:
            return False
        self._seen[tx_hash] = None
        if len(self._seen) > self._max_entries:
            del self._seen[next(iter(self._seen))]
        return True

    def forget(self, tx_hash: Hash32) -> None:
        self._seen.pop(tx_hash, None)
