"""What the engine believes about the world right now; every decision reads it, only the loop changes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jitctl.domain.attempt_state import OPEN_STATES
from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.chain import Head
from jitctl.domain.engine_state import CrisisLevel
from jitctl.domain.plan import Capital, JitPlan, Marks
from jitctl.domain.values import Address, Hash32, PoolSpec
from jitctl.engine.attempts import Attempt
from jitctl.engine.ports import GuardReading, PoolBook
from jitctl.strategy.limits import StrategyParams
from jitctl.strategy.market import MarketView, PairKey, index_pairs

FOLLOWING_NS = 1_000_000_000
"""How long the pools may take to follow before the engine counts as not ready."""


@dataclass(slots=True)
class Picture:
    """The head and what hangs on it.

    `synced` is False while something between the blocks is unknown; `pools_head` is the block that the pool
    book describes; it trails the head for a moment. `marks` are the external prices at the head, None until
    they are known: a market that has moved must be seen before the trade that follows it. `marks_failed` is
    set where they could not be read. `behind_since_ns` is since when either is missing. `known` are the
    watched pools and those removed by a reload in which something begun is still on its way, or open.
    `watching` counts the changes of the watched pools: what was read for others is of no use any more.
    """

    params: StrategyParams
    specs: Mapping[Address, PoolSpec]
    known: Mapping[Address, PoolSpec] = field(default_factory=dict)
    head: Head | None = None
    head_ns: int = 0
    top_number: int = 0
    base_fee_wei: int = 0
    balances: Mapping[Address, int] = field(default_factory=dict)
    guards: GuardReading | None = None
    synced: bool = False
    pools_head: Hash32 | None = None
    marks: Marks | None = None
    marks_failed: bool = False
    behind_since_ns: int | None = None
    generation: int = 1
    watching: int = 0
    by_pair: Mapping[PairKey, Address] = field(default_factory=dict)
    needles: tuple[bytes, ...] = ()
    _tightened: dict[CrisisLevel, StrategyParams] = field(default_factory=dict)

    @classmethod
    def of(cls, params: StrategyParams, pools: Sequence[PoolSpec]) -> Picture:
        picture = cls(params, {})
        picture.replace(params, pools)
        picture.generation = 1
        return picture

    def replace(
        self, params: StrategyParams, pools: Sequence[PoolSpec], in_use: Collection[Address] = ()
    ) -> None:
        """Take over reloaded parameters and pools, in one step; pools `in_use` stay known."""
        self.params = params
        before, self.specs = self.specs, {spec.address: spec for spec in pools}
        self.watching += before != self.specs
        # Each known pool costs a read a block.
        kept = {address: spec for address, spec in self.known.items() if address in in_use}
        self.known = kept | self.specs
        self.by_pair = index_pairs(self.specs)
        self._tightened = {}
        self.generation += 1
        # What unknown calldata must mention to be worth a trace; WETH alone is in everybody's.
        named = {spec.quote_token.address for spec in pools} | set(self.specs)
        self.needles = tuple(bytes.fromhex(address[2:]) for address in sorted(named))

    def new_head(self, head: Head, now_ns: int) -> None:
        self.head, self.head_ns = head, now_ns
        self.top_number = max(self.top_number, head.number)
        # What was read at this very block before a reorg and back counts no more: the book has moved on.
        self.pools_head, self.marks, self.marks_failed = None, None, False
        self.base_fee_wei = next_base_fee_wei(head)
        if self.behind_since_ns is None:
            self.behind_since_ns = now_ns

    def pools_at(self, block_hash: Hash32) -> None:
        """Know which block the pool book describes now."""
        self.pools_head = block_hash
        self._catch_up()

    def take_marks(self, marks: Marks | None) -> None:
        """Take over the external marks at the head; None if they could not be read."""
        self.marks, self.marks_failed = marks, marks is None
        self._catch_up()

    def marked(self, head: Head) -> bool:
        """Whether the external marks at a block are known."""
        return self.marks is not None and self.marks.block_hash == head.hash

    @property
    def current(self) -> bool:
        """Whether every swap has an answer: in sync, pools and marks of the head, or no marks to be had."""
        return self.synced and self._pools_at_head and (self.marks is not None or self.marks_failed)

    def ready(self, now_ns: int) -> bool:
        """Whether decisions are taken, but for the moment that following a new head takes."""
        behind = self.behind_since_ns
        return self.synced and not self.marks_failed and (behind is None or now_ns - behind < FOLLOWING_NS)

    def params_under(self, level: CrisisLevel) -> StrategyParams:
        """Return the strategy's parameters as the crisis level and the executor contract tighten them."""
        if level not in self._tightened:
            rules = self.guards.rules if self.guards is not None else {}
            self._tightened[level] = self.params.under(level).within(rules)
        return self._tightened[level]

    def take_guards(self, reading: GuardReading) -> None:
        """Take over the executor contract's limits as they are now."""
        if self.guards is None or self.guards.rules != reading.rules:
            self._tightened = {}
        self.guards = reading

    def view(self, book: PoolBook) -> MarketView:
        """Return the market as of the head; call only when there is one."""
        assert self.head is not None
        return MarketView(self.head, self.specs, book.pools(), self.by_pair)

    def capital_left(self, live: Iterable[Attempt]) -> Capital:
        """Return the balances less what attempts on their way may take."""
        left = dict(self.balances)
        for attempt in live:
            if attempt.state in OPEN_STATES and not attempt.dropped:
                for token, amount in plan_needs(attempt.record.plan, self.known):
                    left[token] = max(0, left.get(token, 0) - amount)
        return Capital(left)

    def _catch_up(self) -> None:
        if self._pools_at_head and self.marks is not None:
            self.behind_since_ns = None

    @property
    def _pools_at_head(self) -> bool:
        return self.head is not None and self.pools_head == self.head.hash


def plan_needs(plan: JitPlan, specs: Mapping[Address, PoolSpec]) -> tuple[tuple[Address, int], ...]:
    """Return the most that a plan takes of each token."""
    spec = specs.get(plan.pool)
    if spec is None:
        return ()
    return (spec.token0.address, plan.amount0_max), (spec.token1.address, plan.amount1_max)
