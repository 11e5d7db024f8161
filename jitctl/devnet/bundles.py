"""The relay's bundles: what was asked for, by whom, and what became of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from eth_hash.auto import keccak

from jitctl.devnet.transactions import SignedTx
from jitctl.domain.values import Address, Hash32

KEPT_BUNDLES = 4_000


@dataclass(frozen=True, slots=True)
class BundleOutcome:
    """`state` is pending, included, outbid, failed, cancelled, replaced, expired or ignored."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Transactions to include whole and in order in one block."""

    hash: Hash32
    signer: Address
    txs: tuple[SignedTx, ...]
    target_block: int
    uuid: str | None
    min_timestamp_s: int | None
    max_timestamp_s: int | None
    may_revert: frozenset[Hash32]
    received_s: float

    def fits(self, block_number: int, timestamp_s: int) -> bool:
        """Whether the bundle may be in that block."""
        return (
            self.target_block == block_number
            and (self.min_timestamp_s is None or timestamp_s >= self.min_timestamp_s)
            and (self.max_timestamp_s is None or timestamp_s <= self.max_timestamp_s)
        )


def bundle_hash(txs: tuple[SignedTx, ...]) -> Hash32:
    """Return the hash by which relays know a bundle: over its transactions' hashes."""
    return Hash32("0x" + keccak(b"".join(bytes.fromhex(tx.hash[2:]) for tx in txs)).hex())


@dataclass(slots=True)
class BundleEntry:
    """A bundle with its story; times are Unix seconds, None where it has not happened."""

    bundle: Bundle
    outcome: BundleOutcome = field(default_factory=lambda: BundleOutcome("pending", ""))
    considered_s: float | None = None
    sealed_s: float | None = None


class BundleBook:
    """The newest bundles by target block and hash."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[int, Hash32], BundleEntry] = OrderedDict()

    def add(self, bundle: Bundle) -> None:
        """Take a bundle; one of the same signer and uuid that still waits is replaced by it."""
        if bundle.uuid is not None:
            self.withdraw(bundle.signer, bundle.uuid, "replaced")
        self._entries[bundle.target_block, bundle.hash] = BundleEntry(bundle)
        while len(self._entries) > KEPT_BUNDLES:
            self._entries.popitem(last=False)

    def withdraw(self, signer: Address, uuid: str, state: str = "cancelled") -> list[Hash32]:
        """Take the signer's waiting bundles of that uuid out; return their hashes."""
        gone = []
        for entry in self._entries.values():
            bundle = entry.bundle
            if entry.outcome.state == "pending" and (bundle.signer, bundle.uuid) == (signer, uuid):
                entry.outcome = BundleOutcome(state, "")
                gone.append(bundle.hash)
        return gone

    def waiting(self, block_number: int, timestamp_s: int, now_s: float) -> list[Bundle]:
        """Return the bundles for a block in order of arrival; those for earlier blocks expire."""
        found = []
        for entry in self._entries.values():
            if entry.outcome.state != "pending":
                continue
            if entry.bundle.fits(block_number, timestamp_s):
                entry.considered_s = now_s
                found.append(entry.bundle)
            elif entry.bundle.target_block <= block_number:
                entry.outcome = BundleOutcome("expired", "its time or block has passed")
        return found

    def conclude(self, block_number: int, outcomes: dict[Hash32, BundleOutcome], now_s: float) -> None:
        for tx_hash, outcome in outcomes.items():
            if (entry := self._entries.get((block_number, tx_hash))) is not None:
                entry.outcome = outcome
                entry.sealed_s = now_s if outcome.state == "included" else None

    def find(self, found_hash: str, block_number: int | None = None) -> BundleEntry | None:
        """Return the newest bundle of that hash, for that block if one is given."""
        for (target, known), entry in reversed(self._entries.items()):
            if known == found_hash and block_number in (None, target):
                return entry
        return None

    def entries(self) -> list[BundleEntry]:
        return list(self._entries.values())
