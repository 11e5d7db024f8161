"""Signing a bundle: the mint and the burn as type 2 transactions around the victim's own bytes."""

from __future__ import annotations

import uuid

from jitctl.domain.bundle import BundleDraft, SignedBundle
from jitctl.domain.values import Address, Hash32
from jitctl.execution.executor_calls import burn_calldata, mint_calldata
from jitctl.execution.legs import Wallet, signed_call
from jitctl.execution.raw_tx import keccak256, rebuild

_UUID_NAMESPACE = uuid.UUID("6f1c2f0e-7f43-5f0e-9f53-6a6974637400")


class BundleSigner:
    """CPU only. Both legs pay the target block's exact base fee and no priority fee: the tip is in the burn.

    So a leg is worth nothing to a builder alone, and cannot be included in a dearer block.
    """

    def __init__(self, wallet: Wallet, *, chain_id: int, executor: Address) -> None:
        self._wallet = wallet
        self._chain_id = chain_id
        self._executor = executor

    def operators(self) -> tuple[Address, ...]:
        """The accounts that can sign, one lane each."""
        return self._wallet.addresses

    def sign(self, draft: BundleDraft) -> SignedBundle:
        """Return mint, victim, burn in raw form.

        The uuid depends on the attempt alone, so that signing again replaces what a relay holds. The bundle
        is for the planned slot only: if that is missed, the block of this number comes a slot later, and
        the prices are older by as much. Raises `RawMismatch` (a `NodeError`) when the victim's bytes do not
        hash to its hash.
        """
        victim = rebuild(draft.victim)
        mint = self._leg(draft, mint_calldata(draft), draft.nonce, draft.mint_gas_limit)
        burn = self._leg(draft, burn_calldata(draft), draft.nonce + 1, draft.burn_gas_limit)
        return SignedBundle(
            uuid=bundle_uuid(draft.attempt_id),
            raw_txs=(mint, victim, burn),
            tx_hashes=(_hash(mint), draft.victim.hash, _hash(burn)),
            target_block=draft.target_block,
            max_timestamp_s=draft.timestamp_s,
        )

    def _leg(self, draft: BundleDraft, calldata: bytes, nonce: int, gas_limit: int) -> bytes:
        return signed_call(
            self._wallet,
            chain_id=self._chain_id,
            sender=draft.operator,
            nonce=nonce,
            to=self._executor,
            calldata=calldata,
            gas_limit=gas_limit,
            max_fee_wei=draft.base_fee_wei,
        )


def bundle_uuid(attempt_id: str) -> str:
    """The replacement uuid of an attempt: always the same for the same attempt."""
    return str(uuid.uuid5(_UUID_NAMESPACE, attempt_id))


def _hash(raw: bytes) -> Hash32:
    return Hash32("0x" + keccak256(raw).hex())
