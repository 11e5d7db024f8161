"""A real HTTP and WebSocket server that speaks JSON-RPC and misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from jitctl.chain.rpc import NodeEndpoint

CHAIN_ID = 31337


class FakeNode:
    """`answers` maps methods to values or functions of the parameters; the rest are faults."""

    def __init__(self, name: str = "node") -> None:
        self.name = name
        self.chain_id = CHAIN_ID
        self.head_number = 100
        self.answers: dict[str, Any] = {}
        self.calls: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.raw_body: bytes | None = None
        self.silent_methods: set[str] = set()
        self.refuse_full_bodies = False
        self.refuse_batches = False
        self.frames: list[int] = []
        self.sockets: set[web.WebSocketResponse] = set()
        self.subscriptions: list[tuple[web.WebSocketResponse, str, list[Any]]] = []
        self.accept_sockets = True
        self._port = 0

    async def __aenter__(self) -> FakeNode:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/", self._post)
        app.router.add_get("/ws", self._socket)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        await self.drop_sockets()
        await self._runner.cleanup()

    @property
    def endpoint(self) -> NodeEndpoint:
        base = f"127.0.0.1:{self._port}"
        return NodeEndpoint(self.name, f"http://{base}/", f"ws://{base}/ws")

    async def drop_sockets(self) -> None:
        for socket in list(self.sockets):
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()
        self.sockets.clear()
        self.subscriptions.clear()
        await asyncio.sleep(0)

    def subscribed(self, kind: str) -> bool:
        return any(params[0] == kind for _, _, params in self.subscriptions)

    async def notify(self, kind: str, result: Any) -> None:
        for socket, subscription, params in list(self.subscriptions):
            gone = socket._req is None or socket._req.transport is None or socket._req.transport.is_closing()
            if params[0] == kind and not gone:
                await socket.send_str(
                    json.dumps(
                        {
                            "jsonrpc": "2.0",
                            "method": "eth_subscription",
                            "params": {"subscription": subscription, "result": result},
                        },
                        separators=(",", ":"),
                    )
                )

    async def send_raw(self, text: str) -> None:
        for socket in list(self.sockets):
            await socket.send_str(text)

    async def _post(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.calls.append(body["method"])
        if body["method"] in self.silent_methods:
            await asyncio.sleep(3600)
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        if self.raw_body is not None:
            return web.Response(body=self.raw_body)
        return web.json_response(self._reply(body))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self.accept_sockets:
            return web.Response(status=503)
        socket = web.WebSocketResponse(max_msg_size=2**26)
        await socket.prepare(request)
        self.sockets.add(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            body = json.loads(message.data)
            self.frames.append(len(body) if isinstance(body, list) else 1)
            if isinstance(body, list):
                await self._batch(body, socket)
                continue
            self.calls.append(body["method"])
            if body["method"] in self.silent_methods:
                continue
            reply = self._reply(body, socket)
            await socket.send_str(json.dumps(reply))
        self.sockets.discard(socket)
        return socket

    async def _batch(self, entries: list[dict[str, Any]], socket: web.WebSocketResponse) -> None:
        if self.refuse_batches:
            error = {"code": -32600, "message": "batches are not supported"}
            await socket.send_str(json.dumps({"jsonrpc": "2.0", "id": None, "error": error}))
        elif not any(entry["method"] in self.silent_methods for entry in entries):
            await socket.send_str(json.dumps([self._reply(entry, socket) for entry in entries]))

    def _reply(self, body: dict[str, Any], socket: web.WebSocketResponse | None = None) -> dict[str, Any]:
        method, params = body["method"], body.get("params", [])
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": body["id"]}
        if method in self.answers:
            answer: Any | Callable[..., Any] = self.answers[method]
            result = answer(*params) if callable(answer) else answer
        elif method == "eth_chainId":
            result = hex(self.chain_id)
        elif method == "eth_blockNumber":
            result = hex(self.head_number)
        elif method == "eth_subscribe" and socket is not None:
            if self.refuse_full_bodies and params[1:] == [True]:
                return {**reply, "error": {"code": -32602, "message": "too many arguments"}}
            result = f"0x{len(self.subscriptions) + 1:x}"
            self.subscriptions.append((socket, result, params))
        else:
            return {**reply, "error": {"code": -32601, "message": f"no such method {method}"}}
        if isinstance(result, dict) and result.keys() == {"rpc_error"}:
            return {**reply, "error": result["rpc_error"]}
        return {**reply, "result": result}
