"""Reading JSON-RPC values strictly: what is not of the promised shape is a `NodeError`, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jitctl.domain.chain import Head, Log, MinedTx
from jitctl.domain.values import Address, Hash32, address, hash32
from jitctl.errors import NodeError

_BELOW_COUNT = 1 << 63
"""What the ledger can hold as a number."""
_BELOW_AMOUNT = 1 << 256
_MOST_CHARS = 2 + 64
_LEAST_GAS_LIMIT = 5_000
"""What a block must have at least. Source: EIP-1559."""


def quantity(value: Any, node: str, what: str) -> int:
    """Return a hex quantity as an integer; raises `NodeError`."""
    try:
        return amount_of(value)
    except ValueError:
        raise NodeError(f"node {node}: {what} answered {str(value)[:40]!r}, not a quantity") from None


def count_of(value: Any) -> int:
    """Return a quantity that counts or numbers something, below 2^63; raises `ValueError`."""
    return _below(value, _BELOW_COUNT)


def amount_of(value: Any) -> int:
    """Return a quantity that may be an amount, below 2^256; raises `ValueError`."""
    return _below(value, _BELOW_AMOUNT)


def _below(value: Any, bound: int) -> int:
    # Without a bound one absurd number would spoil what it is added to, and could not even be written down.
    if isinstance(value, str) and value.startswith("0x") and len(value) <= _MOST_CHARS:
        found = int(value, 16)
        if found < bound:
            return found
    raise ValueError(f"not a quantity: {str(value)[:40]!r}")


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
    gas_limit = count_of(block["gasLimit"])
    if gas_limit < _LEAST_GAS_LIMIT:
        raise ValueError(f"a block with a gas limit of {gas_limit}")
    return Head(
        number=count_of(block["number"]),
        hash=hash32(block["hash"]),
        parent_hash=hash32(block["parentHash"]),
        timestamp_s=count_of(block["timestamp"]),
        base_fee_wei=amount_of(block["baseFeePerGas"]),
        gas_limit=gas_limit,
        gas_used=count_of(block["gasUsed"]),
        coinbase=address(block["miner"]),
    )


def mined_tx_of(tx: Mapping[str, Any]) -> MinedTx:
    """Read a transaction of a block; raises as `head_of`."""
    to = tx["to"]
    return MinedTx(
        hash=Hash32(tx["hash"].lower()),
        sender=Address(tx["from"].lower()),
        to=None if to is None else Address(to.lower()),
        nonce=count_of(tx["nonce"]),
        value_wei=amount_of(tx["value"]),
    )


def log_of(entry: Mapping[str, Any]) -> Log:
    """Read an event log; raises as `head_of`."""
    return Log(
        address=Address(entry["address"].lower()),
        topics=tuple(topic.lower() for topic in entry["topics"]),
        data=bytes.fromhex(entry["data"][2:]),
        block_hash=Hash32(entry["blockHash"].lower()),
        tx_hash=Hash32(entry["transactionHash"].lower()),
        tx_index=count_of(entry["transactionIndex"]),
        log_index=count_of(entry["logIndex"]),
    )
