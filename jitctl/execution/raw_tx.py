"""A pending transaction's raw bytes, rebuilt from its JSON-RPC body and proved by its hash.

Relays take raw transactions, nodes announce bodies. Types 0 (with and without EIP-155), 1 (EIP-2930),
2 (EIP-1559) and 4 (EIP-7702) are rebuilt; a blob transaction's sidecar is not in its body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from Crypto.Hash import keccak

from jitctl.domain.chain import PendingTx
from jitctl.errors import NodeError
from jitctl.execution.rlp import Item, encode


class RawMismatch(NodeError):
    """The body does not rebuild to the bytes of its hash: the node sent something incomplete or altered."""

    reason = "raw_mismatch"


def keccak256(data: bytes) -> bytes:
    return keccak.new(data=data, digest_bits=256).digest()


def rebuild(tx: PendingTx) -> bytes:
    """Return the signed transaction's bytes; raises `RawMismatch` unless keccak256 of them is its hash."""
    try:
        raw = _encoded(tx.tx_type, tx.rpc_body)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        raise RawMismatch(f"{tx.hash}: its body cannot be encoded as type {tx.tx_type}") from None
    if keccak256(raw).hex() != tx.hash[2:]:
        raise RawMismatch(f"{tx.hash}: its body does not hash to it")
    return raw


def _encoded(tx_type: int, body: Mapping[str, Any]) -> bytes:
    if tx_type == 0:
        fields = [_number(body["nonce"]), _number(body["gasPrice"]), *_call(body)]
        # With EIP-155 the chain id is inside v, so the field itself is not part of the encoding.
        return encode([*fields, _number(body["v"]), _number(body["r"]), _number(body["s"])])
    if tx_type == 1:
        fields = [
            _number(body["chainId"]),
            _number(body["nonce"]),
            _number(body["gasPrice"]),
            *_call(body),
            _access_list(body),
        ]
    elif tx_type in (2, 4):
        fields = [
            _number(body["chainId"]),
            _number(body["nonce"]),
            _number(body["maxPriorityFeePerGas"]),
            _number(body["maxFeePerGas"]),
            *_call(body),
            _access_list(body),
        ]
        if tx_type == 4:
            fields.append([_authorization(each) for each in body["authorizationList"]])
    else:
        raise ValueError(f"type {tx_type}")
    return bytes((tx_type,)) + encode([*fields, _parity(body), _number(body["r"]), _number(body["s"])])


def _call(body: Mapping[str, Any]) -> list[Item]:
    """gas, to, value, data: the fields that every type has in this order."""
    to = body["to"]
    data = body["input"] if "input" in body else body["data"]
    return [
        _number(body["gas"]),
        b"" if to is None else bytes.fromhex(to[2:]),
        _number(body["value"]),
        bytes.fromhex(data[2:]),
    ]


def _access_list(body: Mapping[str, Any]) -> list[Item]:
    return [
        [bytes.fromhex(entry["address"][2:]), [_word(key) for key in entry["storageKeys"]]]
        for entry in body.get("accessList") or ()
    ]


def _authorization(entry: Mapping[str, Any]) -> list[Item]:
    return [
        _number(entry["chainId"]),
        bytes.fromhex(entry["address"][2:]),
        _number(entry["nonce"]),
        _parity(entry),
        _number(entry["r"]),
        _number(entry["s"]),
    ]


def _parity(body: Mapping[str, Any]) -> int:
    return _number(body["yParity"] if "yParity" in body else body["v"])


def _word(text: str) -> bytes:
    word = bytes.fromhex(text[2:])
    if len(word) != 32:
        raise ValueError("a storage key is 32 bytes")
    return word


def _number(text: str | int) -> int:
    return text if isinstance(text, int) else int(text, 16)
