"""A bundle on its way: drafted, simulated, signed, answered by relays, found on chain."""

from __future__ import annotations

from dataclasses import dataclass

from jitctl.domain.chain import Head, PendingTx
from jitctl.domain.plan import JitPlan
from jitctl.domain.values import Address, Hash32


@dataclass(frozen=True, slots=True)
class BundleDraft:
    """Everything needed to build the three transactions, nothing signed yet.

    `base_fee_wei` is the exact base fee of the target block, computed from the parent; both legs pay it
    and no priority fee. `nonce` is the mint's, the burn's is the next one.
    """

    attempt_id: str
    plan: JitPlan
    victim: PendingTx
    operator: Address
    nonce: int
    parent: Head
    base_fee_wei: int
    timestamp_s: int
    mint_gas_limit: int
    burn_gas_limit: int

    @property
    def target_block(self) -> int:
        return self.parent.number + 1


@dataclass(frozen=True, slots=True)
class LegResult:
    """One transaction's outcome in a simulation or a receipt."""

    success: bool
    gas_used: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class LegAmounts:
    """What the two legs moved, read from the executor's own events, in base units; `tip_wei` in wei."""

    minted0: int
    minted1: int
    collected0: int
    collected1: int
    fees0: int
    fees1: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class BundleSimulation:
    """The outcome of the three calls on top of `parent`.

    `ok` only if all three succeed, the parent was still the head after the reply, and our own checks of
    nonce, base fee and balance pass; otherwise `reason` is one of the names in `ABANDON_REASONS`.
    `reread_ms` is the part of it that asking for the head again took.
    """

    ok: bool
    reason: str
    detail: str
    mint: LegResult | None = None
    victim: LegResult | None = None
    burn: LegResult | None = None
    amounts: LegAmounts | None = None
    reread_ms: float = 0.0


ABANDON_REASONS = frozenset(
    {
        "mint_reverts", "victim_reverts", "victim_gas", "burn_reverts", "parent_moved", "victim_gone",
        "victim_queued", "victim_short", "nonce_mismatch", "balance_short", "unprofitable",
        "simulation_failed", "simulation_timeout", "raw_mismatch", "not_armed", "paused", "limits",
        "mode_test", "stopping", "superseded", "crash", "barrier_timeout", "too_late", "sign_failed",
        "ledger", "internal",
    }
)  # fmt: skip
"""Why an attempt ends before a byte leaves; frozen names, they are metric labels and report rows."""

FAULT_REASONS = (
    "mint_reverts", "burn_reverts", "nonce_mismatch", "balance_short", "simulation_failed",
    "simulation_timeout", "raw_mismatch", "sign_failed", "ledger", "internal", "barrier_timeout",
)  # fmt: skip
"""Those that speak against us or what we depend on; a victim that reverts, cannot pay or waits behind another
transaction of its sender does not, nor does a block that came first."""


@dataclass(frozen=True, slots=True)
class SignedBundle:
    """Raw transactions in order (mint, victim, burn) for exactly one block."""

    uuid: str
    raw_txs: tuple[bytes, bytes, bytes]
    tx_hashes: tuple[Hash32, Hash32, Hash32]
    target_block: int
    min_timestamp_s: int | None = None
    max_timestamp_s: int | None = None


@dataclass(frozen=True, slots=True)
class SignedTx:
    """One raw transaction and its hash."""

    tx_hash: Hash32
    raw: bytes


class RelayOutcome:
    """Names of what a relay did with a submission; frozen, they are metric labels."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BAD_REPLY = "bad_reply"
    RATE_LIMITED = "rate_limited"


@dataclass(frozen=True, slots=True)
class RelayReply:
    relay: str
    outcome: str
    detail: str
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class MinedLeg:
    """A leg's receipt on the canonical chain."""

    tx_hash: Hash32
    block_number: int
    block_hash: Hash32
    tx_index: int
    success: bool
    gas_used: int
    gas_cost_wei: int


@dataclass(frozen=True, slots=True)
class MinedBundle:
    """What the chain holds of a bundle; a leg that is not mined is None.

    `amounts` are exact, from the executor's events in the receipts; a leg that is missing counts 0.
    """

    mint: MinedLeg | None
    victim: MinedLeg | None
    burn: MinedLeg | None
    amounts: LegAmounts
