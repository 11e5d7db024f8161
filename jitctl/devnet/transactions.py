"""A signed transaction as the door sees it: decoded from raw bytes, its sender recovered, its RPC body built.

Formats: legacy with and without EIP-155, EIP-2930, EIP-1559, EIP-7702. Blob transactions are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import coincurve
from eth_hash.auto import keccak

from jitctl.devnet.rlp_codec import RlpItem, int_bytes, rlp_decode, rlp_encode
from jitctl.domain.values import Address, Hash32

SECP256K1_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
MAX_RAW_BYTES = 128 * 1024
TX_GAS_CAP = 1 << 24
"""No transaction may have a higher gas limit (EIP-7825)."""


class TxRefused(Exception):
    """A transaction is not taken; the message is what a node says."""


@dataclass(frozen=True, slots=True)
class SignedTx:
    """A valid signature over a well-formed transaction; nothing about the chain's state is checked."""

    raw: bytes
    hash: Hash32
    sender: Address
    tx_type: int
    chain_id: int | None
    nonce: int
    gas_limit: int
    max_fee_wei: int
    max_priority_fee_wei: int
    to: Address | None
    value_wei: int
    body: dict[str, Any]

    @property
    def max_cost_wei(self) -> int:
        return self.gas_limit * self.max_fee_wei + self.value_wei

    def tip_wei(self, base_fee_wei: int) -> int:
        """Return what the builder earns per gas; negative when the base fee is not even covered."""
        return min(self.max_priority_fee_wei, self.max_fee_wei - base_fee_wei)


def decode_raw(raw: bytes) -> SignedTx:
    """Decode and recover; raises `TxRefused` with a node's words."""
    if len(raw) > MAX_RAW_BYTES:
        raise TxRefused("oversized data")
    if not raw:
        raise TxRefused("empty typed transaction bytes")
    try:
        if raw[0] >= 0xC0:
            return _legacy(raw)
        if raw[0] in (1, 2, 4):
            return _typed(raw)
    except (ValueError, IndexError, TypeError) as error:
        raise TxRefused(f"rlp: {error}") from error
    raise TxRefused("transaction type not supported")


def intrinsic_gas(body: dict[str, Any]) -> int:
    """Return the least gas limit that a node accepts, the calldata floor of EIP-7623 included."""
    data = bytes.fromhex(body["input"][2:])
    zeros = data.count(0)
    tokens = zeros + 4 * (len(data) - zeros)
    gas = 21_000 + 4 * tokens
    if body["to"] is None:
        gas += 32_000 + 2 * ((len(data) + 31) // 32)
    for entry in body.get("accessList", ()):
        gas += 2_400 + 1_900 * len(entry["storageKeys"])
    gas += 25_000 * len(body.get("authorizationList", ()))
    return max(gas, 21_000 + 10 * tokens)


def _legacy(raw: bytes) -> SignedTx:
    fields = _list(rlp_decode(raw), 9)
    v = _int(fields[6])
    if v in (27, 28):
        chain_id, parity, unsigned = None, v - 27, fields[:6]
    elif v >= 35:
        chain_id, parity = (v - 35) // 2, (v - 35) % 2
        unsigned = [*fields[:6], int_bytes(chain_id), b"", b""]
    else:
        raise TxRefused("invalid transaction v, r, s values")
    price = _int(fields[1])
    body: dict[str, Any] = {"gasPrice": hex(price), "v": hex(v)}
    if chain_id is not None:
        body["chainId"] = hex(chain_id)
    return _assemble(
        raw, 0, chain_id, fields[0], fields[2], (price, price), fields[3:6], body,
        keccak(rlp_encode(unsigned)), parity, fields[7:9],
    )  # fmt: skip


def _typed(raw: bytes) -> SignedTx:
    kind = raw[0]
    decoded = rlp_decode(raw[1:])
    fields = _list(decoded, {1: 11, 2: 12, 4: 13}[kind])
    chain_id = _int(fields[0])
    body: dict[str, Any] = {"chainId": hex(chain_id)}
    if kind == 1:
        price = _int(fields[2])
        fees, at = (price, price), 3
        body["gasPrice"] = hex(price)
    else:
        fees, at = (_int(fields[3]), _int(fields[2])), 4
        # A pending transaction has no effective price yet; nodes show the maximum.
        body |= {
            "gasPrice": hex(fees[0]),
            "maxFeePerGas": hex(fees[0]),
            "maxPriorityFeePerGas": hex(fees[1]),
        }
    body["accessList"] = [_access(entry) for entry in _list(fields[at + 4])]
    if kind == 4:
        body["authorizationList"] = [_authorization(entry) for entry in _list(fields[at + 5])]
        if not body["authorizationList"]:
            raise TxRefused("EIP-7702 transaction with empty auth list")
    parity = _int(fields[-3])
    if parity not in (0, 1):
        raise TxRefused("invalid transaction v, r, s values")
    body |= {"v": hex(parity), "yParity": hex(parity)}
    return _assemble(
        raw, kind, chain_id, fields[1], fields[at], fees, fields[at + 1 : at + 4], body,
        keccak(bytes([kind]) + rlp_encode(fields[:-3])), parity, fields[-2:],
    )  # fmt: skip


def _assemble(
    raw: bytes,
    kind: int,
    chain_id: int | None,
    nonce: RlpItem,
    gas: RlpItem,
    fees: tuple[int, int],
    target: Sequence[RlpItem],
    body: dict[str, Any],
    digest: bytes,
    parity: int,
    signature: Sequence[RlpItem],
) -> SignedTx:
    to_bytes, value, data = _bytes(target[0]), _int(target[1]), _bytes(target[2])
    if len(to_bytes) not in (0, 20):
        raise TxRefused("rlp: input string too short for common.Address")
    if kind == 4 and not to_bytes:
        raise TxRefused("EIP-7702 transaction cannot be used to create contract")
    to = Address("0x" + to_bytes.hex()) if to_bytes else None
    tx_hash = Hash32("0x" + keccak(raw).hex())
    sender = _recover(digest, parity, signature)
    r, s = _int(signature[0]), _int(signature[1])
    nonce_value, gas_value = _int(nonce), _int(gas)
    body = {
        "blockHash": None, "blockNumber": None, "transactionIndex": None, "hash": tx_hash, "from": sender,
        "to": to, "nonce": hex(nonce_value), "gas": hex(gas_value), "value": hex(value),
        "input": "0x" + data.hex(), "type": hex(kind), **body, "r": hex(r), "s": hex(s),
    }  # fmt: skip
    return SignedTx(
        raw, tx_hash, sender, kind, chain_id, nonce_value, gas_value, fees[0], fees[1], to, value, body
    )


def _recover(digest: bytes, parity: int, signature: Sequence[RlpItem]) -> Address:
    r, s = _int(signature[0]), _int(signature[1])
    if not 0 < s <= SECP256K1_HALF_ORDER:
        raise TxRefused("invalid sender")
    packed = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = coincurve.PublicKey.from_signature_and_message(packed, digest, hasher=None)
    except Exception as error:  # coincurve raises bare Exception for a point that is not on the curve
        raise TxRefused("invalid sender") from error
    return Address("0x" + keccak(key.format(compressed=False)[1:])[12:].hex())


def _access(entry: RlpItem) -> dict[str, Any]:
    holder, keys = _list(entry, 2)
    return {
        "address": "0x" + _bytes(holder).hex(),
        "storageKeys": ["0x" + _bytes(key).hex() for key in _list(keys)],
    }


def _authorization(entry: RlpItem) -> dict[str, Any]:
    fields = _list(entry, 6)
    chain_id, nonce, parity, r, s = (_int(fields[index]) for index in (0, 2, 3, 4, 5))
    return {
        "chainId": hex(chain_id), "address": "0x" + _bytes(fields[1]).hex(), "nonce": hex(nonce),
        "yParity": hex(parity), "r": hex(r), "s": hex(s),
    }  # fmt: skip


def _list(item: RlpItem, length: int | None = None) -> list[RlpItem]:
    if not isinstance(item, list):
        raise ValueError("expected input list")
    if length is not None and len(item) != length:
        raise ValueError(f"expected {length} elements, not {len(item)}")
    return item


def _bytes(item: RlpItem) -> bytes:
    if not isinstance(item, bytes):
        raise ValueError("expected input string or byte")
    return item


def _int(item: RlpItem) -> int:
    data = _bytes(item)
    if len(data) > 32 or data[:1] == b"\0":
        raise ValueError("non-canonical integer (leading zero bytes)")
    return int.from_bytes(data, "big")
