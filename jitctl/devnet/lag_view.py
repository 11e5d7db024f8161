"""How a node answers that is some blocks behind: older blocks for `latest`, null for what is newer."""

from __future__ import annotations

from typing import Any

_BLOCK_AT = {
    "eth_getBalance": 1, "eth_getCode": 1, "eth_getTransactionCount": 1, "eth_getStorageAt": 2,
    "eth_getProof": 2, "eth_call": 1, "eth_estimateGas": 1, "eth_createAccessList": 1,
    "eth_simulateV1": 1, "debug_traceCall": 1, "eth_getBlockByNumber": 0, "eth_getBlockReceipts": 0,
    "eth_getBlockTransactionCountByNumber": 0, "eth_getTransactionByBlockNumberAndIndex": 0,
    "eth_feeHistory": 1,
}  # fmt: skip
_NAMES_ITS_BLOCK = {
    "eth_getTransactionByHash": "blockNumber",
    "eth_getTransactionReceipt": "blockNumber",
    "eth_getBlockByHash": "number",
}
_DEPTHS = {"latest": 0, "pending": 0, "safe": 4, "finalized": 8}


def asked_behind(method: str, params: list[Any], head: int, lag: int) -> list[Any] | None:
    """Return the parameters as a node `lag` blocks behind takes them; None if it knows no such block."""
    seen_head = max(0, head - lag)
    if method == "eth_getLogs" and params and isinstance(params[0], dict) and "blockHash" not in params[0]:
        moved = {key: _tag(params[0].get(key, "latest"), seen_head) for key in ("fromBlock", "toBlock")}
        moved["toBlock"] = hex(min(int(moved["toBlock"], 16), seen_head))
        return [{**params[0], **moved}]
    at = _BLOCK_AT.get(method)
    if at is None:
        return params
    if len(params) <= at:
        return [*params, hex(seen_head)] if len(params) == at else params
    reference = params[at]
    if isinstance(reference, dict):
        return params
    tag = _tag(reference, seen_head)
    if tag.startswith("0x") and len(tag) < 66 and int(tag, 16) > seen_head:
        return None
    return [*params[:at], tag, *params[at + 1 :]]


def answered_behind(method: str, result: Any, head: int, lag: int) -> Any:
    """Return the result as such a node gives it: null for what is in a block it has not seen."""
    key = _NAMES_ITS_BLOCK.get(method)
    if key is None or not isinstance(result, dict) or result.get(key) is None:
        return result
    return None if int(result[key], 16) > head - lag else result


def _tag(reference: Any, seen_head: int) -> str:
    if reference in _DEPTHS:
        return hex(max(0, seen_head - _DEPTHS[reference]))
    return "0x0" if reference == "earliest" else str(reference)
