"""From a JSON-RPC transaction object to a `PendingTx`: strict, and total in what it refuses."""

from __future__ import annotations

from typing import Any

from jitctl.domain.chain import PendingTx
from jitctl.domain.values import Address, address, hash32

MAX_CALLDATA_BYTES = 128 * 1024
"""The public pool carries no larger transaction."""
KNOWN_TYPES = frozenset({0, 1, 2, 3, 4})
_U64 = 1 << 64
_U256 = 1 << 256


def parse_pending(body: Any, seen_ns: int) -> PendingTx | None:
    """Return the transaction, or None where `body` is not a complete and well-formed pending one.

    A body that already names a block is refused too: it is not pending.
    """
    if not isinstance(body, dict):
        return None
    try:
        if body.get("blockHash") is not None:
            return None
        tx_type = _number(body.get("type", "0x0"), _U64)
        calldata = _calldata(body)
        to = body["to"]
        if tx_type not in KNOWN_TYPES or not isinstance(to, str | None):
            return None
        if tx_type == 4 and not isinstance(body["authorizationList"], list):
            return None
        max_fee_wei, priority_wei = _fees(body, tx_type)
        return PendingTx(
            hash=hash32(body["hash"]),
            sender=address(body["from"]),
            to=None if to is None else address(to),
            nonce=_number(body["nonce"], _U64),
            value_wei=_number(body["value"], _U256),
            calldata=calldata,
            gas_limit=_number(body["gas"], _U64),
            tx_type=tx_type,
            max_fee_per_gas_wei=max_fee_wei,
            max_priority_fee_per_gas_wei=priority_wei,
            rpc_body=body,
            seen_ns=seen_ns,
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _fees(body: dict[str, Any], tx_type: int) -> tuple[int, int]:
    if tx_type >= 2:
        max_fee_wei = _number(body["maxFeePerGas"], _U256)
        priority_wei = _number(body["maxPriorityFeePerGas"], _U256)
        if priority_wei > max_fee_wei:
            raise ValueError("priority fee above the maximum fee")
        return max_fee_wei, priority_wei
    gas_price_wei = _number(body["gasPrice"], _U256)
    return gas_price_wei, gas_price_wei


def _calldata(body: dict[str, Any]) -> bytes:
    text = body["input"] if "input" in body else body["data"]
    if not text.startswith("0x") or len(text) > 2 * MAX_CALLDATA_BYTES + 2:
        raise ValueError("calldata")
    return bytes.fromhex(text[2:])


def _number(text: str, below: int) -> int:
    if not text.startswith("0x"):
        raise ValueError("quantity")
    value = int(text, 16)
    if not 0 <= value < below:
        raise ValueError("quantity")
    return value


def sender_of(body: Any) -> Address | None:
    """The sender alone, or None."""
    try:
        return address(body["from"])
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
