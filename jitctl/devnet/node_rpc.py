"""The node's JSON-RPC: what the door answers itself, what it passes to anvil, and nothing else.

anvil's own methods (`anvil_*`, `evm_*`, unlocked accounts, filters) are not offered: a client must not be
able to do what a mainnet node would not let it do.
"""

from __future__ import annotations

from typing import Any

import orjson

from jitctl.devnet.devchain import DevChain
from jitctl.devnet.faults import View
from jitctl.devnet.json_rpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    SERVER_ERROR,
    RpcCall,
    RpcError,
    hex_bytes,
    param,
    reply_result,
)
from jitctl.devnet.lag_view import answered_behind, asked_behind
from jitctl.devnet.transactions import TxRefused

CLIENT_VERSION = "jitctl-devnet/v1"
MAX_BATCH = 1_000
FORWARDED = frozenset(
    {
        "eth_blockNumber", "eth_chainId", "eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_feeHistory",
        "eth_getBalance", "eth_getCode", "eth_getStorageAt", "eth_getProof", "eth_call", "eth_estimateGas",
        "eth_createAccessList", "eth_simulateV1", "eth_getBlockByHash", "eth_getBlockByNumber",
        "eth_getBlockTransactionCountByHash", "eth_getBlockTransactionCountByNumber", "eth_getBlockReceipts",
        "eth_getTransactionByBlockHashAndIndex", "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionReceipt", "eth_getLogs", "eth_getUncleCountByBlockHash", "eth_syncing",
        "eth_getUncleCountByBlockNumber", "net_version", "net_listening", "web3_sha3",
        "debug_traceTransaction", "debug_traceCall", "debug_traceBlockByNumber", "debug_traceBlockByHash",
        "trace_transaction", "trace_block",
    }
)  # fmt: skip


class NodeRpc:
    """Answers requests for one view of the chain."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain

    async def answer(self, call: RpcCall, view: View) -> bytes:
        """Return the whole reply; raises `RpcError`."""
        if (fault := view.has("wrong_chain", call.method)) and call.method in ("eth_chainId", "net_version"):
            shown = hex(fault.value) if call.method == "eth_chainId" else str(fault.value)
            return reply_result(call.raw_id, shown)
        if view.has("error", call.method):
            raise RpcError(SERVER_ERROR, "internal error")
        match call.method:
            case "eth_sendRawTransaction":
                return reply_result(call.raw_id, await self._send(call.params))
            case "eth_getTransactionByHash" | "eth_getRawTransactionByHash":
                waiting = self._chain.mempool.get(str(param(call.params, 0, str, "transaction hash")).lower())
                if waiting is not None:
                    raw = call.method == "eth_getRawTransactionByHash"
                    return reply_result(call.raw_id, "0x" + waiting.raw.hex() if raw else waiting.body)
                return await self._forward(call, view)
            case "eth_getTransactionCount" if call.params[1:] == ["pending"]:
                account = param(call.params, 0, str, "address").lower()
                return reply_result(call.raw_id, hex(await self._chain.pending_nonce(account)))
            case "eth_getTransactionCount":
                return await self._forward(call, view)
            case "eth_accounts":
                return reply_result(call.raw_id, [])
            case "web3_clientVersion":
                return reply_result(call.raw_id, CLIENT_VERSION)
            case "net_peerCount":
                return reply_result(call.raw_id, "0x19")
            case "txpool_status" | "txpool_content" | "txpool_contentFrom":
                return reply_result(call.raw_id, await self._pool(call))
            case method if method in FORWARDED:
                return await self._forward(call, view)
        raise RpcError(METHOD_NOT_FOUND, f"the method {call.method} does not exist/is not available")

    async def _send(self, params: list[Any]) -> str:
        try:
            return (await self._chain.submit(hex_bytes(param(params, 0, str, "raw transaction"), "raw"))).hash
        except TxRefused as error:
            raise RpcError(SERVER_ERROR, str(error)) from error

    async def _forward(self, call: RpcCall, view: View) -> bytes:
        if lag := view.lag():
            return reply_result(call.raw_id, await self._behind(call, lag))
        async with self._chain.gate.reading():
            rest = await self._chain.link.forward(call.method, orjson.dumps(call.params))
        return b'{"jsonrpc":"2.0","id":' + call.raw_id + rest

    async def _behind(self, call: RpcCall, lag: int) -> Any:
        """Answer as a node that has not seen the newest `lag` blocks."""
        async with self._chain.gate.reading():
            head = self._chain.head.number
            if call.method == "eth_blockNumber":
                return hex(max(0, head - lag))
            params = asked_behind(call.method, call.params, head, lag)
            if params is None:
                return None
            reply = orjson.loads(
                b'{"id":0' + await self._chain.link.forward(call.method, orjson.dumps(params))
            )
        if "error" in reply:
            raise RpcError(reply["error"].get("code", SERVER_ERROR), reply["error"].get("message", ""))
        return answered_behind(call.method, reply["result"], head, lag)

    async def _pool(self, call: RpcCall) -> Any:
        pool = self._chain.mempool
        wanted = pool.senders()
        if call.method == "txpool_contentFrom":
            wanted = tuple(
                sender for sender in wanted if sender == param(call.params, 0, str, "address").lower()
            )
        parts: dict[str, dict[str, dict[str, Any]]] = {"pending": {}, "queued": {}}
        for sender in wanted:
            end = await self._chain.pending_nonce(sender)
            for nonce, tx in sorted(pool.waiting(sender).items()):
                part = "pending" if nonce < end else "queued"
                parts[part].setdefault(sender, {})[str(nonce)] = tx.body
        if call.method == "txpool_status":
            return {part: hex(sum(map(len, senders.values()))) for part, senders in parts.items()}
        if call.method == "txpool_contentFrom":
            return {part: next(iter(senders.values()), {}) for part, senders in parts.items()}
        return parts


def check_batch(entries: list[Any]) -> None:
    """Refuse an empty or oversized batch."""
    if not entries:
        raise RpcError(INVALID_PARAMS, "empty batch")
    if len(entries) > MAX_BATCH:
        raise RpcError(INVALID_PARAMS, f"batch too large: {len(entries)} requests, at most {MAX_BATCH}")
