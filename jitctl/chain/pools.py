"""Exact snapshots of the watched pools: loaded once, then followed by logs and rolled back by reorgs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence

from jitctl.amm.pool import Pool
from jitctl.chain.clock import Clock, SystemClock
from jitctl.chain.lens import Node
from jitctl.chain.pool_state import PoolNotUsable, follow, load_pool, load_price, prove_tokens
from jitctl.domain.chain import Block, ChainMoved, Head
from jitctl.domain.counters import Counters
from jitctl.domain.values import Address, Hash32, PoolSpec
from jitctl.errors import NodeError, TimedOut

POOL_BOOK_COUNTS = (
    "loads", "load_failed", "not_usable", "logs", "inconsistent", "rollbacks", "resyncs", "checks",
    "check_failed", "mismatch",
)  # fmt: skip
_WRONG_POOL = "correct pools.toml"

_Snapshots = Mapping[Address, Pool]


class ChainPoolBook:
    """A pool that could not be kept exact is absent from `pools()` and loaded afresh with the next block.

    Snapshots of the last `max_reorg_depth` blocks are kept, so that a reorg costs no reads.
    """

    def __init__(
        self,
        node: Node,
        *,
        max_reorg_depth: int = 64,
        clock: Clock | None = None,
        check_interval_s: float = 60.0,
        on_load: Callable[[Sequence[PoolSpec]], None] | None = None,
    ) -> None:
        """`on_load` hears of every new list of pools before it is read, so that the feeds watch it too."""
        self.counters = Counters(POOL_BOOK_COUNTS)
        self._node = node
        self._depth = max_reorg_depth
        self._clock = clock or SystemClock()
        self._check_interval_s = check_interval_s
        self._specs: dict[Address, PoolSpec] = {}
        self._by_block: OrderedDict[Hash32, _Snapshots] = OrderedDict()
        self._head: Head | None = None
        self._current: _Snapshots = {}
        self._lock = asyncio.Lock()
        self._checks = 0
        self._on_load = on_load

    def pools(self) -> Mapping[Address, Pool]:
        """Snapshots as of `head()`; never changed in place."""
        return self._current

    def head(self) -> Head:
        """The block that `pools()` describes; raises `NodeError` before the first `load`."""
        if self._head is None:
            raise NodeError("no pool has been loaded yet")
        return self._head

    async def load(self, specs: Sequence[PoolSpec], head: Head, *, proven: bool = False) -> None:
        """Watch exactly these pools and read those at `head` that are not already known there.

        Raises `NodeError` or `TimedOut` where the node failed, and then nothing has changed. Pools that are
        not usable are left out; with `proven` one that is new must be usable, and its tokens as configured.
        """
        if self._on_load is not None:
            self._on_load(specs)
        try:
            async with self._lock:
                known = self._by_block.get(head.hash, {}) if self._specs else {}
                new = [spec for spec in specs if self._specs.get(spec.address) != spec]
                there = {
                    spec.address: known[spec.address]
                    for spec in specs
                    if spec.address in known and spec not in new
                }
                missing = [spec for spec in specs if spec.address not in there]
                if proven:
                    await self._prove(new, head)
                read, failure = await self._read(missing, head, needed=new if proven else ())
                if failure is not None:
                    raise failure
                self._specs = {spec.address: spec for spec in specs}
                self._by_block.clear()
                self._set(head, there | read)
        except BaseException:
            if self._on_load is not None and self._specs:
                self._on_load(tuple(self._specs.values()))
            raise

    async def apply(self, moved: ChainMoved) -> None:
        """Follow the chain; a pool whose read fails is left out until the next block."""
        async with self._lock:
            parent = self._by_block.get(moved.added[0].head.parent_hash)
            if moved.head.hash in self._by_block:
                self._set(moved.head, self._by_block[moved.head.hash])
            elif moved.resynced or parent is None:
                self.counters.add("resyncs")
                self._by_block.clear()
                self._set(moved.head, {})
            else:
                if moved.removed:
                    self.counters.add("rollbacks")
                    for head in moved.removed:
                        self._by_block.pop(head.hash, None)
                for block in moved.added:
                    parent = self._follow(parent, block)
                    self._set(block.head, parent)
            if len(self._current) < len(self._specs):
                await self._load_missing()

    async def check(self) -> tuple[Address, ...]:
        """Compare with the chain at `head()`; pools that differ are loaded afresh and returned.

        Price, tick, liquidity and protocol fee of every pool, and the whole tick table of one in turn.
        """
        if self._head is None:
            return ()
        head, held = self._head, self._current
        self.counters.add("checks")
        addresses = sorted(held)
        verdicts = await asyncio.gather(*(self._differs(each, held[each], head) for each in addresses))
        wrong = {address for address, differs in zip(addresses, verdicts, strict=True) if differs}
        if addresses:
            in_full = addresses[self._checks % len(addresses)]
            self._checks += 1
            if in_full not in wrong and await self._differs_in_full(in_full, held[in_full], head):
                wrong.add(in_full)
        if wrong:
            self.counters.add("mismatch", len(wrong))
            async with self._lock:
                self._forget(wrong)
                await self._load_missing()
        return tuple(sorted(wrong))

    async def compare(self) -> tuple[int, tuple[str, ...]]:
        """Compare every pool, its whole tick table too, with the chain at `head()`.

        Returns how many were compared and the names of those that differ, which are loaded afresh. Raises
        `NodeError` or `TimedOut` where a pool could not be read.
        """
        head, held = self.head(), self._current
        specs = [self._specs[address] for address in sorted(held.keys() & self._specs.keys())]
        found = await asyncio.gather(*(load_pool(self._node, spec, head.hash) for spec in specs))
        wrong = [spec for spec, pool in zip(specs, found, strict=True) if pool != held[spec.address]]
        if wrong:
            self.counters.add("mismatch", len(wrong))
            async with self._lock:
                self._forget({spec.address for spec in wrong})
                await self._load_missing()
        return len(specs), tuple(spec.name for spec in wrong)

    async def run(self) -> None:
        """Check for ever, every `check_interval_s`."""
        while True:
            await self._clock.sleep(self._check_interval_s)
            await self.check()

    # -- inside

    def _set(self, head: Head, snapshots: _Snapshots) -> None:
        self._by_block[head.hash] = snapshots
        while len(self._by_block) > self._depth + 1:
            self._by_block.popitem(last=False)
        self._head, self._current = head, snapshots

    def _follow(self, before: _Snapshots, block: Block) -> _Snapshots:
        if block.watched is not None and not before.keys() <= block.watched:
            # The block was read while a pool was not watched yet: what happened to it there is not known.
            before = {address: pool for address, pool in before.items() if address in block.watched}
        if not block.pool_logs:
            return before
        after = dict(before)
        touched: set[Address] = set()
        for log in block.pool_logs:
            pool = after.get(log.address)
            if pool is None or not log.topics:
                continue
            try:
                followed = follow(pool, log)
            except (ValueError, LookupError):
                self.counters.add("inconsistent")
                followed = None
            self.counters.add("logs")
            if followed is None:
                del after[log.address]
            elif followed is not pool:
                after[log.address] = followed
                touched.add(log.address)
        for address in touched & after.keys():
            # Tables that the first swap would build are built here, off the pending path.
            after[address].prepare()
        return after

    def _forget(self, addresses: set[Address]) -> None:
        """What is wrong now may have been wrong for blocks: no snapshot of these pools is kept."""
        for block_hash, snapshots in self._by_block.items():
            self._by_block[block_hash] = {
                address: pool for address, pool in snapshots.items() if address not in addresses
            }
        if self._head is not None:
            self._current = self._by_block[self._head.hash]

    async def _prove(self, specs: Sequence[PoolSpec], head: Head) -> None:
        try:
            await asyncio.gather(*(prove_tokens(self._node, spec, head.hash) for spec in specs))
        except PoolNotUsable as error:
            raise NodeError(str(error), hint=_WRONG_POOL) from None

    async def _load_missing(self) -> NodeError | TimedOut | None:
        missing = [spec for address, spec in self._specs.items() if address not in self._current]
        read, failure = await self._read(missing, self.head())
        self._set(self.head(), {**self._current, **read})
        return failure

    async def _read(
        self, specs: Sequence[PoolSpec], head: Head, needed: Collection[PoolSpec] = ()
    ) -> tuple[dict[Address, Pool], NodeError | TimedOut | None]:
        """Return the pools that could be read, and the last failure: of the node, or of a `needed` pool."""
        outcomes = await asyncio.gather(
            *(load_pool(self._node, spec, head.hash) for spec in specs), return_exceptions=True
        )
        loaded: dict[Address, Pool] = {}
        failure: NodeError | TimedOut | None = None
        for spec, outcome in zip(specs, outcomes, strict=True):
            if isinstance(outcome, Pool):
                self.counters.add("loads")
                loaded[spec.address] = outcome.prepare()
            elif isinstance(outcome, PoolNotUsable):
                self.counters.add("not_usable")
                if spec in needed:
                    failure = NodeError(str(outcome), hint=_WRONG_POOL)
            elif isinstance(outcome, NodeError | TimedOut):
                self.counters.add("load_failed")
                failure = outcome
            elif isinstance(outcome, ValueError):
                # The parts of the answer contradict each other.
                self.counters.add("inconsistent")
                failure = NodeError(f"{spec.name}: {outcome}")
            else:
                raise outcome
        return loaded, failure

    async def _differs(self, address: Address, pool: Pool, head: Head) -> bool:
        try:
            price = await load_price(self._node, self._specs[address], head.hash)
        except (NodeError, TimedOut, PoolNotUsable, KeyError):
            self.counters.add("check_failed")
            return False
        return price != (pool.sqrt_price_x96, pool.tick, pool.liquidity, pool.fee_protocol)

    async def _differs_in_full(self, address: Address, pool: Pool, head: Head) -> bool:
        try:
            return await load_pool(self._node, self._specs[address], head.hash) != pool
        except (NodeError, TimedOut, ValueError, KeyError):
            self.counters.add("check_failed")
            return False
