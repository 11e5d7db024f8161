"""Reading JSON-RPC values strictly: what is not of the promised shape is a `NodeError`, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jitctl.domain.chain import Head, Log, MinedTx
from jitctl.domain.values import Address, Hash32, address, hash32
from jitctl.errors import NodeError


def quantity(value: Any, node: str, what: str) -> int:
    """Return a hex quantity as an integer; raises `NodeError`."""
    if isinstance(value, str) and value.startswith("0x") and len(value) <= 66:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise NodeError(f"node {node}: {what} answered {str(value)[:40]!r}, not a quantity")


def data(value: Any, node: str, what: str) -> bytes:
    """Return hex data as bytes; raises `NodeError`."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise NodeError(f"node {node}: {what} answered {str(value)[:40]!r}, not hex data")


def head_of(block: Mapping[str, Any]) -> Head:
    """Read a header; raises `LookupError`, `TypeError` or `ValueError` for a wrong shape."""
    return Head(
        number=int(block["number"], 16),
        hash=hash32(block["hash"]),
        parent_hash=hash32(block["parentHash"]),
        timestamp_s=int(block["timestamp"], 16),
        base_fee_wei=int(block["baseFeePerGas"], 16),
        gas_limit=int(block["gasLimit"], 16),
        gas_used=int(block["gasUsed"], 16),
        coinbase=address(block["miner"]),
    )


def mined_tx_of(tx: Mapping[str, Any]) -> MinedTx:
    """Read a transaction of a block; raises as `head_of`."""
    to = tx["to"]
    return MinedTx(
        hash=Hash32(tx["hash"].lower()),
        sender=Address(tx["from"].lower()),
        to=None if to is None else Address(to.lower()),
        nonce=int(tx["nonce"], 16),
        value_wei=int(tx["value"], 16),
    )


def log_of(entry: Mapping[str, Any]) -> Log:
    """Read an event log; raises as `head_of`."""
    return Log(
        address=Address(entry["address"].lower()),
        topics=tuple(topic.lower() for topic in entry["topics"]),
        data=bytes.fromhex(entry["data"][2:]),
        block_hash=Hash32(entry["blockHash"].lower()),
        tx_hash=Hash32(entry["transactionHash"].lower()),
        tx_index=int(entry["transactionIndex"], 16),
        log_index=int(entry["logIndex"], 16),
    )
