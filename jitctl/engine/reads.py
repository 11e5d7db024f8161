"""What the engine reads from the node beside the feeds: each a task that ends in a note, or in a count."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from jitctl.domain.chain import Head
from jitctl.domain.values import Address, Hash32, PoolSpec
from jitctl.engine.attempts import Attempt
from jitctl.engine.events import (
    BalancesRead,
    CloseRead,
    FinalizedRead,
    GuardsRead,
    MarksRead,
    MinedRead,
    Note,
    OpenPositionsRead,
    StrayRead,
)
from jitctl.engine.parts import Parts
from jitctl.engine.within import within
from jitctl.errors import JitError

T = TypeVar("T")


class Reads:
    """Starts reads; one of a kind at a time, each under the read timeout."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def after_head(self, head: Head) -> None:
        """Refresh everything that decisions use and blocks do not carry."""
        start = self._parts.background.start
        self.balances(head)
        start("read:positions", lambda: self._positions(head))
        self.marks(head)
        start("read:finalized", self._finalized)
        self.guards(head)

    def balances(self, head: Head) -> None:
        """Read what the executor holds of the watched pools' tokens."""
        self._parts.background.start("read:balances", lambda: self._balances(head))

    def guards(self, head: Head) -> None:
        """Read the executor contract's limits for the watched pools, where it has any."""
        if self._parts.ports.guards is not None:
            self._parts.background.start("read:guards", lambda: self._guards(head))

    def marks(self, head: Head) -> None:
        """Read the external marks, without which nothing is decided on this head, unless they are known."""
        if not self._parts.picture.marked(head):
            self._parts.background.start("read:prices", lambda: self._prices(head))

    def outcome(self, attempt: Attempt, head: Head) -> None:
        """Read what the chain holds of an attempt's bundle."""
        attempt.reading = self._parts.background.start(
            f"read:mined:{attempt.attempt_id}", lambda: self._mined(attempt, head)
        )

    def close(self, pool: Address, tx_hash: Hash32) -> bool:
        """Read what a mined close came to."""
        return self._parts.background.start(f"read:close:{pool}", lambda: self._close(pool, tx_hash))

    def stray(self, tx_hash: Hash32) -> bool:
        """Read what a transaction cost that no attempt accounts for."""
        return self._parts.background.start(f"read:stray:{tx_hash}", lambda: self._stray(tx_hash))

    async def balances_at(self, head: Head, pools: Sequence[PoolSpec]) -> dict[Address, int]:
        """Return the executor's balance of every token of the given pools. Raises `JitError`."""
        parts = self._parts
        tokens = sorted({token.address for spec in pools for token in (spec.token0, spec.token1)})
        chain, executor = parts.ports.chain, parts.settings.executor
        amounts = await asyncio.gather(*(chain.token_balance(token, executor, head.hash) for token in tokens))
        return dict(zip(tokens, amounts, strict=True))

    async def open_pools_at(self, head: Head, pools: Sequence[Address]) -> tuple[Address, ...]:
        """Return the pools that hold an open position of the executor. Raises `JitError`."""
        chain, executor = self._parts.ports.chain, self._parts.settings.executor
        if not pools or await chain.open_positions(executor, pools, head.hash) == 0:
            return ()
        counts = await asyncio.gather(*(chain.open_positions(executor, [pool], head.hash) for pool in pools))
        return tuple(pool for pool, count in zip(pools, counts, strict=True) if count)

    def known_or_open(self) -> list[Address]:
        """Return the known pools, and those left open that a restart found no longer configured."""
        parts = self._parts
        return sorted({*parts.picture.known, *(left.pool for left in parts.watch.all())})

    async def _balances(self, head: Head) -> Note | None:
        picture = self._parts.picture
        watching, specs = picture.watching, tuple(picture.specs.values())
        available = await self._try(self.balances_at(head, specs))
        if available is not None:
            return BalancesRead(available, watching)
        return None

    async def _positions(self, head: Head) -> Note | None:
        pools = await self._try(self.open_pools_at(head, self.known_or_open()))
        if pools is not None:
            return OpenPositionsRead(pools, head.hash)
        return None

    async def _prices(self, head: Head) -> Note:
        watching = self._parts.picture.watching
        return MarksRead(head.hash, await self._try(self._parts.ports.prices.read(head)), watching)

    async def _guards(self, head: Head) -> Note | None:
        guards, picture = self._parts.ports.guards, self._parts.picture
        assert guards is not None
        watching, pools = picture.watching, sorted(picture.specs)
        reading = await self._try(guards.read(pools, head))
        if reading is not None:
            return GuardsRead(reading, watching)
        return None

    async def _finalized(self) -> Note:
        number = await self._try(self._parts.ports.chain.finalized_number())
        return FinalizedRead(number)

    async def _mined(self, attempt: Attempt, head: Head) -> Note:
        assert attempt.mint_tx is not None
        assert attempt.burn_tx is not None
        mined = await self._try(
            self._parts.ports.chain.mined(attempt.mint_tx, attempt.victim_hash, attempt.burn_tx)
        )
        return MinedRead(attempt.attempt_id, mined, head.hash)

    async def _close(self, pool: Address, tx_hash: Hash32) -> Note | None:
        closer = self._parts.ports.closer
        if closer is None:
            return None
        mined = await self._try(closer.closed(tx_hash))
        return CloseRead(pool, mined)

    async def _stray(self, tx_hash: Hash32) -> Note:
        found = await self._try(self._parts.ports.chain.leg(tx_hash))
        return StrayRead(tx_hash, None if found is None else found[0])

    async def _try(self, work: Coroutine[Any, Any, T]) -> T | None:
        parts = self._parts
        try:
            return await within(parts.ports.clock, parts.settings.read_timeout_s, "a read", work)
        except JitError:
            parts.metrics.happenings.add("node_errors")
            return None
