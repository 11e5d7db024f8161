"""Several nodes in order of preference, used as one: failover, return with hysteresis, health.

A node's JSON-RPC error is an answer and is raised; everything else (no connection, no answer, 429, a
wrong chain id, garbage) benches the endpoint and the next one is asked, each at most once per call.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from jitctl.chain.clock import Clock, SystemClock
from jitctl.chain.health import EndpointHealth, HealthRecord
from jitctl.chain.http_rpc import HttpRpc
from jitctl.chain.quantities import quantity
from jitctl.chain.rate_limit import RateLimitedError
from jitctl.chain.ws import BATCH_REFUSED, Request, WsRpc
from jitctl.domain.counters import Counters
from jitctl.errors import JitError, NodeError, TimedOut

LAG_BLOCKS = 3
"""An endpoint this many blocks behind the best one is benched."""
PROBE_INTERVAL_S = 2.0
PROBE_TIMEOUT_S = 2.0
RECONNECT_BASE_S = 0.25
RECONNECT_MAX_S = 10.0
POOL_COUNTS = (
    "calls", "failovers", "exhausted", "timed_out", "rate_limited", "wrong_chain", "unreachable", "lagging",
    "socket_lost",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NodeEndpoint:
    """A node as configured; without `ws_url` it serves calls but no subscriptions."""

    name: str
    http_url: str
    ws_url: str = ""


class _Endpoint:
    """One endpoint's two transports and its record; the WebSocket is used whenever it is open."""

    def __init__(self, spec: NodeEndpoint) -> None:
        self.spec = spec
        self.health = HealthRecord()
        self.http = HttpRpc(spec.name, spec.http_url)
        self.ws: WsRpc | None = None
        self.chain_checked = False
        self.barred = ""
        self.batches = True

    async def call(self, method: str, params: Sequence[Any], timeout_s: float) -> Any:
        ws = self.ws
        if ws is not None and ws.is_open:
            try:
                return await ws.call(method, params, timeout_s=timeout_s)
            except NodeError as error:
                if error.rpc_code is not None or ws.is_open:
                    raise
        return await self.http.call(method, params, timeout_s=timeout_s)

    async def call_many(self, requests: Sequence[Request], timeout_s: float) -> list[Any | NodeError]:
        ws = self.ws
        if self.batches and ws is not None and ws.is_open:
            try:
                return await ws.call_many(requests, timeout_s=timeout_s)
            except NodeError as error:
                if error.rpc_code is None and ws.is_open:
                    raise
                self.batches = error.rpc_code != BATCH_REFUSED
        outcomes = await asyncio.gather(
            *(self.call(method, params, timeout_s) for method, params in requests), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and getattr(outcome, "rpc_code", None) is None:
                raise outcome
        return list(outcomes)


Ask = Callable[[_Endpoint, float], Awaitable[Any]]


class NodePool:
    """The nodes as one; `start` keeps sockets and health up to date, without it calls go over HTTP."""

    def __init__(
        self,
        endpoints: Sequence[NodeEndpoint],
        chain_id: int,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        if not endpoints:
            raise ValueError("a node pool needs at least one endpoint")
        self.chain_id = chain_id
        self.counters = Counters(POOL_COUNTS)
        self._endpoints = [_Endpoint(spec) for spec in endpoints]
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._timeout_s = timeout_s
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> NodePool:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Probe every endpoint once, open the sockets and keep both going in the background."""
        await self.probe()
        await asyncio.gather(*(self._open_socket(endpoint) for endpoint in self._endpoints))
        self._tasks = [asyncio.create_task(self._probe_forever(), name="node-probe")]
        self._tasks += [
            asyncio.create_task(self._keep_socket(endpoint), name=f"node-socket-{endpoint.spec.name}")
            for endpoint in self._endpoints
            if endpoint.spec.ws_url
        ]

    async def close(self) -> None:
        """Stop the background work and close every connection."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for endpoint in self._endpoints:
            if endpoint.ws is not None:
                await endpoint.ws.close()
                endpoint.ws = None
            await endpoint.http.close()

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout_s: float | None = None,
        only: str | None = None,
    ) -> Any:
        """Return the `result` of one call from the first endpoint that answers.

        `timeout_s` bounds each endpoint's attempt. `only` names one endpoint to ask, with no failover.
        Raises `NodeError` (with `rpc_code` when a node answered with an error) or `TimedOut`.
        """
        return await self._first(
            lambda endpoint, limit_s: endpoint.call(method, params, limit_s), timeout_s, only
        )

    async def call_many(
        self, requests: Sequence[Request], *, timeout_s: float | None = None
    ) -> list[Any | NodeError]:
        """Return each request's `result`, or the `NodeError` that the node answered it with.

        All go to one endpoint, in one frame where it allows that; the rest is as in `call`.
        """
        outcomes: list[Any | NodeError] = await self._first(
            lambda endpoint, limit_s: endpoint.call_many(requests, limit_s), timeout_s, None
        )
        return outcomes

    def subscribable(self) -> list[NodeEndpoint]:
        """Endpoints with a WebSocket, the one to use first."""
        return [endpoint.spec for endpoint in self._order() if endpoint.spec.ws_url]

    def prefers_over(self, name: str) -> bool:
        """True if a feed on endpoint `name` should move to a usable endpoint that comes before it."""
        first = next((e for e in self._order() if e.spec.ws_url and e.health.usable), None)
        return first is not None and first.spec.name != name

    def report_failure(self, name: str, error: JitError) -> None:
        """A feed lost this endpoint."""
        for endpoint in self._named(name):
            self._note(endpoint, error)

    def names(self) -> tuple[str, ...]:
        """The endpoints' names in configured order."""
        return tuple(endpoint.spec.name for endpoint in self._endpoints)

    def bar(self, name: str, why: str) -> None:
        """Use an endpoint for nothing but what names it (`only`), until it is barred for "" again."""
        for endpoint in self._named(name):
            endpoint.barred = why

    def health(self) -> tuple[EndpointHealth, ...]:
        """Every endpoint as operators see it, in configured order."""
        now_ns = self._clock.monotonic_ns()
        order = self._order()
        return tuple(self._health_of(endpoint, now_ns, order) for endpoint in self._endpoints)

    async def probe(self) -> None:
        """Ask every endpoint for its chain id and head, and bench those that are wrong or behind."""
        await asyncio.gather(*(self._probe_one(endpoint) for endpoint in self._endpoints))
        best = max((e.health.head_number or 0 for e in self._endpoints if e.health.usable), default=0)
        for endpoint in self._endpoints:
            head = endpoint.health.head_number
            if head is not None and head + LAG_BLOCKS <= best and endpoint.health.usable:
                self.counters.add("lagging")
                endpoint.health.failed(
                    NodeError(f"node {endpoint.spec.name}: {best - head} blocks behind"),
                    self._clock.monotonic_ns(),
                )

    # -- choosing

    def _order(self) -> list[_Endpoint]:
        """Usable endpoints in preference order, then benched ones as a last resort."""
        now_ns = self._clock.monotonic_ns()
        allowed = [
            endpoint
            for endpoint in self._endpoints
            if not endpoint.barred
            and not endpoint.health.wrong_chain
            and endpoint.health.not_before_ns <= now_ns
        ]
        return sorted(allowed, key=lambda endpoint: not endpoint.health.usable)

    def _named(self, name: str) -> list[_Endpoint]:
        return [endpoint for endpoint in self._endpoints if endpoint.spec.name == name]

    # -- asking

    async def _first(self, ask: Ask, timeout_s: float | None, only: str | None) -> Any:
        self.counters.add("calls")
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        failure: JitError | None = None
        for endpoint in self._order() if only is None else self._named(only):
            if failure is not None:
                self.counters.add("failovers")
            try:
                return await self._ask_one(endpoint, ask, limit_s)
            except (NodeError, TimedOut) as error:
                if isinstance(error, NodeError) and error.rpc_code is not None:
                    raise
                failure = error
        self.counters.add("exhausted")
        raise failure or self._nobody()

    def _nobody(self) -> NodeError:
        known = [endpoint.barred or endpoint.health.last_error for endpoint in self._endpoints]
        why = "; ".join(dict.fromkeys(each for each in known if each))
        return NodeError(
            f"no node may be asked now{': ' if why else ''}{why}", hint="correct [[nodes]] in jitctl.toml"
        )

    async def _ask_one(self, endpoint: _Endpoint, ask: Ask, timeout_s: float) -> Any:
        begun_ns = self._clock.monotonic_ns()
        try:
            if not endpoint.chain_checked:
                await self._check_chain(endpoint, timeout_s)
            result = await ask(endpoint, timeout_s)
        except (NodeError, TimedOut) as error:
            if isinstance(error, NodeError) and error.rpc_code is not None:
                endpoint.health.answered((self._clock.monotonic_ns() - begun_ns) / 1e6)
            else:
                self._note(endpoint, error)
            raise
        endpoint.health.answered((self._clock.monotonic_ns() - begun_ns) / 1e6)
        return result

    async def _check_chain(self, endpoint: _Endpoint, timeout_s: float) -> None:
        name = endpoint.spec.name
        found = quantity(await endpoint.http.call("eth_chainId", timeout_s=timeout_s), name, "eth_chainId")
        if found != self.chain_id:
            endpoint.health.wrong_chain = True
            raise NodeError(
                f"node {name}: chain id {found}, not {self.chain_id}",
                hint="the node's URL belongs to another network",
            )
        endpoint.chain_checked = True

    def _note(self, endpoint: _Endpoint, error: JitError) -> None:
        if isinstance(error, RateLimitedError):
            self.counters.add("rate_limited")
        elif isinstance(error, TimedOut):
            self.counters.add("timed_out")
        elif endpoint.health.wrong_chain:
            self.counters.add("wrong_chain")
        else:
            self.counters.add("unreachable")
        endpoint.health.failed(error, self._clock.monotonic_ns())

    # -- in the background

    async def _probe_forever(self) -> None:
        while True:
            await self._clock.sleep(PROBE_INTERVAL_S)
            await self.probe()

    async def _probe_one(self, endpoint: _Endpoint) -> None:
        name = endpoint.spec.name
        if endpoint.health.not_before_ns > self._clock.monotonic_ns():
            return
        try:
            await self._check_chain(endpoint, PROBE_TIMEOUT_S)
            head = await endpoint.call("eth_blockNumber", (), PROBE_TIMEOUT_S)
            # One that is gone may have said anything before: it holds nobody back.
            best = max((e.health.head_number or 0 for e in self._endpoints if e.health.usable), default=0)
            number = quantity(head, name, "eth_blockNumber")
        except (NodeError, TimedOut) as error:
            endpoint.chain_checked = False
            self._note(endpoint, error)
            return
        now_ns = self._clock.monotonic_ns()
        if number + LAG_BLOCKS <= best:
            endpoint.health.saw_head(number, now_ns)
        else:
            endpoint.health.probed_well(number, now_ns)

    async def _open_socket(self, endpoint: _Endpoint) -> bool:
        if not endpoint.spec.ws_url or endpoint.health.wrong_chain:
            return False
        try:
            ws = await WsRpc.open(endpoint.spec.name, endpoint.spec.ws_url, timeout_s=PROBE_TIMEOUT_S)
        except (NodeError, TimedOut):
            return False
        try:
            found = await ws.call("eth_chainId", timeout_s=PROBE_TIMEOUT_S)
            if quantity(found, endpoint.spec.name, "eth_chainId") != self.chain_id:
                raise NodeError(f"node {endpoint.spec.name}: its WebSocket is on another chain")
        except (NodeError, TimedOut) as error:
            self._note(endpoint, error)
            await ws.close()
            return False
        endpoint.ws = ws
        endpoint.batches = True
        return True

    async def _keep_socket(self, endpoint: _Endpoint) -> None:
        wait_s = RECONNECT_BASE_S
        while True:
            ws = endpoint.ws
            if ws is not None and ws.is_open:
                await ws.wait_closed()
                self.counters.add("socket_lost")
                endpoint.chain_checked = False
                wait_s = RECONNECT_BASE_S
            if endpoint.ws is not None:
                with contextlib.suppress(NodeError, TimedOut):
                    await endpoint.ws.close()
                endpoint.ws = None
            await self._clock.sleep(wait_s * (0.5 + self._rng.random() / 2))
            wait_s = min(wait_s * 2, RECONNECT_MAX_S)
            await self._open_socket(endpoint)

    def _health_of(self, endpoint: _Endpoint, now_ns: int, order: list[_Endpoint]) -> EndpointHealth:
        record = endpoint.health

        def age_s(since_ns: int | None) -> float | None:
            return None if since_ns is None else (now_ns - since_ns) / 1e9

        return EndpointHealth(
            name=endpoint.spec.name,
            usable=record.usable
            and not endpoint.barred
            and not record.wrong_chain
            and record.not_before_ns <= now_ns,
            preferred=bool(order) and order[0] is endpoint,
            head_number=record.head_number,
            head_age_s=age_s(record.head_changed_ns),
            latency_ms=record.latency_ms,
            last_error=endpoint.barred or record.last_error,
            last_error_age_s=age_s(record.last_error_ns),
            web_socket=endpoint.ws is not None and endpoint.ws.is_open,
        )
