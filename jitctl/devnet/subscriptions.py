"""eth_subscribe: newHeads, logs and newPendingTransactions, pushed to WebSocket clients.

A client that does not read is cut off, as nodes do, so that it cannot hold memory. A transaction is
announced only by `publish_pending`, so what is in a bundle is not seen before its block.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from jitctl.devnet.chain_record import BlockRecord
from jitctl.devnet.json_rpc import INVALID_PARAMS, RpcError, param
from jitctl.devnet.transactions import SignedTx

OUTBOX_MESSAGES = 50_000
MAX_SUBSCRIPTIONS = 128


class Outbox:
    """What waits to be written to one client, in order."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], cut: Callable[[], None]) -> None:
        self._send = send
        self._cut = cut
        self._queue: deque[bytes] = deque()
        self._ready = asyncio.Event()

    def put(self, message: bytes) -> None:
        if len(self._queue) >= OUTBOX_MESSAGES:
            self._cut()
            return
        self._queue.append(message)
        self._ready.set()

    async def run(self) -> None:
        """Write until cancelled or the connection breaks."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._queue:
                await self._send(self._queue.popleft())


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs a subscription wants; None or an empty tuple means any."""

    addresses: frozenset[str]
    topics: tuple[frozenset[str] | None, ...]

    def wants(self, log: dict[str, Any]) -> bool:
        if self.addresses and log["address"] not in self.addresses:
            return False
        if len(self.topics) > len(log["topics"]):
            return False
        return all(
            allowed is None or topic in allowed
            for allowed, topic in zip(self.topics, log["topics"], strict=False)
        )


@dataclass(frozen=True, slots=True)
class Subscription:
    kind: str
    full_bodies: bool = False
    logs: LogFilter | None = None


class Subscriber:
    """One client's subscriptions. `silent` loses messages (a node that hangs), `lag` is in blocks."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.subscriptions: dict[str, Subscription] = {}
        self.newest = 0
        self.silent: Callable[[], bool] = lambda: False
        self.lag: Callable[[], int] = lambda: 0

    def subscribe(self, params: list[Any]) -> str:
        """Return the new subscription's id; raises `RpcError`."""
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise RpcError(INVALID_PARAMS, "too many subscriptions")
        kind = param(params, 0, str, "subscription kind")
        if kind == "newHeads":
            wanted = Subscription(kind)
        elif kind == "newPendingTransactions":
            wanted = Subscription(kind, full_bodies=len(params) > 1 and params[1] is True)
        elif kind == "logs":
            wanted = Subscription(kind, logs=_log_filter(params[1] if len(params) > 1 else {}))
        else:
            raise RpcError(INVALID_PARAMS, f"no {kind!r} subscription in eth namespace")
        subscription_id = "0x" + secrets.token_hex(16)
        self.subscriptions[subscription_id] = wanted
        return subscription_id

    def unsubscribe(self, params: list[Any]) -> bool:
        return self.subscriptions.pop(param(params, 0, str, "subscription id"), None) is not None

    def push_pending(self, body: bytes, tx_hash: bytes) -> None:
        for subscription_id, wanted in self._of("newPendingTransactions"):
            self._push(subscription_id, body if wanted.full_bodies else tx_hash)

    def push_header(self, header: bytes) -> None:
        for subscription_id, _ in self._of("newHeads"):
            self._push(subscription_id, header)

    def push_logs(self, logs: list[dict[str, Any]]) -> None:
        for subscription_id, wanted in self._of("logs"):
            for log in logs:
                if wanted.logs is not None and wanted.logs.wants(log):
                    self._push(subscription_id, orjson.dumps(log))

    def _of(self, kind: str) -> list[tuple[str, Subscription]]:
        if self.silent():
            return []
        return [row for row in self.subscriptions.items() if row[1].kind == kind]

    def _push(self, subscription_id: str, result: bytes) -> None:
        self.outbox.put(
            b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"%b","result":%b}}'
            % (subscription_id.encode(), result)
        )


class Hub:
    """All subscribers."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()

    def add(self, subscriber: Subscriber) -> None:
        self._subscribers.add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def publish_pending(self, tx: SignedTx) -> None:
        """Announce a transaction that entered the public pool and can run."""
        if not self._subscribers:
            return
        body, tx_hash = orjson.dumps(tx.body), orjson.dumps(tx.hash)
        for subscriber in self._subscribers:
            subscriber.push_pending(body, tx_hash)

    def publish_removed(self, record: BlockRecord) -> None:
        """Tell log subscribers that a block is no longer canonical, its last log first."""
        logs = record.logs(removed=True)[::-1]
        for subscriber in self._subscribers:
            subscriber.push_logs(logs)

    def publish_block(self, behind: Callable[[int], BlockRecord]) -> None:
        """Announce the head; `behind(lag)` is what a subscriber sees whose node lags so many blocks."""
        for subscriber in self._subscribers:
            lag = subscriber.lag()
            record = behind(lag)
            if lag and record.number <= subscriber.newest:
                continue  # a node that fell behind says nothing until it has caught up with itself
            subscriber.newest = record.number
            subscriber.push_header(orjson.dumps(record.header()))
            subscriber.push_logs(record.logs())


def _log_filter(body: Any) -> LogFilter:
    if not isinstance(body, dict):
        raise RpcError(INVALID_PARAMS, "invalid log filter")
    addresses = body.get("address") or []
    topics = []
    for position in body.get("topics") or []:
        allowed = position if isinstance(position, list) else [position]
        topics.append(None if None in allowed or not allowed else frozenset(_lower(allowed)))
    return LogFilter(
        frozenset(_lower([addresses] if isinstance(addresses, str) else addresses)), tuple(topics)
    )


def _lower(values: list[Any]) -> itertools.chain[str]:
    if not all(isinstance(value, str) for value in values):
        raise RpcError(INVALID_PARAMS, "invalid log filter: expected hex strings")
    return itertools.chain(value.lower() for value in values)
