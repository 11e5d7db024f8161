"""What the chain tells us: pending transactions, heads, logs, and how the head moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jitctl.domain.values import Address, Hash32


@dataclass(frozen=True, slots=True)
class PendingTx:
    """A transaction seen in the public pool, with its full body.

    `rpc_body` is the JSON-RPC transaction object as received (hex strings), from which the raw bytes are
    rebuilt. `seen_ns` is the engine's monotonic clock when the notification left the socket.
    """

    hash: Hash32
    sender: Address
    to: Address | None
    nonce: int
    value_wei: int
    calldata: bytes
    gas_limit: int
    tx_type: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    rpc_body: Mapping[str, Any]
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Head:
    """A block header's fields that we use."""

    number: int
    hash: Hash32
    parent_hash: Hash32
    timestamp_s: int
    base_fee_wei: int
    gas_limit: int
    gas_used: int
    coinbase: Address


@dataclass(frozen=True, slots=True)
class Log:
    """One event log; `topics` are lower-case hex words."""

    address: Address
    topics: tuple[str, ...]
    data: bytes
    block_hash: Hash32
    tx_hash: Hash32
    tx_index: int
    log_index: int


@dataclass(frozen=True, slots=True)
class MinedTx:
    """A transaction in a block, as far as we need it to recognise replaced victims and named flows."""

    hash: Hash32
    sender: Address
    to: Address | None
    nonce: int
    value_wei: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the canonical chain: header, its transactions in order, the watched pools' logs in order,
    and the executor's token transfers (ERC-20 Transfer logs from or to the executor).

    `watched` are the pools whose logs were asked for; None where that is not known.
    """

    head: Head
    txs: tuple[MinedTx, ...]
    pool_logs: tuple[Log, ...]
    executor_logs: tuple[Log, ...]
    watched: frozenset[Address] | None = None


@dataclass(frozen=True, slots=True)
class ChainMoved:
    """The head moved: `removed` (newest first) were canonical and are no more, `added` (oldest first) are.

    `added` always links: each block's parent is the one before it, the first one's is what `removed`
    uncovered. `resynced` is set when blocks in between were not followed (start, or a gap too deep to
    walk, or a fork below the first block that was followed): state derived from logs must then be loaded
    afresh at `added[-1]`. `too_deep` is set when the chain forked off below more than the maximum reorg
    depth, or below what was settled when following began: what was believed settled may not be, so the
    engine halts.
    """

    added: tuple[Block, ...]
    removed: tuple[Head, ...] = ()
    resynced: bool = False
    too_deep: bool = False

    def __post_init__(self) -> None:
        if not self.added:
            raise ValueError("a move of the head adds at least one block")

    @property
    def head(self) -> Head:
        return self.added[-1].head


@dataclass(frozen=True, slots=True)
class PendingGone:
    """The pending feed was interrupted; transactions may have been missed between the two."""

    reason: str
