"""The block feed: follows the canonical chain and never emits blocks that do not link."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from jitctl.chain.block_reads import READ_TIMEOUT_S, NoSuchBlockError, WrongBlockError, read_block
from jitctl.chain.clock import Clock, SystemClock
from jitctl.chain.foreign_errors import mapped
from jitctl.chain.quantities import head_of, quantity
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.chain.ws import WsRpc
from jitctl.domain.chain import Block, ChainMoved, Head
from jitctl.domain.counters import Counters
from jitctl.domain.values import Address, Hash32
from jitctl.errors import JitError, NodeError, TimedOut

BLOCK_COUNTS = (
    "heads", "polled", "added", "removed", "resyncs", "too_deep", "read_failed", "bad_block", "subscribed",
    "dropped", "stalled", "refused", "unreachable", "wrong_chain",
)  # fmt: skip
READ_ATTEMPTS = 3
RETRY_S = 0.1
BACKOFF_BASE_S = 0.25
BACKOFF_MAX_S = 10.0
_HANDSHAKE_TIMEOUT_S = 5.0


class BlockSink(Protocol):
    """Where the feed delivers; the call does not block."""

    def put(self, event: ChainMoved) -> None: ...


class BlockFeed:
    """Emits `ChainMoved` for every change of the head.

    Heads come from a subscription; when none came for `stall_s` (or there is no subscription) the head is
    polled. Blocks between the last head and the new one are walked by parent hash. A long gap is emitted as
    `resynced`, and so is a fork below everything that was followed: also as `too_deep`, unless little was
    followed yet and what was settled before it still stands.
    """

    def __init__(
        self,
        nodes: NodePool,
        *,
        executor: Address,
        pools: Iterable[Address] = (),
        max_reorg_depth: int = 64,
        settle_depth: int = 64,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        stall_s: float = 18.0,
        poll_s: float = 1.0,
    ) -> None:
        self.counters = Counters(BLOCK_COUNTS)
        self._nodes = nodes
        self._executor = executor
        self._pools: tuple[Address, ...] = tuple(pools)
        self._dropped: dict[Address, int] = {}
        self._depth = max_reorg_depth
        self._settle_depth = settle_depth
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._stall_s = stall_s
        self._poll_s = poll_s
        self._followed: deque[Head] = deque(maxlen=max_reorg_depth + 1)
        self._settled: Head | None = None  # the newest that was settled when the first of these was the head
        self._wake = asyncio.Event()
        self._stalled = asyncio.Event()
        self._announced: Hash32 | None = None
        self._socket: WsRpc | None = None

    def watch_pools(self, pools: Iterable[Address]) -> None:
        """Replace the pools whose logs blocks carry, from the next block on.

        Those that go are carried for a reorg's depth more: what is on its way there is valued by their logs.
        """
        before, self._pools = self._pools, tuple(pools)
        tip = self.tip()
        self._dropped |= dict.fromkeys(before, tip.number if tip is not None else 0)
        for pool in self._pools:
            self._dropped.pop(pool, None)

    def tip(self) -> Head | None:
        """The head that was emitted last."""
        return self._followed[-1] if self._followed else None

    async def run(self, sink: BlockSink) -> None:
        """Feed `sink` until cancelled."""
        subscriber = asyncio.create_task(self._keep_subscribed(), name="heads-subscription")
        polled, silent = False, self._socket
        try:
            while True:
                self._wake.clear()
                moved = await self._advance_with_retries()
                if moved is not None:
                    sink.put(moved)
                    if polled and self._announced is None and self._subscribed and self._socket is silent:
                        # The head moved and the subscription did not say so.
                        self._stalled.set()
                silent = self._socket
                polled = self._announced is None and await self._wait_for_head()
        finally:
            subscriber.cancel()
            await asyncio.gather(subscriber, return_exceptions=True)

    async def _wait_for_head(self) -> bool:
        """Until a head is announced (False), or it is time to poll (True)."""
        timer = asyncio.ensure_future(self._clock.sleep(self._stall_s if self._subscribed else self._poll_s))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((timer, woken), return_when=asyncio.FIRST_COMPLETED)
            if woken.done():
                return False
            self.counters.add("polled")
            return True
        finally:
            timer.cancel()
            woken.cancel()

    # -- following the chain

    async def _advance_with_retries(self) -> ChainMoved | None:
        announced, self._announced = self._announced, None
        for attempt in range(READ_ATTEMPTS):
            try:
                return await self.advance(announced)
            except (NodeError, TimedOut):
                # Right after a head, or after failing over, a node may not have the block's data yet.
                self.counters.add("read_failed")
                announced = None
                if attempt + 1 < READ_ATTEMPTS:
                    await self._clock.sleep(RETRY_S * (1 + self._rng.random()))
        return None

    async def advance(self, announced: Hash32 | None = None) -> ChainMoved | None:
        """Read the head (or the announced block) and what links it to the last one; None if nothing moved.

        Raises `NodeError` or `TimedOut`, and then nothing has changed.
        """
        if announced is None:
            announced = (await self._header("latest")).hash
        known = {followed.hash for followed in self._followed}
        if announced in known:
            return None
        blocks = [await self._read(announced)]
        if not self._followed:
            self._settled = await self._settled_below(blocks[0].head)
            return self._emit(blocks, (), resynced=True)
        oldest = self._followed[0].number
        while (first := blocks[-1].head).parent_hash not in known:
            if len(blocks) > self._depth or first.number <= oldest:
                return await self._resync(blocks[0])
            blocks.append(await self._read(first.parent_hash))
        blocks.reverse()
        return self._emit(blocks, self._above(first.parent_hash))

    async def _resync(self, block: Block) -> ChainMoved:
        """Take the new head without the blocks in between, and find what of the old chain still stands."""
        removed: list[Head] = []
        standing = False
        for followed in reversed(self._followed):
            standing = await self._stands(followed)
            if standing:
                break
            removed.append(followed)
        if not standing and self._settled is not None and len(self._followed) <= self._depth:
            standing = await self._stands(self._settled)
        self._settled = await self._settled_below(block.head)
        return self._emit([block], tuple(removed), resynced=True, too_deep=not standing)

    async def _stands(self, head: Head) -> bool:
        found = await self._canonical(head.number)
        return found is not None and found.hash == head.hash

    async def _settled_below(self, head: Head) -> Head | None:
        return await self._canonical(max(0, head.number - self._settle_depth))

    async def _canonical(self, number: int) -> Head | None:
        """Return the canonical header of a number; None where the node has no such block."""
        try:
            return await self._header(hex(number))
        except NodeError as error:
            if error.rpc_code is None and not isinstance(error, NoSuchBlockError):
                raise
            return None

    def _above(self, ancestor: Hash32) -> tuple[Head, ...]:
        """Followed heads after `ancestor`, newest first."""
        removed: list[Head] = []
        for followed in reversed(self._followed):
            if followed.hash == ancestor:
                break
            removed.append(followed)
        return tuple(removed)

    def _emit(
        self,
        blocks: Sequence[Block],
        removed: tuple[Head, ...],
        *,
        resynced: bool = False,
        too_deep: bool = False,
    ) -> ChainMoved:
        if resynced:
            self._followed.clear()
        for _ in range(0 if resynced else len(removed)):
            self._followed.pop()
        self._followed.extend(block.head for block in blocks)
        self.counters.add("added", len(blocks))
        self.counters.add("removed", len(removed))
        self.counters.add("resyncs", int(resynced))
        self.counters.add("too_deep", int(too_deep))
        return ChainMoved(added=tuple(blocks), removed=removed, resynced=resynced, too_deep=too_deep)

    # -- reading

    async def _header(self, number: str) -> Head:
        body = await self._nodes.call("eth_getBlockByNumber", [number, False], timeout_s=READ_TIMEOUT_S)
        if body is None:
            raise NoSuchBlockError(f"the node has no block {number}")
        with mapped("feed", "reading a header"):
            return head_of(body)

    async def _read(self, block_hash: Hash32) -> Block:
        tip = self.tip()
        oldest = tip.number - self._depth if tip is not None else 0
        self._dropped = {pool: number for pool, number in self._dropped.items() if number >= oldest}
        pools = (*self._pools, *self._dropped)
        try:
            return await read_block(self._nodes, block_hash, executor=self._executor, pools=pools)
        except WrongBlockError:
            self.counters.add("bad_block")
            raise

    # -- the subscription

    @property
    def _subscribed(self) -> bool:
        return self._socket is not None and self._socket.is_open

    def _on_head(self, header: Any) -> None:
        if not isinstance(header, dict) or not isinstance(header.get("hash"), str):
            self.counters.add("bad_block")
            return
        self.counters.add("heads")
        self._announced = Hash32(header["hash"])
        self._wake.set()

    async def _keep_subscribed(self) -> None:
        backoff_s, failed_name = BACKOFF_BASE_S, ""
        while True:
            endpoints = self._nodes.subscribable()
            others = [endpoint for endpoint in endpoints if endpoint.name != failed_name]
            endpoint = next(iter(others or endpoints), None)
            if endpoint is not None:
                reason = await self._hold_subscription(endpoint)
                if reason is None:
                    failed_name, backoff_s = "", BACKOFF_BASE_S
                    continue
                self.counters.add(reason)
                self._nodes.report_failure(endpoint.name, NodeError(f"node {endpoint.name}: heads {reason}"))
                failed_name = endpoint.name
                # A reorg or several blocks may have been missed: look at once.
                self._wake.set()
                if reason == "dropped":
                    backoff_s = BACKOFF_BASE_S
            await self._clock.sleep(backoff_s * (0.5 + self._rng.random() / 2))
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)

    async def _hold_subscription(self, endpoint: NodeEndpoint) -> str | None:
        """Return what ended it, or None when a preferred endpoint has come back."""
        try:
            ws = await WsRpc.open(endpoint.name, endpoint.ws_url, timeout_s=_HANDSHAKE_TIMEOUT_S)
        except (NodeError, TimedOut):
            return "unreachable"
        try:
            found = await ws.call("eth_chainId", timeout_s=_HANDSHAKE_TIMEOUT_S)
            if quantity(found, ws.name, "eth_chainId") != self._nodes.chain_id:
                return "wrong_chain"
            await ws.subscribe(["newHeads"], self._on_head)
            self.counters.add("subscribed")
            self._stalled.clear()
            self._socket = ws
            self._wake.set()
            return await self._until_lost(ws)
        except TimedOut:
            return "stalled"
        except JitError:
            return "refused"
        finally:
            self._socket = None
            await ws.close()

    async def _until_lost(self, ws: WsRpc) -> str | None:
        closed = asyncio.create_task(ws.wait_closed())
        try:
            while True:
                tick = asyncio.ensure_future(self._clock.sleep(1.0))
                await asyncio.wait((closed, tick), return_when=asyncio.FIRST_COMPLETED)
                tick.cancel()
                if closed.done():
                    return "dropped"
                if self._stalled.is_set():
                    return "stalled"
                if self._nodes.prefers_over(ws.name):
                    return None
        finally:
            closed.cancel()
