"""One persistent JSON-RPC WebSocket: requests multiplexed by id, subscriptions routed to handlers.

Made for latency: no compression, no per-message task, one JSON parse per frame. Reconnecting is the
owner's business; once closed, a connection stays closed and every waiting call fails at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import websockets
from websockets.asyncio.client import ClientConnection, connect

from jitctl.chain.foreign_errors import mapped
from jitctl.chain.rate_limit import RATE_LIMIT_CODES, RateLimitedError
from jitctl.domain.counters import Counters
from jitctl.errors import NodeError

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A block with all bodies is a few MiB; anything beyond this is refused."""
MAX_OUTSTANDING = 4096
BATCH_REFUSED = -32600
"""JSON-RPC's "invalid request", which is what a node without batches makes of one."""
WS_COUNTS = ("requests", "late_replies", "bad_messages", "unrouted")

_YIELD_EVERY_FRAMES = 32

SubscriptionHandler = Callable[[Any], None]
Request = tuple[str, Sequence[Any]]
"""A method and its parameters."""
FrameHook = Callable[[bytes], bool]
"""Sees every frame before it is parsed; True means that it has dealt with it."""


class WsRpc:
    """A live connection; make one with `WsRpc.open`. All calls raise `NodeError` or `TimedOut`."""

    def __init__(self, name: str, connection: ClientConnection, hook: FrameHook | None = None) -> None:
        self.name = name
        self._hook = hook
        self.counters = Counters(WS_COUNTS)
        self._connection = connection
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._batched: set[int] = set()
        self._handlers: dict[str, SubscriptionHandler] = {}
        # Notifications may arrive before the reply that names their subscription has been handled.
        self._early: dict[str, list[Any]] = {}
        self._closed = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name=f"ws-{name}")

    @classmethod
    async def open(
        cls, name: str, url: str, *, timeout_s: float = 5.0, hook: FrameHook | None = None
    ) -> WsRpc:
        """Connect to `url`; raises `NodeError` or `TimedOut`."""
        with mapped(name, "connecting"):
            connection = await connect(
                url,
                compression=None,
                open_timeout=timeout_s,
                close_timeout=1.0,
                ping_interval=20.0,
                ping_timeout=20.0,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=256,
                proxy=None,
            )
        return cls(name, connection, hook)

    @property
    def is_open(self) -> bool:
        return not self._closed.is_set()

    async def wait_closed(self) -> None:
        """Return when the connection is gone, whoever closed it."""
        await self._closed.wait()

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout_s: float = 2.0) -> Any:
        """Return the `result` of one call; a JSON-RPC error is a `NodeError` with `rpc_code`."""
        request_id, future = self._expect()
        frame = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        try:
            with mapped(self.name, method):
                async with asyncio.timeout(timeout_s):
                    await self._connection.send(frame, text=True)
                    return await future
        finally:
            self._waiting.pop(request_id, None)
            _seen(future)

    async def call_many(
        self, requests: Sequence[Request], *, timeout_s: float = 2.0
    ) -> list[Any | NodeError]:
        """Return each request's `result`, or the `NodeError` that the node answered it with, from one frame.

        Raises `NodeError` (with `rpc_code` if the node refuses batches) or `TimedOut` for all of them.
        """
        expected = [self._expect() for _ in requests]
        frame = orjson.dumps(
            [
                {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
                for (request_id, _), (method, params) in zip(expected, requests, strict=True)
            ]
        )
        ids = [request_id for request_id, _ in expected]
        self._batched.update(ids)
        try:
            with mapped(self.name, requests[0][0]):
                async with asyncio.timeout(timeout_s):
                    await self._connection.send(frame, text=True)
                    outcomes: list[Any | NodeError] = []
                    for _, future in expected:
                        try:
                            outcomes.append(await future)
                        except NodeError as error:
                            if error.rpc_code is None or error.rpc_code == BATCH_REFUSED:
                                raise
                            outcomes.append(error)
                    return outcomes
        finally:
            self._batched.difference_update(ids)
            for request_id in ids:
                _seen(self._waiting.pop(request_id))

    def _expect(self) -> tuple[int, asyncio.Future[Any]]:
        if self._closed.is_set():
            raise NodeError(f"node {self.name}: the WebSocket is closed")
        if len(self._waiting) >= MAX_OUTSTANDING:
            raise NodeError(f"node {self.name}: {MAX_OUTSTANDING} calls are already waiting")
        request_id = next(self._ids)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        self.counters.add("requests")
        return request_id, future

    async def subscribe(
        self, params: Sequence[Any], handler: SubscriptionHandler, *, timeout_s: float = 5.0
    ) -> str:
        """Subscribe; `handler` is called from the reader with each notification's `result`."""
        subscription = await self.call("eth_subscribe", params, timeout_s=timeout_s)
        if not isinstance(subscription, str):
            raise NodeError(f"node {self.name}: eth_subscribe did not return a subscription id")
        self._handlers[subscription] = handler
        for result in self._early.pop(subscription, ()):
            handler(result)
        return subscription

    async def close(self) -> None:
        """Close the socket and fail whatever still waits."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        with contextlib.suppress(websockets.WebSocketException, OSError):
            await self._connection.close()
        self._fail_waiting()

    async def _read(self) -> None:
        connection, hook, frames = self._connection, self._hook, 0
        try:
            while True:
                raw = await connection.recv(decode=False)
                if hook is None or not hook(raw):
                    self._dispatch(raw)
                frames += 1
                if frames % _YIELD_EVERY_FRAMES == 0:
                    # recv() does not suspend while frames are queued: let others run during a flood.
                    await asyncio.sleep(0)
        except (websockets.WebSocketException, OSError, EOFError):
            pass
        finally:
            self._fail_waiting()
            # The transport is dropped without a closing handshake that a dead peer would not answer.
            connection.transport.abort()

    def _dispatch(self, raw: bytes) -> None:
        try:
            message = orjson.loads(raw)
        except ValueError:
            self.counters.add("bad_messages")
            return
        if isinstance(message, list) and message:
            for each in message:
                if isinstance(each, dict):
                    self._reply(each)
                else:
                    self.counters.add("bad_messages")
        elif not isinstance(message, dict):
            self.counters.add("bad_messages")
        elif message.get("method") == "eth_subscription":
            self._notify(message.get("params"))
        else:
            self._reply(message)

    def _reply(self, message: dict[str, Any]) -> None:
        request_id = message.get("id")
        if request_id is None and self._batched and message.get("error") is not None:
            self._refuse_batches(message)
            return
        future = self._waiting.get(request_id) if isinstance(request_id, int) else None
        if future is None or future.done():
            self.counters.add("late_replies")
            return
        error = rpc_error(self.name, message)
        if error is None:
            future.set_result(message["result"])
        else:
            future.set_exception(error)

    def _refuse_batches(self, message: dict[str, Any]) -> None:
        """One error without an id answers a whole batch, and does not say which."""
        error = rpc_error(self.name, message)
        for request_id in self._batched:
            future = self._waiting.get(request_id)
            if future is not None and not future.done():
                refused = NodeError(str(error), rpc_code=BATCH_REFUSED)
                future.set_exception(error if isinstance(error, RateLimitedError) else refused)

    def _notify(self, params: Any) -> None:
        if not isinstance(params, dict) or not isinstance(params.get("subscription"), str):
            self.counters.add("bad_messages")
            return
        handler = self._handlers.get(params["subscription"])
        if handler is not None:
            handler(params.get("result"))
            return
        early = self._early.setdefault(params["subscription"], [])
        if len(self._early) > 16 or len(early) >= 64:
            self.counters.add("unrouted")
            self._early.clear()
        else:
            early.append(params.get("result"))

    def _fail_waiting(self) -> None:
        self._closed.set()
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(NodeError(f"node {self.name}: the WebSocket closed before the reply"))


def _seen(future: asyncio.Future[Any]) -> None:
    """A reply that nobody awaits any more: asyncio would warn that its exception was never asked for."""
    if future.done() and not future.cancelled():
        future.exception()


def rpc_error(name: str, message: dict[str, Any]) -> NodeError | None:
    """Return the error that a JSON-RPC reply carries, or None where it has a `result`.

    A rate limit is no answer: without `rpc_code`, so that another node is asked.
    """
    error = message.get("error")
    if error is None:
        return None if "result" in message else NodeError(f"node {name}: a reply without result or error")
    if not isinstance(error, dict):
        return NodeError(f"node {name}: an error of the wrong shape", rpc_code=0)
    code = error.get("code")
    if not isinstance(code, int):
        code = 0
    data = error.get("data")
    text = f"node {name}: {str(error.get('message', 'unnamed error'))[:200]}"
    if code in RATE_LIMIT_CODES:
        return RateLimitedError(text)
    return NodeError(
        text,
        rpc_code=code,
        rpc_data=data if isinstance(data, str) else None,
    )
