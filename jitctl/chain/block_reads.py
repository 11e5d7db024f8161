"""Reading one block whole: its header, its transactions, and the logs of exactly this block."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from jitctl.chain.foreign_errors import mapped
from jitctl.chain.lens import Node
from jitctl.chain.quantities import head_of, log_of, mined_tx_of
from jitctl.domain.chain import Block, Log
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError

READ_TIMEOUT_S = 5.0
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak256 of `Transfer(address,address,uint256)` (ERC-20)."""


class NoSuchBlockError(NodeError):
    """The node answered that it does not have the block."""


class WrongBlockError(NodeError):
    """The node answered with another block than the one asked for."""


async def read_block(
    node: Node, block_hash: Hash32, *, executor: Address, pools: Sequence[Address] = ()
) -> Block:
    """Return a block, the logs of `pools` and the executor's transfers in it, asked for at the same time.

    Raises `NoSuchBlockError`, `WrongBlockError`, and any other `NodeError` or `TimedOut`.
    """
    executor_topic = "0x" + executor[2:].rjust(64, "0")
    body, pool_logs, sent, received = await asyncio.gather(
        node.call("eth_getBlockByHash", [block_hash, True], timeout_s=READ_TIMEOUT_S),
        _logs(node, block_hash, {"address": list(pools)}) if pools else _nothing(),
        _logs(node, block_hash, {"topics": [TRANSFER_TOPIC, executor_topic]}),
        _logs(node, block_hash, {"topics": [TRANSFER_TOPIC, None, executor_topic]}),
    )
    if body is None:
        raise NoSuchBlockError(f"the node has no block {block_hash}")
    with mapped("feed", "reading a block"):
        if not isinstance(body, Mapping):
            raise ValueError("a block is not an object")
        head = head_of(body)
        txs = tuple(mined_tx_of(tx) for tx in body["transactions"])
    if head.hash != block_hash:
        raise WrongBlockError(f"the node sent block {head.hash} for {block_hash}")
    executor_logs = sorted({log.log_index: log for log in (*sent, *received)}.items())
    return Block(
        head, txs, tuple(pool_logs), tuple(log for _, log in executor_logs), watched=frozenset(pools)
    )


async def _logs(node: Node, block_hash: Hash32, what: dict[str, Any]) -> list[Log]:
    entries: Any = await node.call(
        "eth_getLogs", [{"blockHash": block_hash, **what}], timeout_s=READ_TIMEOUT_S
    )
    with mapped("feed", "reading logs"):
        logs = sorted((log_of(entry) for entry in entries), key=lambda log: log.log_index)
    if any(log.block_hash != block_hash for log in logs):
        raise WrongBlockError("the node sent logs of another block")
    return logs


async def _nothing() -> list[Log]:
    return []
