"""JSON-RPC bodies of pending transactions, as nodes send them."""

from __future__ import annotations

from typing import Any

ROUTER = "0x" + "a1" * 20
TOKEN = "0x" + "b2" * 20
SENDER = "0x" + "c3" * 20
NOBODY = "0x" + "d4" * 20


def body(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "0x2",
        "chainId": "0x7a69",
        "nonce": "0x5",
        "gas": "0x30d40",
        "maxFeePerGas": "0x77359400",
        "maxPriorityFeePerGas": "0x3b9aca00",
        "to": ROUTER,
        "value": "0xde0b6b3a7640000",
        "accessList": [],
        "input": "0x414bf389" + "00" * 256,
        "r": "0x" + "11" * 32,
        "s": "0x" + "22" * 32,
        "yParity": "0x1",
        "v": "0x1",
        "hash": "0x" + "e5" * 32,
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "from": SENDER,
        "gasPrice": "0x77359400",
    }
    found.update(changes)
    return found


def numbered(index: int, **changes: Any) -> dict[str, Any]:
    return body(hash=f"0x{index:064x}", **changes)
