"""Builds blocks as a mainnet builder does: bundles whole, in order or not at all, best payment first.

Everything is tried out for real: a candidate block is mined on anvil, read back and rolled back. So
payment is what the coinbase really gained, and a block is kept only when anvil mined exactly what was
intended. The caller holds the gate, so nobody sees the trials.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from jitctl.devnet.anvil_link import AnvilError, AnvilLink
from jitctl.devnet.bundles import Bundle, BundleOutcome
from jitctl.devnet.chain_record import BlockRecord, next_base_fee_wei
from jitctl.devnet.mempool import AccountState
from jitctl.devnet.transactions import SignedTx
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError

MAX_ATTEMPTS = 40
MAX_BUNDLES = 200


@dataclass(frozen=True, slots=True)
class Slot:
    """The block to build: its place, and what is known before it."""

    parent: BlockRecord
    timestamp_s: int
    base_fee_wei: int
    gas_limit: int
    states: Mapping[Address, AccountState]

    @classmethod
    def after(cls, parent: BlockRecord, timestamp_s: int, states: Mapping[Address, AccountState]) -> Slot:
        return cls(
            parent, timestamp_s, next_base_fee_wei(parent.block), int(parent.block["gasLimit"], 16), states
        )


@dataclass(frozen=True, slots=True)
class Built:
    """A block that is now anvil's head, and what became of every bundle and unpayable transaction."""

    record: BlockRecord
    outcomes: dict[Hash32, BundleOutcome]
    unpayable: tuple[Hash32, ...]


@dataclass(slots=True)
class _Mined:
    """One candidate block as anvil mined it."""

    record: BlockRecord
    intended: Sequence[SignedTx]
    refused: dict[Hash32, str] = field(default_factory=dict)

    def missing(self) -> SignedTx | None:
        """Return the first transaction that is not in the block."""
        mined = set(self.record.block["transactions"])
        return next((tx for tx in self.intended if tx.hash not in mined), None)

    def in_order(self) -> bool:
        return list(self.record.block["transactions"]) == [tx.hash for tx in self.intended]

    def receipt(self, tx: SignedTx) -> dict[str, Any]:
        return next(row for row in self.record.receipts if row["transactionHash"] == tx.hash)


class Builder:
    """Builds on anvil's head; `coinbase` is the builder's own address."""

    def __init__(self, link: AnvilLink, coinbase: Address) -> None:
        self._link = link
        self._coinbase = coinbase

    async def build(
        self,
        slot: Slot,
        bundles: Iterable[Bundle],
        public: Mapping[Address, Sequence[SignedTx]],
    ) -> Built:
        """Mine the slot's block; raises `NodeError` if anvil cannot be brought to do it."""
        outcomes: dict[Hash32, BundleOutcome] = {}
        public_hashes = {tx.hash for txs in public.values() for tx in txs}
        chosen = await self._choose(slot, list(bundles)[:MAX_BUNDLES], public_hashes, outcomes)
        barred: set[Hash32] = set()
        for _ in range(MAX_ATTEMPTS):
            order = [tx for bundle in chosen for tx in bundle.txs]
            order += _by_tip(slot, order, public, barred)
            mined = await self._mine(slot, order)
            failed = self._failure(mined, chosen)
            if failed is None and mined.in_order():
                unpayable = tuple(tx_hash for tx_hash in barred if tx_hash in public_hashes)
                for bundle in chosen:
                    outcomes[bundle.hash] = BundleOutcome("included", "")
                return Built(mined.record, outcomes, unpayable)
            await self.undo(slot)
            if isinstance(failed, Bundle):
                chosen.remove(failed)
                outcomes[failed.hash] = BundleOutcome("failed", "fails in the final block")
            elif failed is not None:
                barred.add(failed.hash)
        raise NodeError(f"block {slot.parent.number + 1} could not be built in {MAX_ATTEMPTS} attempts")

    async def build_in_order(self, slot: Slot, order: Sequence[SignedTx]) -> Built:
        """Mine these transactions in this order; those that are not valid there are left out."""
        kept = list(order)
        while True:
            mined = await self._mine(slot, kept)
            missing = mined.missing()
            if missing is None and mined.in_order():
                return Built(mined.record, {}, ())
            await self.undo(slot)
            if missing is None:
                raise NodeError("anvil mined another order than it was given")
            kept.remove(missing)

    async def trial(self, slot: Slot, txs: Sequence[SignedTx]) -> Trial:
        """Mine `txs` alone, look, and roll back."""
        before = await self._coinbase_wei()
        mined = await self._mine(slot, txs)
        paid = await self._coinbase_wei() - before
        await self.undo(slot)
        missing = mined.missing()
        reason = ""
        if missing is not None:
            reason = f"{missing.hash}: {mined.refused.get(missing.hash, 'not valid at its place')}"
        elif not mined.in_order():
            reason = "mined in another order"
        return Trial(paid, mined.record.receipts, reason)

    async def undo(self, slot: Slot) -> None:
        """Take back the block just mined; anvil's next base fee is set right again."""
        await self._link.request("anvil_rollback", 1)
        await self._link.request("anvil_setNextBlockBaseFeePerGas", hex(slot.base_fee_wei))

    async def _choose(
        self,
        slot: Slot,
        bundles: Sequence[Bundle],
        public: Collection[Hash32],
        outcomes: dict[Hash32, BundleOutcome],
    ) -> list[Bundle]:
        """Return the bundles to include, best payment per gas first; the others get their outcome."""
        scored: list[tuple[Fraction, int, Bundle]] = []
        for arrival, bundle in enumerate(bundles):
            score, reason = await self._score(slot, bundle, (), public)
            if score is None:
                outcomes[bundle.hash] = BundleOutcome("failed", reason)
            else:
                scored.append((-score, arrival, bundle))
        chosen: list[Bundle] = []
        for _, _, bundle in sorted(scored, key=lambda row: row[:2]):
            taken = {(tx.sender, tx.nonce) for other in chosen for tx in other.txs}
            if any((tx.sender, tx.nonce) in taken for tx in bundle.txs):
                outcomes[bundle.hash] = BundleOutcome(
                    "outbid", "shares a transaction or nonce with a better one"
                )
                continue
            if chosen:
                prefix = tuple(tx for other in chosen for tx in other.txs)
                score, reason = await self._score(slot, bundle, prefix, public)
                if score is None:
                    outcomes[bundle.hash] = BundleOutcome("outbid", f"fails behind better ones: {reason}")
                    continue
            chosen.append(bundle)
        return chosen

    async def _score(
        self, slot: Slot, bundle: Bundle, prefix: tuple[SignedTx, ...], public: Collection[Hash32]
    ) -> tuple[Fraction | None, str]:
        """Return the payment per gas that the bundle adds beyond the public pool, or None and why not."""
        if too_cheap := next((tx for tx in bundle.txs if tx.tip_wei(slot.base_fee_wei) < 0), None):
            return None, f"{too_cheap.hash}: max fee per gas less than block base fee"
        trial = await self.trial(slot, [*prefix, *bundle.txs])
        if trial.reason:
            return None, trial.reason
        paid, gas = trial.paid_wei, 0
        for tx, receipt in zip((*prefix, *bundle.txs), trial.receipts, strict=True):
            gas_used = int(receipt["gasUsed"], 16)
            if tx in prefix or tx.hash in public:
                # It would have paid this anyway.
                paid -= gas_used * tx.tip_wei(slot.base_fee_wei)
            else:
                gas += gas_used
            if tx not in prefix and receipt["status"] != "0x1" and tx.hash not in bundle.may_revert:
                return None, f"{tx.hash}: execution reverted"
        if prefix:
            return Fraction(1), ""
        if gas == 0 or paid <= 0:
            return None, "pays nothing"
        return Fraction(paid, gas), ""

    def _failure(self, mined: _Mined, chosen: Sequence[Bundle]) -> Bundle | SignedTx | None:
        """Return the bundle or the transaction because of which the block must be built again."""
        missing = mined.missing()
        for bundle in chosen:
            if missing is not None and missing in bundle.txs:
                return bundle
            if missing is None:
                for tx in bundle.txs:
                    if mined.receipt(tx)["status"] != "0x1" and tx.hash not in bundle.may_revert:
                        return bundle
        return missing

    async def _mine(self, slot: Slot, txs: Sequence[SignedTx]) -> _Mined:
        request = self._link.request
        refused: dict[Hash32, str] = {}
        for tx in txs:
            try:
                await request("eth_sendRawTransaction", "0x" + tx.raw.hex())
            except AnvilError as error:
                refused[tx.hash] = str(error.error.get("message", error))
        await request("anvil_setCoinbase", self._coinbase)
        await request("evm_setNextBlockTimestamp", slot.timestamp_s)
        await request("anvil_setNextBlockBaseFeePerGas", hex(slot.base_fee_wei))
        await request("evm_mine")
        block = await request("eth_getBlockByNumber", "latest", False)
        receipts = await request("eth_getBlockReceipts", "latest")
        # What anvil would not mine must not stay behind and slip into a later block.
        await request("anvil_dropAllTransactions")
        if block["parentHash"] != slot.parent.block["hash"]:
            raise NodeError("anvil's head is not the one that the door knows")
        by_hash = {tx.hash: tx for tx in txs}
        mined = tuple(by_hash[tx_hash] for tx_hash in block["transactions"])
        return _Mined(BlockRecord(block, mined, tuple(receipts)), txs, refused)

    async def _coinbase_wei(self) -> int:
        return int(await self._link.request("eth_getBalance", self._coinbase, "latest"), 16)


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened to transactions mined on their own; `reason` is empty when all were valid, in order."""

    paid_wei: int
    receipts: tuple[dict[str, Any], ...]
    reason: str


def _by_tip(
    slot: Slot,
    taken: Sequence[SignedTx],
    public: Mapping[Address, Sequence[SignedTx]],
    barred: Collection[Hash32],
) -> list[SignedTx]:
    """Return the public transactions that fit behind `taken`, best tip first, each sender in nonce order."""
    used = {(tx.sender, tx.nonce) for tx in taken}
    gas_left = slot.gas_limit - sum(tx.gas_limit for tx in taken)
    heap: list[tuple[int, int, Address, int]] = []
    chains: dict[Address, list[SignedTx]] = {}

    def push(sender: Address, at: int, arrival: int) -> None:
        chain = chains[sender]
        if at < len(chain) and chain[at].hash not in barred:
            tip = chain[at].tip_wei(slot.base_fee_wei)
            if tip >= 0:
                heapq.heappush(heap, (-tip, arrival, sender, at))

    for arrival, (sender, txs) in enumerate(public.items()):
        chains[sender] = [tx for tx in txs if (sender, tx.nonce) not in used]
        push(sender, 0, arrival)
    order = []
    while heap:
        _, arrival, sender, at = heapq.heappop(heap)
        tx = chains[sender][at]
        if tx.gas_limit > gas_left:
            continue  # as builders do: the sender waits, smaller ones may still fit
        gas_left -= tx.gas_limit
        order.append(tx)
        push(sender, at + 1, arrival)
    return order
