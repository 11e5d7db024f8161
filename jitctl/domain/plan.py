"""What the strategy decides: a plan, or a skip with a reason of a closed list."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from jitctl.domain.values import Address, Hash32


class SkipReason(StrEnum):
    """Why a pending transaction is not taken; frozen names, they are metric labels and report rows."""

    NOT_A_SWAP = "not_a_swap"
    UNDECODABLE = "undecodable"
    UNWATCHED_POOL = "unwatched_pool"
    POOL_DISABLED = "pool_disabled"
    POOL_STALE = "pool_stale"
    BLOB_TX = "blob_tx"
    OWN_TX = "own_tx"
    REPEATED = "repeated"
    FEE_TOO_LOW = "fee_too_low"
    NONCE_GAP = "nonce_gap"
    EXPIRED = "expired"
    TOO_SMALL = "too_small"
    WOULD_FAIL = "would_fail"
    INFORMED = "informed"
    UNPROFITABLE = "unprofitable"
    NO_CAPITAL = "no_capital"
    MARK_STALE = "mark_stale"
    VICTIM_GAS = "victim_gas"
    TOO_LATE = "too_late"
    POOL_BUSY = "pool_busy"
    NO_LANE = "no_lane"
    NOT_RUNNING = "not_running"


@dataclass(frozen=True, slots=True)
class Skip:
    """The transaction is left alone; `detail` is for people and carries figures, never secrets."""

    reason: SkipReason
    detail: str = ""
    pool: Address | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """External prices at which inventory is valued, as of the block `block_hash`.

    `weth_wei_per_base_unit[token]` is exact: WETH wei for one base unit of the token; a token whose price
    nobody knows has none. `usd_per_weth` is for showing only. `source` and `age_s` say where they come from
    and how old the oldest was at that block.
    """

    weth_wei_per_base_unit: dict[Address, Fraction]
    usd_per_weth: Fraction
    source: str
    age_s: float
    block_hash: Hash32


@dataclass(frozen=True, slots=True)
class Capital:
    """What the executor holds and may use now, in base units per token."""

    available: dict[Address, int]


@dataclass(frozen=True, slots=True)
class JitPlan:
    """A mint around a victim swap, decided on a snapshot of `parent_hash`, for the block after it.

    Amounts are base units of token0/token1 unless the name says `_wei` (WETH). `mint_sqrt_price_*_x96`
    is the band in which the pool must be when we mint, `burn_sqrt_price_*_x96` the band after the victim.
    `expected_*` come from the exact simulator. `value_wei` is fees plus inventory change at the external
    mark, before gas and bid; `bid_wei` is what the builder gets; `net_wei = value - bid - gas`.
    `adds_ticks` counts ticks that our position initialises and the victim crosses.
    """

    victim_hash: Hash32
    pool: Address
    zero_for_one: bool
    victim_amount_specified: int
    tick_lower: int
    tick_upper: int
    liquidity: int
    amount0_max: int
    amount1_max: int
    mint_sqrt_price_min_x96: int
    mint_sqrt_price_max_x96: int
    burn_sqrt_price_min_x96: int
    burn_sqrt_price_max_x96: int
    expected_mint0: int
    expected_mint1: int
    expected_burn0: int
    expected_burn1: int
    expected_fees0: int
    expected_fees1: int
    min_fees_wei: int
    value_wei: int
    gas_cost_wei: int
    bid_wei: int
    net_wei: int
    victim_amount_in: int
    adds_ticks: int
    parent_hash: Hash32
    target_block: int
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Propose:
    """The transaction is worth an attempt; alternatives are the next best plans, best first."""

    plan: JitPlan
    alternatives: tuple[JitPlan, ...] = ()
