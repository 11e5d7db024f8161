"""What the ledger keeps: attempts and how they ended, named flows, the engine's own state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import LegAmounts
from jitctl.domain.engine_state import CrisisLevel, EngineState
from jitctl.domain.plan import JitPlan
from jitctl.domain.values import Address, Hash32


class Mode(StrEnum):
    """`test` ends every attempt after its simulation, `production` submits."""

    TEST = "test"
    PRODUCTION = "production"


class Outcome(StrEnum):
    """How an attempt ended; frozen names, they are metric labels and report rows."""

    LANDED = "landed"
    MISSED = "missed"
    REVERTED = "reverted"
    ABANDONED = "abandoned"


class FlowKind(StrEnum):
    """Why a balance of ours changed without an attempt; frozen names, they are report rows."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    DONATION = "donation"
    TRANSFER = "transfer"
    GAS = "gas"


ETH = Address("eth")
"""Stands where a token's address would, for ether itself."""


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """The engine's last state and crisis level, and who set each, why and when (Unix time)."""

    state: EngineState
    crisis: CrisisLevel
    mode: Mode
    who: str
    why: str
    time_s: float
    crisis_who: str = ""
    crisis_why: str = ""
    crisis_time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class KnownNonce:
    """An operator's next nonce, and the block in which it was seen last."""

    nonce: int
    block_number: int


@dataclass(frozen=True, slots=True)
class IntendedClose:
    """A signed close that may have been sent; `attempt_id` is empty if no known attempt left the position."""

    tx_hash: Hash32
    operator: Address
    nonce: int
    pool: Address
    attempt_id: str


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt as planned.

    `mark` is WETH wei per base unit of the pool's other token at planning (external), `parent_sqrt_price_x96`
    the pool's price at the parent block; with them and `weth_is_token0` profit can be valued again after a
    restart, whatever has become of the pool's configuration.
    """

    attempt_id: str
    mode: Mode
    plan: JitPlan
    operator: Address
    nonce: int
    mark: Fraction
    weth_is_token0: bool
    parent_sqrt_price_x96: int
    planned_s: float

    @property
    def pool(self) -> Address:
        return self.plan.pool

    @property
    def target_block(self) -> int:
        return self.plan.target_block


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """Exact figures of a mined attempt: amounts in base units, the rest in WETH wei.

    The three nets value the same token changes at the pool's price before the victim, after it, and at the
    external mark, each less own gas and tip. `markouts_wei` value them at the pool's price some time later,
    by name; what could not be read in time is absent.
    """

    block_number: int
    block_hash: Hash32
    amounts: LegAmounts
    gas_wei: int
    net_pre_wei: int
    net_post_wei: int
    net_mark_wei: int
    close_tx: Hash32 | None = None
    markouts_wei: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttemptChange:
    """What a move adds to an attempt's row; a None leaves the column alone.

    `simulated` and `latencies_ms` are stored as JSON. `result` of a reorged attempt is cleared by the move.
    """

    time_s: float
    uuid: str | None = None
    mint_tx: Hash32 | None = None
    burn_tx: Hash32 | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    detail: str | None = None
    result: AttemptResult | None = None
    simulated: dict[str, int] | None = None
    latencies_ms: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """An attempt read back; what it has not come to yet is None."""

    record: AttemptRecord
    state: AttemptState
    uuid: str | None = None
    mint_tx: Hash32 | None = None
    burn_tx: Hash32 | None = None
    outcome: Outcome | None = None
    reason: str = ""
    detail: str = ""
    result: AttemptResult | None = None
    simulated: dict[str, int] = field(default_factory=dict)
    latencies_ms: dict[str, float] = field(default_factory=dict)
    updated_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Flow:
    """A change of a balance of ours that no attempt explains: `amount` is signed, in base units.

    `token` is `ETH` for ether; `log_index` is -1 then. `counterparty` is the other side.
    """

    block_number: int
    block_hash: Hash32
    tx_hash: Hash32
    log_index: int
    account: Address
    token: Address
    amount: int
    kind: FlowKind
    counterparty: Address


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the ledger's event table: `seq` counts from 1 without gaps, `time_s` is Unix time."""

    seq: int
    time_s: float
    type: str
    data: dict[str, object]
