"""The gate before the routes of one door: Host and Origin on TCP, the role, errors as JSON, our version."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.responses import JSONResponse, Response

from jitctl import __version__
from jitctl.control.redact import redact_text
from jitctl.control.roles import BY_ENDPOINT, TCP, UNIX, VIEWER, allows
from jitctl.control.schema import VERSION_HEADER
from jitctl.daemon.doors import Peer, Rights
from jitctl.daemon.keeper import Caller, Keeper
from jitctl.errors import JitError, PermissionDenied, UsageError

HTTP_STATUS = {
    "usage": 400, "permission_denied": 403, "daemon_not_running": 503, "config_invalid": 422,
    "timed_out": 504, "positions_open": 409, "cannot_determine": 503, "refused": 409, "link_closed": 503,
}  # fmt: skip
"""HTTP status of each error code; 500 for the rest. The command line reads the code, not the status."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """What stands before the routes: Host and Origin on TCP, the role, errors as JSON, our version."""

    def __init__(self, app: Application, keeper: Keeper, door: str, rights: Rights, port: int) -> None:
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
        caller = self._caller(scope)
        role = caller.role
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

    def _caller(self, scope: Scope) -> Caller:
        """Return who asks, and leave it for the routes as `request.state.caller`."""
        state = scope.setdefault("state", {})
        peer = state.get("peer")
        if self._door == UNIX and isinstance(peer, Peer):
            caller = Caller(peer.person, peer.uid, self._rights.role_of(peer), UNIX)
        else:
            caller = Caller("", -1, VIEWER if self._door == TCP else "", self._door)
        state["caller"] = caller
        return caller


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
