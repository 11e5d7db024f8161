"""JSON-RPC over HTTP to one endpoint, with warm connections and a bounded reply."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from jitctl.chain.foreign_errors import mapped
from jitctl.chain.rate_limit import RateLimitedError, retry_after_s
from jitctl.chain.ws import MAX_MESSAGE_BYTES, rpc_error
from jitctl.errors import NodeError


class HttpRpc:
    """One node's HTTP door; every failure is a `NodeError`, `RateLimitedError` or `TimedOut`."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._ids = itertools.count(1)
        self._client: httpx.AsyncClient | None = None

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout_s: float = 2.0) -> Any:
        """Return the `result` of one call; a JSON-RPC error is a `NodeError` with `rpc_code`."""
        request_id = next(self._ids)
        body = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        with mapped(self.name, method):
            status, retry_after, content = await self._post(body, timeout_s)
            if status == 429:
                raise self._rate_limited(retry_after)
            if status != 200:
                raise NodeError(f"node {self.name}: HTTP {status} to {method}")
            message = orjson.loads(content)
            if not isinstance(message, dict) or message.get("id") != request_id:
                raise NodeError(f"node {self.name}: the reply to {method} is not for this request")
        error = rpc_error(self.name, message)
        if error is None:
            return message["result"]
        if isinstance(error, RateLimitedError):
            raise self._rate_limited(retry_after)
        raise error

    async def _post(self, body: bytes, timeout_s: float) -> tuple[int, str, bytes]:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={"content-type": "application/json"},
                follow_redirects=False,
                trust_env=False,
                limits=httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=60),
            )
        # httpx bounds every read by itself: a reply that comes in drips would never end.
        async with (
            asyncio.timeout(timeout_s),
            self._client.stream("POST", self._url, content=body, timeout=timeout_s) as response,
        ):
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > MAX_MESSAGE_BYTES:
                    raise NodeError(f"node {self.name}: a reply of more than {MAX_MESSAGE_BYTES} bytes")
                chunks.append(chunk)
            return response.status_code, response.headers.get("retry-after", ""), b"".join(chunks)

    def _rate_limited(self, retry_after: str) -> RateLimitedError:
        return RateLimitedError(f"node {self.name}: rate limited", retry_after_s=retry_after_s(retry_after))

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
