"""Signing one call to the executor as a type 2 transaction."""

from __future__ import annotations

from typing import Protocol

from jitctl.domain.values import Address
from jitctl.execution.raw_tx import keccak256
from jitctl.execution.rlp import Item, encode, wrap

_TYPE_2 = b"\x02"


class Wallet(Protocol):
    """The operator keys."""

    @property
    def addresses(self) -> tuple[Address, ...]: ...
    def sign_digest(self, address: Address, digest: bytes) -> tuple[int, int, int]: ...


def signed_call(
    wallet: Wallet,
    *,
    chain_id: int,
    sender: Address,
    nonce: int,
    to: Address,
    calldata: bytes,
    gas_limit: int,
    max_fee_wei: int,
    priority_fee_wei: int = 0,
) -> bytes:
    """Return the raw transaction (EIP-1559); raises `KeyError` for a sender that is not ours."""
    fields: list[Item] = [
        chain_id,
        nonce,
        priority_fee_wei,
        max_fee_wei,
        gas_limit,
        bytes.fromhex(to[2:]),
        0,
        calldata,
        (),
    ]
    payload = b"".join([encode(field) for field in fields])
    y_parity, r, s = wallet.sign_digest(sender, keccak256(_TYPE_2 + wrap(payload)))
    return _TYPE_2 + wrap(payload + encode(y_parity) + encode(r) + encode(s))
