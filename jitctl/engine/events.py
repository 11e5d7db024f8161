"""Everything the loop can be told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jitctl.domain.bundle import MinedBundle, MinedLeg
from jitctl.domain.chain import Block, ChainMoved, Head, PendingGone, PendingTx
from jitctl.domain.plan import Marks
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import Address, Hash32
from jitctl.engine.ports import GuardReading


@dataclass(frozen=True, slots=True)
class Asked:
    """A command on its way: the verb, who asks and why, its own arguments, and where the answer is awaited.

    The answer is a JSON-able body with `message` and `changed` (False for a repeat), or a `JitError`.
    """

    verb: str
    who: str
    reason: str
    args: Mapping[str, Any]
    answer: asyncio.Future[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Replan:
    """Evaluate a wanted victim again on the new head."""

    tx_hash: Hash32


@dataclass(frozen=True, slots=True)
class Traced:
    """The slower path's answer: None if the call swaps nothing of ours."""

    tx: PendingTx
    swap: SwapTx | None


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt's task is over: it was abandoned or submitted."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class MinedRead:
    """What the chain holds of an attempt's bundle, read when `head_hash` was the head; None if it failed."""

    attempt_id: str
    mined: MinedBundle | None
    head_hash: Hash32


@dataclass(frozen=True, slots=True)
class BalancesRead:
    """The executor's balances of the watched pools' tokens at a head; `watching` as in the picture."""

    available: Mapping[Address, int]
    watching: int


@dataclass(frozen=True, slots=True)
class OpenPositionsRead:
    """Which pools hold a position of the executor that is not closed, at a head."""

    pools: tuple[Address, ...]
    head_hash: Hash32


@dataclass(frozen=True, slots=True)
class FinalizedRead:
    """The node's finalized block number; None where it has none."""

    number: int | None


@dataclass(frozen=True, slots=True)
class HeadFollowed:
    """A move of the head has been taken over; what follows from it may fail without undoing that."""


@dataclass(frozen=True, slots=True)
class MarksRead:
    """The external marks at a head; None if they could not be read; `watching` as in the picture."""

    head_hash: Hash32
    marks: Marks | None
    watching: int


@dataclass(frozen=True, slots=True)
class GuardsRead:
    """The executor contract's own limits at a head; `watching` as in the picture."""

    reading: GuardReading
    watching: int


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything that is not in the blocks has been read at `head`: nonces, outcomes, balances, positions.

    `outcomes` are attempts whose blocks were not followed, `closes` by attempt what is mined of the close
    that its figures contain, `explained` the operators' nonces that other transactions of ours used up,
    `loaded` says that the pools were read too. `reserved_elsewhere_wei` is what the executor's budget keeps
    for a position in a pool that is not configured. `failure` says why it could not be read.
    """

    head: Head
    loaded: bool = False
    nonces: Mapping[Address, int] = field(default_factory=dict)
    outcomes: tuple[tuple[str, MinedBundle], ...] = ()
    closes: Mapping[str, tuple[Hash32, MinedBundle | None]] = field(default_factory=dict)
    explained: frozenset[tuple[Address, int]] = frozenset()
    available: Mapping[Address, int] = field(default_factory=dict)
    open_pools: tuple[Address, ...] = ()
    reserved_elsewhere_wei: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class GapRead:
    """A block that was not followed, with all but its pools' logs; None if it could not be read."""

    number: int
    block: Block | None


@dataclass(frozen=True, slots=True)
class EtherRead:
    """What a block changed of each operator's ether beyond what explains it; None if it could not be read.

    `refused` says that the node answered, and that it does not have the block's state.
    """

    block_hash: Hash32
    unexplained_wei: Mapping[Address, int] | None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class SyncAgain:
    """Time to try once more to get in step."""


@dataclass(frozen=True, slots=True)
class PoolsFollowed:
    """The pool book describes a block now; `failure` says why it does not."""

    head: Head
    failure: str = ""


@dataclass(frozen=True, slots=True)
class CloseSent:
    """A close of a position that was left open is on its way, or could not be sent (`tx_hash` is None)."""

    pool: Address
    tx_hash: Hash32 | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CloseRead:
    """What a mined close came to; None if it could not be read."""

    pool: Address
    mined: MinedBundle | None


@dataclass(frozen=True, slots=True)
class StrayRead:
    """A mined transaction of an operator that no attempt accounts for; None if it could not be read."""

    tx_hash: Hash32
    leg: MinedLeg | None


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """One of the engine's own tasks ended with an error that none of its kind may raise."""

    what: str
    error: str
    ledger: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A second has passed."""


Note = (
    Traced | AttemptEnded | HeadFollowed | MinedRead | BalancesRead | OpenPositionsRead | FinalizedRead
    | MarksRead | GuardsRead | GapRead | EtherRead | Synced | SyncAgain | PoolsFollowed | CloseSent
    | CloseRead | StrayRead | TaskFailed | Tick
)  # fmt: skip
"""What the engine's own tasks tell the loop."""
EngineInput = Asked | ChainMoved | PendingGone | PendingTx | Replan | Note
"""Everything that `Inbox.get` returns."""
