"""The pending-transaction feed: a bare WebSocket, read for speed, that survives what nodes do to it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any, Protocol

import orjson

from jitctl.chain.clock import Clock, SystemClock
from jitctl.chain.pending_body import parse_pending
from jitctl.chain.pending_filter import PendingFilter, PendingWatch, Verdict
from jitctl.chain.quantities import quantity
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.chain.ws import WsRpc
from jitctl.domain.chain import PendingGone, PendingTx
from jitctl.domain.counters import Counters
from jitctl.domain.values import hash32
from jitctl.errors import JitError, NodeError, TimedOut

PENDING_COUNTS = (
    "seen", "delivered", "irrelevant", "blob", "own", "bad", "hash_only", "fetched", "fetch_missing",
    "fetch_dropped", "subscribed", "dropped", "stalled", "refused", "unreachable", "wrong_chain",
    "preferred_back", "no_node",
)  # fmt: skip
"""Closed names of everything that can happen to a message or to the connection."""

MAX_FETCHES = 256
FETCH_TIMEOUT_S = 2.0
BACKOFF_BASE_S = 0.25
BACKOFF_MAX_S = 10.0
TICK_S = 1.0
HANDSHAKE_TIMEOUT_S = 5.0
LIVENESS_TIMEOUT_S = 2.0
_SUBSCRIPTION = b'"eth_subscription"'


class PendingSink(Protocol):
    """Where the feed delivers; neither call blocks."""

    def offer_pending(self, tx: PendingTx) -> None: ...
    def put(self, event: PendingGone) -> None: ...


class PendingFeed:
    """Delivers `PendingTx` for what `watch` makes interesting, and `PendingGone` once per interruption.

    Reconnects with bounded jittered backoff, on the next endpoint if this one fails and back on the
    preferred one once the pool trusts it again. Silence of `stall_s` (neither transaction nor head) is
    tested with a question: no answer, or a head that moved without being told, is a stall.
    """

    def __init__(
        self,
        nodes: NodePool,
        watch: PendingWatch,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        stall_s: float = 30.0,
    ) -> None:
        self.counters = Counters(PENDING_COUNTS)
        self._nodes = nodes
        self._filter = PendingFilter(watch)
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._stall_ns = int(stall_s * 1e9)
        self._connected_to = ""

    @property
    def connected_to(self) -> str:
        """The name of the endpoint that feeds us, or an empty string between connections."""
        return self._connected_to

    def watch(self, watch: PendingWatch) -> None:
        """Replace what is interesting, from the next message on."""
        self._filter = self._filter.rewatch(watch)

    async def run(self, sink: PendingSink) -> None:
        """Feed `sink` until cancelled."""
        backoff_s, failed_name, gone = BACKOFF_BASE_S, "", False
        while True:
            endpoint = self._next_endpoint(failed_name)
            session = _Session(self, endpoint, sink) if endpoint else None
            reason = await session.run() if session else "no_node"
            self._connected_to = ""
            self.counters.add(reason)
            failed_name = endpoint.name if endpoint else ""
            if session is not None and session.subscribed:
                backoff_s, gone = BACKOFF_BASE_S, False
            if not gone:
                sink.put(PendingGone(reason))
                gone = True
            if reason == "preferred_back":
                failed_name = ""
                continue
            await self._clock.sleep(backoff_s * (0.5 + self._rng.random() / 2))
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)

    def _next_endpoint(self, failed_name: str) -> NodeEndpoint | None:
        endpoints = self._nodes.subscribable()
        others = [endpoint for endpoint in endpoints if endpoint.name != failed_name]
        return next(iter(others or endpoints), None)

    def deliver(self, body: Any, sink: PendingSink, seen_ns: int) -> None:
        """Parse one body and hand it on; what is wrong with it is counted, never raised."""
        tx = parse_pending(body, seen_ns)
        counters, watch = self.counters, self._filter.watch
        if tx is None:
            counters.add("bad")
        elif tx.sender in watch.own:
            counters.add("own")
        else:
            if tx.tx_type == 3:
                counters.add("blob")
            if tx.to in watch.routers:
                self._filter.follow(tx.sender)
            counters.add("delivered")
            sink.offer_pending(tx)


class _Session:
    """One connection, from the handshake to what ended it."""

    def __init__(self, feed: PendingFeed, endpoint: NodeEndpoint, sink: PendingSink) -> None:
        self.subscribed = False
        self._feed = feed
        self._endpoint = endpoint
        self._sink = sink
        self._last_ns = feed._clock.monotonic_ns()
        self._head: str | None = None
        self._bad_frames = 0
        self._fetches: set[asyncio.Task[None]] = set()
        self._ws: WsRpc | None = None

    async def run(self) -> str:
        """Return the name (of `PENDING_COUNTS`) of what ended the session."""
        feed, name = self._feed, self._endpoint.name
        try:
            ws = self._ws = await WsRpc.open(
                name, self._endpoint.ws_url, timeout_s=HANDSHAKE_TIMEOUT_S, hook=self._on_frame
            )
        except (NodeError, TimedOut) as error:
            feed._nodes.report_failure(name, error)
            return "unreachable"
        try:
            reason = await self._handshake(ws) or await self._watch(ws)
        finally:
            for fetch in self._fetches:
                fetch.cancel()
            await ws.close()
        if reason != "preferred_back":
            feed._nodes.report_failure(name, NodeError(f"node {name}: pending feed {reason}"))
        return reason

    async def _handshake(self, ws: WsRpc) -> str:
        """Return an empty string once subscribed, else why not."""
        try:
            found = await ws.call("eth_chainId", timeout_s=HANDSHAKE_TIMEOUT_S)
            if quantity(found, ws.name, "eth_chainId") != self._feed._nodes.chain_id:
                return "wrong_chain"
            try:
                await ws.subscribe(["newPendingTransactions", True], self._ignore)
            except NodeError as error:
                if error.rpc_code is None:
                    raise
                # Some nodes know only the older form, which sends hashes.
                await ws.subscribe(["newPendingTransactions"], self._ignore)
            with contextlib.suppress(NodeError):
                await ws.subscribe(["newHeads"], self._ignore)
        except TimedOut:
            return "stalled"
        except NodeError as error:
            return "dropped" if error.rpc_code is None and not ws.is_open else "refused"
        self.subscribed = True
        self._feed._connected_to = ws.name
        self._feed.counters.add("subscribed")
        return ""

    async def _watch(self, ws: WsRpc) -> str:
        feed = self._feed
        closed = asyncio.create_task(ws.wait_closed())
        try:
            while True:
                tick = asyncio.ensure_future(feed._clock.sleep(TICK_S))
                await asyncio.wait((closed, tick), return_when=asyncio.FIRST_COMPLETED)
                tick.cancel()
                self._count_bad_frames(ws)
                if closed.done():
                    return "dropped"
                if feed._nodes.prefers_over(ws.name):
                    return "preferred_back"
                if feed._clock.monotonic_ns() - self._last_ns > feed._stall_ns and await self._is_stalled(ws):
                    return "stalled"
        finally:
            closed.cancel()

    async def _is_stalled(self, ws: WsRpc) -> bool:
        """A quiet pool is no stall: the node must answer, and its head must be the one we were told."""
        try:
            number = await ws.call("eth_blockNumber", timeout_s=LIVENESS_TIMEOUT_S)
        except (NodeError, TimedOut):
            return True
        self._last_ns = self._feed._clock.monotonic_ns()
        known, self._head = self._head, number
        return known is not None and known != number

    # -- messages

    def _ignore(self, _result: Any) -> None:
        """Notifications are dealt with in `_on_frame`, before they would get here."""

    def _on_frame(self, raw: bytes) -> bool:
        feed = self._feed
        seen_ns = self._last_ns = feed._clock.monotonic_ns()
        verdict = feed._filter.judge(raw)
        counters = feed.counters
        if verdict is not Verdict.PARSE:
            counters.add("seen")
            counters.add("irrelevant")
            if verdict is Verdict.IRRELEVANT_BLOB:
                counters.add("blob")
            return True
        if _SUBSCRIPTION not in raw:
            return False
        try:
            result = orjson.loads(raw)["params"]["result"]
        except (ValueError, LookupError, TypeError):
            counters.add("bad")
            return True
        if isinstance(result, dict) and "parentHash" in result:
            self._head = result.get("number")
            return True
        counters.add("seen")
        if isinstance(result, str):
            self._announced(result, seen_ns)
        else:
            feed.deliver(result, self._sink, seen_ns)
        return True

    def _announced(self, text: str, seen_ns: int) -> None:
        """Ask for the body of a hash. What is none is not repeated to the node: it may be of any length."""
        try:
            hash32(text)
        except ValueError:
            self._feed.counters.add("bad")
        else:
            self._fetch(text, seen_ns)

    def _fetch(self, tx_hash: str, seen_ns: int) -> None:
        self._feed.counters.add("hash_only")
        if len(self._fetches) >= MAX_FETCHES or self._ws is None:
            self._feed.counters.add("fetch_dropped")
            return
        task = asyncio.create_task(self._fetch_body(self._ws, tx_hash, seen_ns))
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    async def _fetch_body(self, ws: WsRpc, tx_hash: str, seen_ns: int) -> None:
        counters = self._feed.counters
        try:
            body = await ws.call("eth_getTransactionByHash", [tx_hash], timeout_s=FETCH_TIMEOUT_S)
        except JitError:
            body = None
        if not isinstance(body, dict) or body.get("hash") != tx_hash:
            counters.add("fetch_missing")
            return
        counters.add("fetched")
        if self._feed._filter.wants_body(body):
            self._feed.deliver(body, self._sink, seen_ns)
        else:
            counters.add("irrelevant")

    def _count_bad_frames(self, ws: WsRpc) -> None:
        bad = ws.counters["bad_messages"]
        self._feed.counters.add("bad", bad - self._bad_frames)
        self._bad_frames = bad
