"""What the door remembers of the canonical chain: headers, raw transactions and logs of recent blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jitctl.devnet.transactions import SignedTx
from jitctl.domain.values import Hash32

KEPT_BLOCKS = 256
_ELASTICITY = 2
_MAX_CHANGE_DENOMINATOR = 8
_NOT_IN_A_HEADER = frozenset({"transactions", "uncles", "withdrawals", "size", "totalDifficulty"})


def next_base_fee_wei(parent: dict[str, Any]) -> int:
    """Return the base fee of the block after `parent` (an RPC block). Source: EIP-1559."""
    base_fee, gas_used = int(parent["baseFeePerGas"], 16), int(parent["gasUsed"], 16)
    target = int(parent["gasLimit"], 16) // _ELASTICITY
    if gas_used == target:
        return base_fee
    change = base_fee * abs(gas_used - target) // target // _MAX_CHANGE_DENOMINATOR
    return base_fee + max(change, 1) if gas_used > target else base_fee - change


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block as mined: the RPC block with transaction hashes, its transactions in order and its receipts.

    `private` are the hashes of those that had not been in the public pool.
    """

    block: dict[str, Any]
    txs: tuple[SignedTx, ...]
    receipts: tuple[dict[str, Any], ...]
    private: frozenset[Hash32] = frozenset()

    @property
    def number(self) -> int:
        return int(self.block["number"], 16)

    @property
    def timestamp_s(self) -> int:
        return int(self.block["timestamp"], 16)

    def header(self) -> dict[str, Any]:
        """Return what a newHeads subscription shows."""
        return {key: value for key, value in self.block.items() if key not in _NOT_IN_A_HEADER}

    def logs(self, *, removed: bool = False) -> list[dict[str, Any]]:
        """Return the block's logs in order, marked as removed if a reorg took them."""
        return [{**log, "removed": removed} for receipt in self.receipts for log in receipt["logs"]]


class ChainRecord:
    """The newest `KEPT_BLOCKS` blocks, newest last, never empty; those it begins with stay for good."""

    def __init__(self, history: Iterable[BlockRecord]) -> None:
        self._blocks: deque[BlockRecord] = deque(history, maxlen=KEPT_BLOCKS)
        self._fixed_number = self.head.number

    @property
    def head(self) -> BlockRecord:
        return self._blocks[-1]

    @property
    def reach(self) -> int:
        """How many blocks can be taken back."""
        return min(len(self._blocks) - 1, self.head.number - self._fixed_number)

    def add(self, record: BlockRecord) -> None:
        self._blocks.append(record)

    def take_back(self, depth: int) -> list[BlockRecord]:
        """Remove the newest `depth` blocks; return them, newest first."""
        return [self._blocks.pop() for _ in range(depth)]

    def behind(self, lag: int) -> BlockRecord:
        """Return the block `lag` before the head, or the oldest that is kept."""
        return self._blocks[max(0, len(self._blocks) - 1 - lag)]
