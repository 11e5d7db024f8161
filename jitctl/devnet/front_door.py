"""The one port that everyone talks to: node and relay over HTTP and WebSocket, and the devnet's controls.

    /  and  /node/NAME      node JSON-RPC (POST) and WebSocket (GET with Upgrade)
    /relay, /relay/NAME     relay JSON-RPC, signed
    /admin/TOKEN            the devnet's own controls

NAME makes another view of the same chain with faults of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from jitctl.devnet.admin_rpc import AdminRpc
from jitctl.devnet.devchain import DevChain
from jitctl.devnet.faults import View, Views
from jitctl.devnet.json_rpc import (
    LIMIT_EXCEEDED,
    PARSE_ERROR,
    SERVER_ERROR,
    RpcCall,
    RpcError,
    parse_call,
    reply_error,
    reply_result,
)
from jitctl.devnet.node_rpc import NodeRpc, check_batch
from jitctl.devnet.relay import SIGNATURE_HEADER, Relay, verify_signature
from jitctl.devnet.subscriptions import Outbox, Subscriber
from jitctl.errors import JitError, Refused

MAX_BODY_BYTES = 16 * 1024 * 1024
SHUTDOWN_S = 0.5
_JSON = "application/json"
_NOT_JSON = object()
_GARBAGE = b"<html><body>502 Bad Gateway</body></html>"
_WRONG = {"answer": "to another question"}

Answer = Callable[[RpcCall], Awaitable[bytes]]
Listener = Callable[[str, str, Any], None]
"""Called with a view's name, a method and its parameters as each request arrives.

A WebSocket's opening is `CONNECT`, without parameters.
"""
CONNECT = "connect"


class FrontDoor:
    """The HTTP and WebSocket server over a `DevChain`."""

    def __init__(self, chain: DevChain, set_slot_seconds: Callable[[float | None], None]) -> None:
        self._chain = chain
        self._node = NodeRpc(chain)
        self._relay = Relay(chain.bundles, chain.chain_id, chain.coinbase, lambda: chain.head, chain.simulate)
        self.views = Views()
        self.listeners: list[Listener] = []
        self.admin_token = secrets.token_hex(16)
        self._admin = AdminRpc(
            chain, self.views, drop_sockets=self.drop_sockets, set_slot_seconds=set_slot_seconds
        )
        self._sockets: dict[web.WebSocketResponse, tuple[View, web.Request]] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises `Refused` when the port is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/", self._node_request)
        app.router.add_route("*", "/node/{name}", self._node_request)
        app.router.add_post("/relay", self._relay_request)
        app.router.add_post("/relay/{name}", self._relay_request)
        app.router.add_post("/admin/{token}", self._admin_request)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise Refused(f"port {port} is taken: {error.strerror}", hint="choose another --port") from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.views.clear()
        self.drop_sockets(None)
        if self._runner is not None:
            await self._runner.cleanup()

    def drop_sockets(self, view_name: str | None) -> int:
        """Cut WebSockets without a goodbye, those of one view or all; return how many."""
        cut = [socket for socket, (view, _) in self._sockets.items() if view_name in (None, view.name)]
        for socket in cut:
            self._cut(socket)
        return len(cut)

    def _hear(self, view: View, parsed: Any) -> None:
        for entry in parsed if isinstance(parsed, list) else [parsed]:
            if isinstance(entry, dict) and isinstance(entry.get("method"), str):
                self._tell(view, entry["method"], entry.get("params"))

    def _tell(self, view: View, method: str, params: Any) -> None:
        for listener in self.listeners:
            listener(view.name, method, params)

    def _cut(self, socket: web.WebSocketResponse) -> None:
        _, request = self._sockets[socket]
        if request.transport is not None:
            request.transport.abort()

    async def _node_request(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name")
        view = self.views.get(f"node/{name}" if name else "node")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self._tell(view, CONNECT, None)
            if view.has("refuse_sockets"):
                return web.Response(status=503)
            return await self._socket(request, view)
        if request.method != "POST":
            return web.Response(status=405)
        return await self._http(await request.read(), view, lambda call: self._node.answer(call, view))

    async def _relay_request(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name")
        view = self.views.get(f"relay/{name}" if name else "relay")
        body = await request.read()

        async def answer(call: RpcCall) -> bytes:
            signer = verify_signature(request.headers.get(SIGNATURE_HEADER), body)
            if view.has("refuse", call.method):
                raise RpcError(SERVER_ERROR, "bundle refused")
            result = await self._relay.call(call, signer, keep=view.has("lie", call.method) is None)
            return reply_result(call.raw_id, result)

        return await self._http(body, view, answer)

    async def _admin_request(self, request: web.Request) -> web.Response:
        if not secrets.compare_digest(request.match_info["token"], self.admin_token):
            return web.Response(status=404)

        async def answer(call: RpcCall) -> bytes:
            return reply_result(call.raw_id, await self._admin.answer(call))

        return await self._http(await request.read(), View("admin"), answer)

    async def _http(self, body: bytes, view: View, answer: Answer) -> web.Response:
        parsed = _parse(body)
        methods = _methods_of(parsed)
        self._hear(view, parsed)
        await view.held_up(methods)
        if view.has("429", *methods):
            return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": "1"})
        if view.has("garbage", *methods):
            return web.Response(body=_GARBAGE, content_type=_JSON)
        status, reply = await _answer_body(parsed, _or_wrong(view, answer))
        return web.Response(body=reply, status=status, content_type=_JSON)

    async def _socket(self, request: web.Request, view: View) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=MAX_BODY_BYTES, compress=False, autoping=True)
        await socket.prepare(request)
        self._sockets[socket] = (view, request)

        async def send(message: bytes) -> None:
            await socket.send_frame(message, WSMsgType.TEXT)

        outbox = Outbox(send, lambda: self._cut(socket))
        subscriber = Subscriber(outbox)
        subscriber.silent = lambda: view.has("stall") is not None or view.has("garbage") is not None
        subscriber.lag = view.lag
        self._chain.hub.add(subscriber)
        tasks = {asyncio.create_task(outbox.run())}
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    continue
                body = message.data.encode() if isinstance(message.data, str) else message.data
                task = asyncio.create_task(self._socket_message(body, view, subscriber))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except (ConnectionError, RuntimeError):
            pass  # the client is gone, or was cut off
        finally:
            self._chain.hub.remove(subscriber)
            self._sockets.pop(socket, None)
            for task in list(tasks):
                task.cancel()
            with contextlib.suppress(Exception):
                await asyncio.gather(*tasks, return_exceptions=True)
        return socket

    async def _socket_message(self, body: bytes, view: View, subscriber: Subscriber) -> None:
        async def answer(call: RpcCall) -> bytes:
            # The reply to a subscription is queued before anything it subscribes to can be.
            if call.method == "eth_subscribe":
                return reply_result(call.raw_id, subscriber.subscribe(call.params))
            if call.method == "eth_unsubscribe":
                return reply_result(call.raw_id, subscriber.unsubscribe(call.params))
            return await self._node.answer(call, view)

        parsed = _parse(body)
        methods = _methods_of(parsed)
        self._hear(view, parsed)
        await view.held_up(methods)
        if view.has("garbage", *methods):
            subscriber.outbox.put(_GARBAGE)
            return
        if view.has("429", *methods):
            answer = _limited
        _, reply = await _answer_body(parsed, _or_wrong(view, answer))
        subscriber.outbox.put(reply)


async def _answer_body(parsed: Any, answer: Answer) -> tuple[int, bytes]:
    """Answer a request or a batch; return the HTTP status and the reply."""
    if parsed is _NOT_JSON:
        return 400, reply_error(b"null", RpcError(PARSE_ERROR, "parse error"))
    if not isinstance(parsed, list):
        return await _answer_one(parsed, answer)
    try:
        check_batch(parsed)
    except RpcError as error:
        return 200, reply_error(b"null", error)
    replies = await asyncio.gather(*(_answer_one(entry, answer) for entry in parsed))
    return 200, b"[" + b",".join(reply for _, reply in replies) + b"]"


async def _answer_one(entry: Any, answer: Answer) -> tuple[int, bytes]:
    raw_id = b"null"
    try:
        call = parse_call(entry)
        raw_id = call.raw_id
        return 200, await answer(call)
    except RpcError as error:
        return error.status, reply_error(raw_id, error)
    except JitError as error:
        return 200, reply_error(raw_id, RpcError(SERVER_ERROR, error.message))


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _NOT_JSON


def _methods_of(parsed: Any) -> tuple[str, ...]:
    """Return the methods of a request or a batch, for faults that are limited to some methods."""
    entries = parsed if isinstance(parsed, list) else [parsed]
    named = (entry.get("method") for entry in entries if isinstance(entry, dict))
    return tuple(method for method in named if isinstance(method, str))


async def _limited(call: RpcCall) -> bytes:
    """Say what nodes say over a socket, which has no HTTP status."""
    raise RpcError(LIMIT_EXCEEDED, "Too Many Requests")


def _or_wrong(view: View, answer: Answer) -> Answer:
    """Answer well-formed nonsense where the view's fault says so."""

    async def wrong(call: RpcCall) -> bytes:
        if view.has("wrong", call.method):
            return reply_result(call.raw_id, _WRONG)
        return await answer(call)

    return wrong
