"""Closing a position that was left open, by an ordinary public transaction."""

from __future__ import annotations

from typing import Protocol

from jitctl.contracts import calls
from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.bundle import LegAmounts, MinedBundle, MinedLeg, SignedTx
from jitctl.domain.chain import Head
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError
from jitctl.execution.legs import Wallet, signed_call
from jitctl.execution.node import Node
from jitctl.execution.raw_tx import keccak256

GAS_LIMIT = 600_000
PRIORITY_FEE_WEI = 2 * 10**9
_ALREADY_KNOWN = ("already known", "already imported", "known transaction")


class LegReader(Protocol):
    """Reads one of the executor's transactions from the canonical chain."""

    async def leg(self, tx_hash: Hash32) -> tuple[MinedLeg, LegAmounts] | None: ...


class PublicCloser:
    """Speed matters more than price here: twice the base fee at most, and a priority fee."""

    def __init__(
        self,
        node: Node,
        reader: LegReader,
        wallet: Wallet,
        *,
        chain_id: int,
        executor: Address,
        gas_limit: int = GAS_LIMIT,
        priority_fee_wei: int = PRIORITY_FEE_WEI,
    ) -> None:
        self._node = node
        self._reader = reader
        self._wallet = wallet
        self._chain_id = chain_id
        self._executor = executor
        self._gas_limit = gas_limit
        self._priority_fee_wei = priority_fee_wei

    def sign(self, pool: Address, operator: Address, nonce: int, parent: Head) -> SignedTx:
        """Sign `close(pool)`, with fees for the block after `parent`."""
        raw = signed_call(
            self._wallet,
            chain_id=self._chain_id,
            sender=operator,
            nonce=nonce,
            to=self._executor,
            calldata=calls.close(pool),
            gas_limit=self._gas_limit,
            max_fee_wei=2 * next_base_fee_wei(parent) + self._priority_fee_wei,
            priority_fee_wei=self._priority_fee_wei,
        )
        return SignedTx(Hash32("0x" + keccak256(raw).hex()), raw)

    async def send(self, signed: SignedTx) -> None:
        """Send a signed close to the public pool; raises `NodeError` or `TimedOut`."""
        try:
            told = await self._node.call("eth_sendRawTransaction", ["0x" + signed.raw.hex()])
        except NodeError as error:
            if error.rpc_code is None or not any(each in error.message.lower() for each in _ALREADY_KNOWN):
                raise
            return
        if told != signed.tx_hash:
            raise NodeError("the node acknowledged another transaction than the one sent")

    async def closed(self, tx_hash: Hash32) -> MinedBundle | None:
        """What the close came to, as the `burn` leg of a bundle; None while it is not mined."""
        found = await self._reader.leg(tx_hash)
        return None if found is None else MinedBundle(None, None, found[0], found[1])
