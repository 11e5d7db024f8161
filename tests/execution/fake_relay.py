"""A real HTTP server in the place of a relay, which answers as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from jitctl.chain.wallet import SigningKey
from jitctl.execution.relay import RelayEndpoint

IDENTITY = SigningKey(b"\x07" * 32)


class FakeRelay:
    """`answer` gives (status, headers, body) for each parsed request; without it requests are accepted."""

    def __init__(self, name: str = "relay") -> None:
        self.name = name
        self.requests: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        self.connections: set[Any] = set()
        self.answer: Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]] | None = None
        self.silent = False

    async def __aenter__(self) -> FakeRelay:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def endpoint(self, timeout_s: float = 2.0) -> RelayEndpoint:
        return RelayEndpoint(self.name, f"http://127.0.0.1:{self._port}/", IDENTITY, timeout_s)

    async def _handle(self, request: web.Request) -> web.Response:
        self.connections.add(request.transport)
        if request.method == "GET":
            return web.Response(text="hello")
        body = await request.read()
        self.bodies.append(body)
        self.signatures.append(request.headers["x-flashbots-signature"])
        message = json.loads(body)
        self.requests.append(message)
        if self.silent:
            await asyncio.sleep(3600)
        if self.answer is not None:
            status, headers, content = self.answer(message)
            return web.Response(status=status, headers=headers, body=content)
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": {}})


def reply(result: Any = None, *, status: int = 200, **extra: Any):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result} | extra).encode()
    return lambda _message: (status, {"content-type": "application/json"}, body)


def raw(status: int, body: bytes = b"", **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _message: (status, named, body)
