"""One lane per operator account: an attempt at a time, and a nonce that only we may move."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jitctl.domain.chain import Block, MinedTx
from jitctl.domain.values import Address, Hash32


@dataclass(slots=True)
class Lane:
    """An operator: the nonce its next transaction must have, and the attempt that owns it until a block."""

    operator: Address
    next_nonce: int
    owner: str | None = None
    until_block: int = 0


@dataclass(frozen=True, slots=True)
class _Used:
    block_hash: Hash32
    operator: Address
    nonce: int


class Lanes:
    """All lanes; nonces follow the canonical chain, through reorgs."""

    def __init__(self, nonces: Iterable[tuple[Address, int]], remembered: int = 4096) -> None:
        self._lanes = {operator: Lane(operator, nonce) for operator, nonce in nonces}
        self._used: deque[_Used] = deque(maxlen=remembered)

    def set_nonces(self, nonces: Mapping[Address, int]) -> None:
        """Take over nonces read from the chain; lanes that are new begin free, owners stay."""
        for operator, nonce in nonces.items():
            lane = self._lanes.setdefault(operator, Lane(operator, nonce))
            lane.next_nonce = nonce

    def all(self) -> tuple[Lane, ...]:
        return tuple(self._lanes.values())

    def operators(self) -> frozenset[Address]:
        return frozenset(self._lanes)

    def get(self, operator: Address) -> Lane | None:
        return self._lanes.get(operator)

    def acquire(self, attempt_id: str, target_block: int) -> Lane | None:
        """Give a free lane to an attempt until its target block has been seen; None if all are taken."""
        for lane in self._lanes.values():
            if lane.owner is None:
                lane.owner, lane.until_block = attempt_id, target_block
                return lane
        return None

    def any_free(self) -> bool:
        return any(lane.owner is None for lane in self._lanes.values())

    def owns(self, attempt_id: str, operator: Address) -> bool:
        lane = self._lanes.get(operator)
        return lane is not None and lane.owner == attempt_id

    def release(self, attempt_id: str) -> None:
        """Free the lane of an attempt that no block can include any more, or that an alternative replaces."""
        for lane in self._lanes.values():
            if lane.owner == attempt_id:
                lane.owner = None

    def undo_block(self, block_hash: Hash32) -> list[Lane]:
        """Take back what a removed block moved; returns the lanes whose nonce it was."""
        kept = [used for used in self._used if used.block_hash != block_hash]
        undone: dict[Address, Lane] = {}
        for used in self._used:
            lane = self._lanes.get(used.operator)
            if used.block_hash == block_hash and lane is not None:
                lane.next_nonce = min(lane.next_nonce, used.nonce)
                undone[used.operator] = lane
        self._used.clear()
        self._used.extend(kept)
        return list(undone.values())

    def follow(self, block: Block, is_ours: Callable[[MinedTx], bool]) -> list[MinedTx]:
        """Move nonces by what a block mined; returns the operators' transactions that are not ours.

        Where `is_ours` raises nothing has moved: a nonce that nobody explained must not pass for explained.
        """
        own = [tx for tx in block.txs if tx.sender in self._lanes]
        aliens = [tx for tx in own if not is_ours(tx)]
        for tx in own:
            lane = self._lanes[tx.sender]
            lane.next_nonce = max(lane.next_nonce, tx.nonce + 1)
            self._used.append(_Used(block.head.hash, tx.sender, tx.nonce))
        return aliens

    def free_seen(self, head_number: int) -> None:
        """Free the lanes whose attempt's target block has been seen."""
        for lane in self._lanes.values():
            if lane.owner is not None and lane.until_block <= head_number:
                lane.owner = None
