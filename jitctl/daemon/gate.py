"""The gate before the routes of one door: where a request comes from, who asks it, and our version."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from jitctl import __version__
from jitctl.control.redact import redact_text
from jitctl.control.roles import ADMIN, BY_ENDPOINT, OPERATOR, TCP, UNIX, VIEWER, Route, allows
from jitctl.control.schema import VERSION_HEADER
from jitctl.daemon.caller import Caller
from jitctl.daemon.doors import Peer, Rights
from jitctl.daemon.foreign import foreign, own_hosts
from jitctl.daemon.keeper import Keeper
from jitctl.daemon.refusals import Refusal
from jitctl.daemon.token import TokenFile
from jitctl.errors import JitError, PermissionDenied, UsageError

HTTP_STATUS = {
    "usage": 400, "permission_denied": 403, "daemon_not_running": 503, "config_invalid": 422,
    "timed_out": 504, "positions_open": 409, "cannot_determine": 503, "refused": 409, "link_closed": 503,
}  # fmt: skip
"""HTTP status of each error code; 500 for the rest. The command line reads the code, not the status."""

MAX_HEAD_BYTES = 16 << 10
MAX_HEADERS = 100
_WHO_MAY = {
    OPERATOR: "a member of the socket's group, the daemon's own user, or root may do this",
    ADMIN: "an administrator (the daemon's own user, or root) may do this",
}
_DOOR_HINT = "ask under http://localhost:PORT or http://127.0.0.1:PORT, with this door's own port"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class TooLarge(UsageError):
    """A body beyond what any request needs; HTTP 413."""


class Door:
    """What stands before the routes: where the request comes from, the caller's role, errors as JSON."""

    def __init__(
        self,
        app: FastAPI,
        keeper: Keeper,
        door: str,
        rights: Rights,
        port: int,
        token: TokenFile | None = None,
    ) -> None:
        self._app = app
        self._keeper = keeper
        self._door = door
        self._rights = rights
        self._hosts = own_hosts(port)
        self._token = token

    def handled(self) -> set[tuple[str, str]]:
        """Return method and path of every route that has a handler."""
        return {
            (method, route.path)
            for route in self._app.routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

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
        except ClientDisconnect:
            return
        except Exception as error:
            text = f"{type(error).__name__}: {redact_text(str(error))}"
            self._keeper.telemetry.log("request_failed", level="error", path=scope["path"], text=text)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that goes no further; leaves the caller for the routes otherwise."""
        method, path = scope["method"], scope["path"]
        if _is_flood(scope):
            return error_response(UsageError("the request's head is too large"), status=431)
        route = BY_ENDPOINT.get((method, path))
        caller = self._caller(scope)
        if self._door == TCP:
            if why := foreign(path, scope["headers"], self._hosts):
                return self._denied(route, path, caller, PermissionDenied(why, hint=_DOOR_HINT))
            if _guarded(route, path):
                holder = self._holder(scope, route, method, path)
                if not isinstance(holder, Caller):
                    self._note(route, path, caller)
                    return holder
                caller = holder
        if route is None:
            return _unknown(method, path)
        if not allows(caller.role, route.role):
            return self._denied(
                route,
                path,
                caller,
                PermissionDenied(
                    f"{route.verb} needs the role {route.role}, yours is {caller.role or 'none'}",
                    hint=_WHO_MAY.get(route.role, _WHO_MAY[ADMIN]),
                ),
            )
        # The routes read it as `request.state.caller`.
        scope.setdefault("state", {})["caller"] = caller
        return None

    def _caller(self, scope: Scope) -> Caller:
        if self._door == TCP:
            return Caller("unknown", None, VIEWER, TCP)
        peer = scope.get("state", {}).get("peer")
        if not isinstance(peer, Peer):
            return Caller("unknown", None, "", UNIX)
        return Caller(peer.person, peer.uid, self._rights.role_of(peer), UNIX)

    def _holder(self, scope: Scope, route: Route | None, method: str, path: str) -> Caller | Response:
        """Return the holder of a valid token, or the refusal of a TCP request that needs one."""
        if self._token is None:
            socket = self._keeper.config.folders.socket
            return error_response(
                PermissionDenied(
                    f"{method} {path} is served on the Unix socket only",
                    hint=f"use the jitctl verb, or: curl --unix-socket {socket} "
                    + (f"-X {method} http://jit{path}" if route else "-X POST http://jit/admin/pause"),
                )
            )
        if not self._token.usable():
            return error_response(
                PermissionDenied(
                    "no token is accepted: the token file is unusable",
                    hint="the daemon's log says what is wrong with it; the Unix socket works without it",
                )
            )
        given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not self._token.accepts(token.lstrip(b" ")):
            answer = error_response(
                PermissionDenied(
                    "a valid token is needed here", hint='send one header "Authorization: Bearer TOKEN"'
                ),
                status=401,
            )
            answer.headers["www-authenticate"] = "Bearer"
            return answer
        return Caller("token", None, self._token.role, TCP)

    def _denied(
        self, route: Route | None, path: str, caller: Caller, error: PermissionDenied
    ) -> JSONResponse:
        if self._door == UNIX or _guarded(route, path):
            self._note(route, path, caller)
        return error_response(error)

    def _note(self, route: Route | None, path: str, caller: Caller) -> None:
        # Of an unknown path nothing is kept: a stranger chooses it, and there are too many.
        verb = route.verb if route is not None else "(no such verb)"
        self._keeper.refusals.note(
            Refusal(caller.person, caller.uid, caller.role, caller.door, verb, PermissionDenied.code)
        )


def _is_flood(scope: Scope) -> bool:
    """The protocol bounds a head that comes in pieces, not one that comes at once."""
    headers = scope["headers"]
    size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in headers)
    return size > MAX_HEAD_BYTES or len(headers) > MAX_HEADERS


def _guarded(route: Route | None, path: str) -> bool:
    """Whether the TCP door asks for a token here."""
    return path.startswith("/admin") if route is None else TCP not in route.doors


def error_response(error: JitError, *, status: int | None = None) -> JSONResponse:
    """Return the JSON answer of an error, by default with the status of its code."""
    if status is None:
        status = 413 if isinstance(error, TooLarge) else HTTP_STATUS.get(error.code, 500)
    return JSONResponse(error.as_dict(), status_code=status)


def _unknown(method: str, path: str) -> JSONResponse:
    allowed = [known for known, known_path in BY_ENDPOINT if known_path == path]
    if allowed:
        error = UsageError(f"{path} takes {' or '.join(allowed)}, not {method}")
        return JSONResponse(error.as_dict(), status_code=405, headers={"allow": ", ".join(allowed)})
    near = difflib.get_close_matches(path, [known for _, known in BY_ENDPOINT], n=1)
    hint = f"did you mean {near[0]}?" if near else ""
    return JSONResponse(UsageError("there is no such path", hint=hint).as_dict(), status_code=404)
