"""The relay's JSON-RPC: bundles in, simulations and statistics out, every request signed.

Methods and shapes as builders and relays publish them: eth_sendBundle, eth_callBundle, eth_cancelBundle,
flashbots_getUserStatsV2, flashbots_getBundleStatsV2. A request is signed with EIP-191 over the hex keccak
of its body, in the header `X-Flashbots-Signature: <address>:<signature>`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import coincurve
from eth_hash.auto import keccak

from jitctl.devnet.builder import Slot, Trial
from jitctl.devnet.bundles import Bundle, BundleBook, bundle_hash
from jitctl.devnet.chain_record import BlockRecord
from jitctl.devnet.json_rpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    SERVER_ERROR,
    RpcCall,
    RpcError,
    hex_bytes,
    param,
    quantity,
)
from jitctl.devnet.transactions import SignedTx, TxRefused, decode_raw
from jitctl.domain.values import Address, Hash32

SIGNATURE_HEADER = "X-Flashbots-Signature"
MAX_BUNDLE_TXS = 100

Simulate = Callable[[tuple[SignedTx, ...], int | None], Awaitable[tuple[Slot, list[Trial]]]]
"""Mines growing prefixes of the transactions on the head at a timestamp: one trial for each prefix."""


class Relay:
    """One builder's order desk; what it holds is included by the door's builder."""

    def __init__(
        self,
        book: BundleBook,
        chain_id: int,
        coinbase: Address,
        head: Callable[[], BlockRecord],
        simulate: Simulate,
    ) -> None:
        self._book = book
        self._chain_id = chain_id
        self._coinbase = coinbase
        self._head = head
        self._simulate = simulate
        self.gas_simulated: dict[Address, int] = {}

    async def call(self, call: RpcCall, signer: Address, *, keep: bool = True) -> Any:
        """Answer one request; with `keep` off a bundle is accepted and forgotten. Raises `RpcError`."""
        match call.method:
            case "eth_sendBundle":
                return self._send(call.params, signer, keep)
            case "eth_callBundle":
                return await self._call_bundle(call.params, signer)
            case "eth_cancelBundle":
                return self._cancel(call.params, signer)
            case "flashbots_getUserStatsV2":
                return self._user_stats(call.params, signer)
            case "flashbots_getBundleStatsV2":
                return self._bundle_stats(call.params)
        raise RpcError(METHOD_NOT_FOUND, f"the method {call.method} does not exist/is not available")

    def _send(self, params: list[Any], signer: Address, keep: bool) -> dict[str, str]:
        body = param(params, 0, dict, "bundle")
        txs = self._decode(body)
        head = self._head().number
        target = quantity(body["blockNumber"], "blockNumber") if body.get("blockNumber") else head + 1
        if target <= head:
            raise RpcError(SERVER_ERROR, f"bundle target block {target} is not in the future, head is {head}")
        uuid = body.get("replacementUuid") or body.get("uuid")
        if uuid is not None and not isinstance(uuid, str):
            raise RpcError(INVALID_PARAMS, "invalid replacementUuid")
        bundle = Bundle(
            hash=bundle_hash(txs),
            signer=signer,
            txs=txs,
            target_block=target,
            uuid=uuid,
            min_timestamp_s=_optional(body, "minTimestamp"),
            max_timestamp_s=_optional(body, "maxTimestamp"),
            may_revert=frozenset(Hash32(str(row).lower()) for row in body.get("revertingTxHashes") or ()),
            received_s=time.time(),
        )
        if keep:
            self._book.add(bundle)
        return {"bundleHash": bundle.hash}

    def _cancel(self, params: list[Any], signer: Address) -> list[str]:
        body = param(params, 0, dict, "cancellation")
        uuid = body.get("replacementUuid") or body.get("uuid")
        if not isinstance(uuid, str):
            raise RpcError(INVALID_PARAMS, "missing replacementUuid")
        return [str(gone) for gone in self._book.withdraw(signer, uuid)]

    async def _call_bundle(self, params: list[Any], signer: Address) -> dict[str, Any]:
        body = param(params, 0, dict, "bundle")
        txs = self._decode(body)
        head = self._head()
        state_block = body.get("stateBlockNumber", "latest")
        if state_block != "latest" and quantity(state_block, "stateBlockNumber") != head.number:
            raise RpcError(
                SERVER_ERROR, f"state of block {state_block} is not available, head is {head.number}"
            )
        slot, trials = await self._simulate(txs, _optional(body, "timestamp"))
        if trials[-1].reason:
            raise RpcError(SERVER_ERROR, f"bundle is not valid: {trials[-1].reason}")
        results, paid_before = [], 0
        for tx, receipt, trial in zip(txs, trials[-1].receipts, trials, strict=True):
            results.append(self._result(slot, tx, receipt, trial.paid_wei - paid_before))
            paid_before = trial.paid_wei
        gas = sum(int(receipt["gasUsed"], 16) for receipt in trials[-1].receipts)
        fees = sum(int(row["gasFees"]) for row in results)
        self.gas_simulated[signer] = self.gas_simulated.get(signer, 0) + gas
        return {
            "bundleHash": bundle_hash(txs),
            "bundleGasPrice": str(paid_before // gas),
            "coinbaseDiff": str(paid_before),
            "ethSentToCoinbase": str(paid_before - fees),
            "gasFees": str(fees),
            "results": results,
            "stateBlockNumber": head.number,
            "totalGasUsed": gas,
        }

    def _result(self, slot: Slot, tx: SignedTx, receipt: dict[str, Any], paid_wei: int) -> dict[str, Any]:
        gas = int(receipt["gasUsed"], 16)
        fees = gas * tx.tip_wei(slot.base_fee_wei)
        result: dict[str, Any] = {
            "txHash": tx.hash,
            "fromAddress": tx.sender,
            "toAddress": tx.to,
            "gasUsed": gas,
            "gasPrice": str(paid_wei // gas),
            "gasFees": str(fees),
            "coinbaseDiff": str(paid_wei),
            "ethSentToCoinbase": str(paid_wei - fees),
        }
        if receipt["status"] != "0x1":
            result["error"] = "execution reverted"
        else:
            result["value"] = "0x"
        return result

    def _decode(self, body: dict[str, Any]) -> tuple[SignedTx, ...]:
        raws = body.get("txs")
        if not isinstance(raws, list) or not 0 < len(raws) <= MAX_BUNDLE_TXS:
            raise RpcError(INVALID_PARAMS, "bundle missing txs")
        try:
            txs = tuple(decode_raw(hex_bytes(raw, "tx")) for raw in raws)
        except TxRefused as error:
            raise RpcError(INVALID_PARAMS, f"invalid tx in bundle: {error}") from error
        for tx in txs:
            if tx.chain_id != self._chain_id:
                raise RpcError(
                    INVALID_PARAMS, f"invalid tx in bundle: {tx.hash}: invalid chain id for signer"
                )
        if len({tx.hash for tx in txs}) != len(txs):
            raise RpcError(INVALID_PARAMS, "bundle contains a tx twice")
        return txs

    def _user_stats(self, params: list[Any], signer: Address) -> dict[str, Any]:
        quantity(param(params, 0, dict, "request").get("blockNumber"), "blockNumber")
        simulated = str(self.gas_simulated.get(signer, 0))
        payments = str(
            sum(
                tx.gas_limit * tx.max_priority_fee_wei
                for entry in self._book.entries()
                if entry.bundle.signer == signer and entry.outcome.state == "included"
                for tx in entry.bundle.txs
            )
        )
        spans = ("allTime", "last7d", "last1d")
        return {
            "isHighPriority": False,
            **{f"{span}ValidatorPayments": payments for span in spans},
            **{f"{span}GasSimulated": simulated for span in spans},
        }

    def _bundle_stats(self, params: list[Any]) -> dict[str, Any]:
        body = param(params, 0, dict, "request")
        block_number = quantity(body.get("blockNumber"), "blockNumber")
        entry = self._book.find(str(body.get("bundleHash")).lower(), block_number)
        if entry is None:
            return {"isSimulated": False}

        def seen_by_builder(at_s: float | None) -> list[dict[str, str]]:
            return [] if at_s is None else [{"pubkey": self._coinbase, "timestamp": _iso(at_s)}]

        return {
            "isHighPriority": False,
            "isSimulated": entry.considered_s is not None,
            "simulatedAt": None if entry.considered_s is None else _iso(entry.considered_s),
            "receivedAt": _iso(entry.bundle.received_s),
            "consideredByBuildersAt": seen_by_builder(entry.considered_s),
            "sealedByBuildersAt": seen_by_builder(entry.sealed_s),
        }


def verify_signature(header: str | None, body: bytes) -> Address:
    """Return who signed the body; raises `RpcError` (HTTP 403) when nobody did."""
    if not header:
        raise RpcError(INVALID_REQUEST, f"signer address is empty: {SIGNATURE_HEADER} is missing", status=403)
    claimed, _, signature_hex = header.partition(":")
    try:
        signature = bytes.fromhex(signature_hex.removeprefix("0x"))
        if len(signature) != 65:
            raise ValueError("length")
        message = b"0x" + keccak(body).hex().encode()
        digest = keccak(b"\x19Ethereum Signed Message:\n%d%b" % (len(message), message))
        packed = signature[:64] + bytes([signature[64] % 27])
        key = coincurve.PublicKey.from_signature_and_message(packed, digest, hasher=None)
    except Exception as error:  # coincurve raises bare Exception for an impossible signature
        raise RpcError(INVALID_REQUEST, "invalid signature", status=403) from error
    signer = Address("0x" + keccak(key.format(compressed=False)[1:])[12:].hex())
    if signer != claimed.lower():
        raise RpcError(INVALID_REQUEST, "signature does not match the signer address", status=403)
    return signer


def _optional(body: dict[str, Any], key: str) -> int | None:
    return None if body.get(key) in (None, 0, "0x0") else quantity(body[key], key)


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
