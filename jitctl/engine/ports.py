"""What the engine needs from the world; adapters in chain/, execution/ and ledger/ satisfy these.

Every coroutine here may raise `NodeError`, `RelayError` or `TimedOut` (never a library's own exception).
Fakes in tests stand at these ports and nowhere deeper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from jitctl.amm.pool import Pool
from jitctl.domain.attempt_state import AttemptEvent, AttemptState
from jitctl.domain.bundle import (
    BundleDraft,
    BundleSimulation,
    LegAmounts,
    MinedBundle,
    MinedLeg,
    RelayReply,
    SignedBundle,
    SignedTx,
)
from jitctl.domain.chain import Block, ChainMoved, Head, PendingGone, PendingTx
from jitctl.domain.guards import GuardReading as GuardReading
from jitctl.domain.plan import Marks
from jitctl.domain.records import (
    AttemptChange,
    AttemptRecord,
    EngineRecord,
    Flow,
    IntendedClose,
    KnownNonce,
    StoredAttempt,
)
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import Address, Hash32, PoolSpec


class Clock(Protocol):
    """Time, injected."""

    def monotonic_ns(self) -> int: ...
    def wall_s(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class Sink(Protocol):
    """Where sources deliver. Neither call blocks; a full queue drops the oldest pending transaction."""

    def offer_pending(self, tx: PendingTx) -> None: ...
    def put(self, event: ChainMoved | PendingGone) -> None: ...


class Source(Protocol):
    """A feed that runs until cancelled, reconnecting on its own with bounded backoff."""

    async def run(self, sink: Sink) -> None: ...


class PoolBook(Protocol):
    """Exact snapshots of the watched pools, following logs and surviving reorgs."""

    async def load(self, specs: Sequence[PoolSpec], head: Head, *, proven: bool = False) -> None:
        """Read every pool's state at `head` from the node; where it raises, nothing has changed.

        With `proven` a pool that is new to it must be what its spec says, its tokens too, else `NodeError`.
        """

    async def apply(self, moved: ChainMoved) -> None:
        """Follow the chain; reads from the node only after `resynced` or a gap."""

    def pools(self) -> Mapping[Address, Pool]:
        """Snapshots as of `head()`; a pool that could not be kept exact is absent."""

    def head(self) -> Head: ...


class Prices(Protocol):
    """External marks; `read` raises `NodeError` or `TimedOut`."""

    async def read(self, head: Head) -> Marks: ...


class Tracer(Protocol):
    """The slower path: what would an unknown call swap in the watched pools?"""

    async def observe(self, tx: PendingTx, parent: Head) -> SwapTx | None: ...


class Simulator(Protocol):
    """Runs mint, victim, burn on top of a pinned parent, on our own node."""

    async def simulate(self, draft: BundleDraft) -> BundleSimulation: ...


class Signer(Protocol):
    """Builds and signs; the only holder of operator keys. CPU only, no I/O."""

    def operators(self) -> tuple[Address, ...]: ...
    def sign(self, draft: BundleDraft) -> SignedBundle:
        """Raises `NodeError` when the victim's raw bytes do not hash to its hash."""


class Relays(Protocol):
    """All configured relays at once."""

    async def submit(self, bundle: SignedBundle) -> tuple[RelayReply, ...]: ...
    async def cancel(self, uuid: str) -> tuple[RelayReply, ...]: ...


class ChainReader(Protocol):
    """Point reads, pinned to a block hash where one is given."""

    async def head(self) -> Head: ...
    async def chain_id(self) -> int: ...
    async def nonce(self, account: Address, at: Hash32 | None = None) -> int: ...
    async def eth_balance(self, account: Address, at: Hash32 | None = None) -> int: ...
    async def token_balance(self, token: Address, account: Address, at: Hash32 | None = None) -> int: ...
    async def finalized_number(self) -> int | None: ...
    async def mined(self, mint: Hash32, victim: Hash32, burn: Hash32) -> MinedBundle: ...
    async def leg(self, tx_hash: Hash32) -> tuple[MinedLeg, LegAmounts] | None:
        """One transaction of ours on the canonical chain; None while it is not mined."""

    async def block(self, number: int) -> Block:
        """A canonical block with its transactions and the executor's transfers; pools' logs are left out."""

    async def open_positions(self, executor: Address, pools: Sequence[Address], at: Hash32) -> int:
        """How many of the executor's pools hold a position that is not closed, at a block hash."""

    async def reserved_wei(self, executor: Address, at: Hash32) -> int:
        """What the executor keeps of its loss budget for open positions, in whatever pool they are."""


class Guards(Protocol):
    """Reads the executor contract's own limits, so that plans keep within them."""

    async def read(self, pools: Sequence[Address], head: Head) -> GuardReading: ...


class Closer(Protocol):
    """Closes a position that was left open (a mint that landed without its burn), in public.

    `sign` signs `executor.close(pool)` with the operator's key (CPU only); `send` broadcasts it, which the
    engine does under the submit barrier only. `closed` reads what it came to: None while it is not mined;
    a close is reported as the `burn` leg, with the collected amounts, and without tip.
    """

    def sign(self, pool: Address, operator: Address, nonce: int, parent: Head) -> SignedTx: ...
    async def send(self, signed: SignedTx) -> None: ...
    async def closed(self, tx_hash: Hash32) -> MinedBundle | None: ...


class Ledger(Protocol):
    """The truth on disk. Calls are synchronous and raise `LedgerError` (nothing of that call is kept then).

    What is marked durable is on disk when it returns. The rest waits for the next durable call or `flush`,
    in order, and a crash before that loses it: nothing of it has left the process by then.
    """

    def engine(self) -> EngineRecord | None: ...
    def save_engine(self, record: EngineRecord) -> None:
        """Durable."""

    def open_attempt(self, record: AttemptRecord) -> None:
        """A new attempt in PLANNED."""

    def move_attempt(
        self, attempt_id: str, event: AttemptEvent, change: AttemptChange, *, durable: bool = False
    ) -> AttemptState:
        """One row of the transition table, with its event; raises `IllegalMove` and changes nothing."""

    def amend_attempt(self, attempt_id: str, change: AttemptChange) -> None:
        """Add to an attempt without moving it."""

    def unsettled(self) -> tuple[StoredAttempt, ...]:
        """Every attempt that the chain may still change, oldest first."""

    def add_relay_replies(
        self, attempt_id: str, verb: str, replies: Sequence[RelayReply], time_s: float
    ) -> None: ...
    def add_flows(self, flows: Sequence[Flow]) -> None: ...
    def drop_flows(self, block_hash: Hash32) -> None:
        """Forget the flows of a block that a reorg removed."""

    def keep_flows(self, block_number: int, block_hash: Hash32) -> None:
        """Forget the flows of every other block of this number: it is the canonical one."""

    def legs_mined_in(self, block_number: int) -> frozenset[Hash32]:
        """The legs and closes of attempts that may be mined in a block, settled attempts too."""

    def intend_close(self, close: IntendedClose, time_s: float) -> None:
        """Keep, with its event, that a close is about to be sent. Durable."""

    def intended_closes(self) -> tuple[IntendedClose, ...]:
        """The latest closes that may have been sent, by this run or an earlier one, oldest first."""

    def sent_with(self, operator: Address, nonce: int) -> tuple[Hash32, ...]:
        """The legs and closes ever signed for an operator's nonce, newest first."""

    def followed(self) -> tuple[int, int] | None:
        """The first and the last block of the range whose flows are all written; None in a new ledger."""

    def save_followed(self, first: int, last: int) -> None: ...
    def add_skips(self, counts: Mapping[tuple[int, str, str], int]) -> None:
        """Add counts by (hour as Unix time, pool or "", reason)."""

    def lanes(self) -> Mapping[Address, KnownNonce]:
        """The next nonce of each operator as last saved."""

    def save_lane(self, operator: Address, next_nonce: int, block_number: int) -> None: ...
    def record(self, event_type: str, data: Mapping[str, object], time_s: float) -> None:
        """Append to the event table."""

    def flush(self) -> None:
        """Make everything durable."""

    def close(self) -> None:
        """Flush and close; twice is harmless."""


class Journal(Protocol):
    """The event table as a file of lines, always derivable."""

    def catch_up(self) -> int:
        """Export what is new; returns the number of lines. Raises `LedgerError`."""


class Instruments(Protocol):
    """What the adapters know of themselves, for status and metrics: from memory, never waiting."""

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Counts by family and name."""

    def nodes(self) -> Sequence[Mapping[str, object]]:
        """Each node's health, in configured order; JSON-able, camelCase."""

    def relays(self) -> Mapping[str, Mapping[str, int]]:
        """Each relay's counts by outcome, in configured order."""


class Observer(Protocol):
    """Where the engine says what it does, for logs and pages; never blocks, never raises."""

    def event(self, name: str, fields: Mapping[str, object]) -> None: ...
