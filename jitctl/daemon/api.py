"""The HTTP API of the keeper: one application a door, every route of `control/roles.py` on both."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from jitctl import __version__
from jitctl.config.domain_types import pool_specs
from jitctl.control.redact import redact_text
from jitctl.control.roles import BY_ENDPOINT, BY_VERB, TCP, UNIX, VIEWER, allows
from jitctl.control.schema import VERSION_HEADER, ActionRequest, to_wire
from jitctl.daemon.doors import Peer, Rights
from jitctl.daemon.keeper import Caller, Keeper
from jitctl.daemon.metrics import render_metrics
from jitctl.daemon.rendered import Rendered
from jitctl.errors import JitError, PermissionDenied, UsageError
from jitctl.reports.daily import daily_summary

MAX_BODY_BYTES = 64 << 10
HTTP_STATUS = {
    "usage": 400, "permission_denied": 403, "daemon_not_running": 503, "config_invalid": 422,
    "timed_out": 504, "positions_open": 409, "cannot_determine": 503, "refused": 409, "link_closed": 503,
}  # fmt: skip
"""HTTP status of each error code; 500 for the rest. The command line reads the code, not the status."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def application(keeper: Keeper, door: str, rights: Rights, port: int = 0) -> Door:
    """Return the ASGI application of one door; `port` is the TCP door's own."""
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @api.exception_handler(JitError)
    async def refused(request: Request, error: JitError) -> Response:
        return error_response(error)

    @api.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        # It is raised again after this answer, for the door to log.
        return error_response(JitError("the daemon failed; its log says how"))

    rendered = Rendered(keeper.moment)

    @api.get(BY_VERB["health"].path)
    async def health() -> Response:
        return rendered.get("health", lambda: _health(keeper))

    @api.get(BY_VERB["metrics"].path)
    async def metrics() -> Response:
        return rendered.get("metrics", lambda: _metrics(keeper))

    @api.get(BY_VERB["status"].path)
    async def status() -> Response:
        return rendered.get("status", lambda: JSONResponse(to_wire(keeper.status())))

    @api.get(BY_VERB["daily-summary"].path)
    async def daily(request: Request) -> Response:
        query = request.query_params
        ledger, pools = keeper.config.folders.data / "ledger.db", pool_specs(keeper.config)
        report = await asyncio.to_thread(daily_summary, ledger, pools, query.get("date"), query.get("tz"))
        return JSONResponse(to_wire(report))

    def admin(verb: str) -> None:
        @api.post(BY_VERB[verb].path, name=verb)
        async def act(request: Request) -> Response:
            peer: Peer = request.state.peer
            caller = Caller(peer.person, peer.uid, rights.role_of(peer), door)
            return JSONResponse(to_wire(await keeper.act(verb, await _action_request(request), caller)))

    for verb in ("pause", "resume", "clear-halt", "start", "stop"):
        admin(verb)
    return Door(api, keeper, door, rights, port)


def _health(keeper: Keeper) -> Response:
    found = keeper.health()
    return JSONResponse(to_wire(found), status_code=200 if found.live else 503)


def _metrics(keeper: Keeper) -> Response:
    return PlainTextResponse(render_metrics(keeper.status()), media_type="text/plain; version=0.0.4")


class Door:
    """What stands before the routes: Host and Origin on TCP, the role, errors as JSON, our version."""

    def __init__(self, app: FastAPI, keeper: Keeper, door: str, rights: Rights, port: int) -> None:
        self._app = app
        self._keeper = keeper
        self._door = door
        self._rights = rights
        self._hosts = {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def stamped(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                version = (VERSION_HEADER.lower().encode(), __version__.encode())
                message["headers"] = [*message.get("headers", []), version, (b"cache-control", b"no-store")]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, stamped)
                return
            await self._app(scope, receive, stamped)
        except Exception as error:
            text = f"{type(error).__name__}: {redact_text(str(error))}"
            self._keeper.telemetry.log("request_failed", level="error", path=scope["path"], text=text)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"]
        if self._door == TCP:
            if headers.get(b"host", "").lower() not in self._hosts:
                return error_response(PermissionDenied("this Host is not served here"))
            if b"origin" in headers:
                return error_response(PermissionDenied("requests from web pages are not served"))
        route = BY_ENDPOINT.get((method, path))
        if self._door == TCP and (path.startswith("/admin") if route is None else TCP not in route.doors):
            return error_response(
                PermissionDenied(
                    f"{method} {path} is served on the Unix socket only",
                    hint=f"use the jitctl verb, or: curl --unix-socket {self._keeper.config.folders.socket} "
                    f"-X POST http://jit{path if route else '/admin/pause'}",
                )
            )
        if route is None:
            return _unknown(method, path)
        role = self._role(scope)
        if not allows(role, route.role):
            self._keeper.telemetry.log(
                "request_refused", level="warning", verb=route.verb, role=role, needed=route.role
            )
            return error_response(
                PermissionDenied(
                    f"{route.verb} needs the role {route.role}, yours is {role or 'none'}",
                    hint="an administrator (the daemon's own user, or root) may do this",
                )
            )
        return None

    def _role(self, scope: Scope) -> str:
        if self._door != UNIX:
            return VIEWER
        peer = scope.get("state", {}).get("peer")
        return self._rights.role_of(peer) if isinstance(peer, Peer) else ""


def error_response(error: JitError) -> JSONResponse:
    """Return the JSON answer of an error."""
    return JSONResponse(error.as_dict(), status_code=HTTP_STATUS.get(error.code, 500))


def _unknown(method: str, path: str) -> JSONResponse:
    allowed = [known for known, known_path in BY_ENDPOINT if known_path == path]
    if allowed:
        error = UsageError(f"{path} takes {' or '.join(allowed)}, not {method}")
        return JSONResponse(error.as_dict(), status_code=405, headers={"allow": ", ".join(allowed)})
    near = difflib.get_close_matches(path, [known for _, known in BY_ENDPOINT], n=1)
    hint = f"did you mean {near[0]}?" if near else ""
    return JSONResponse(UsageError("there is no such path", hint=hint).as_dict(), status_code=404)


async def _action_request(request: Request) -> ActionRequest:
    """Return the body of a POST; raises `UsageError` for anything but known text fields."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise UsageError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    if not raw.strip():
        return ActionRequest()
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise UsageError("the body must be a JSON object")
    known = ActionRequest.__dataclass_fields__
    for key, value in body.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise UsageError(f"unknown key {key[:80]!r}", hint=f"did you mean {near[0]!r}?" if near else "")
        if not isinstance(value, str) or len(value) > 1_000:
            raise UsageError(f"{key} must be a text of at most 1000 characters")
    if body.get("mode", "") not in ("", "test", "production"):
        raise UsageError("mode is test or production")
    return ActionRequest(**body)
