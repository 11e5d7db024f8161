"""The HTTP API of the keeper: one application a door, every route of `control/roles.py` on both."""

from __future__ import annotations

import asyncio
import difflib
import json

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from jitctl.config.domain_types import pool_specs
from jitctl.control.roles import BY_VERB
from jitctl.control.schema import ActionRequest, to_wire
from jitctl.daemon.doors import Rights
from jitctl.daemon.gate import Door, TooLarge, error_response
from jitctl.daemon.keeper import Caller, Keeper
from jitctl.daemon.metrics import render_metrics
from jitctl.daemon.token import TokenFile
from jitctl.errors import JitError, UsageError
from jitctl.reports.daily import daily_summary

MAX_BODY_BYTES = 64 << 10


def application(
    keeper: Keeper, door: str, rights: Rights, port: int = 0, token: TokenFile | None = None
) -> Door:
    """Return the ASGI application of one door; `port` and `token` are the TCP door's own."""
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @api.exception_handler(JitError)
    async def refused(request: Request, error: JitError) -> Response:
        return error_response(error)

    @api.exception_handler(HTTPException)
    async def undefined(request: Request, error: HTTPException) -> Response:
        # A row of the table without a handler here.
        return error_response(UsageError("this daemon does not serve this route"), status=error.status_code)

    @api.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        # It is raised again after this answer, for the door to log.
        return error_response(JitError("the daemon failed; its log says how"))

    @api.get(BY_VERB["health"].path)
    async def health() -> Response:
        found = keeper.health()
        return JSONResponse(to_wire(found), status_code=200 if found.live else 503)

    @api.get(BY_VERB["metrics"].path)
    async def metrics() -> Response:
        return PlainTextResponse(render_metrics(keeper.status()), media_type="text/plain; version=0.0.4")

    @api.get(BY_VERB["status"].path)
    async def status() -> Response:
        return JSONResponse(to_wire(keeper.status()))

    @api.get(BY_VERB["daily-summary"].path)
    async def daily(request: Request) -> Response:
        query = request.query_params
        ledger, pools = keeper.config.folders.data / "ledger.db", pool_specs(keeper.config)
        report = await asyncio.to_thread(daily_summary, ledger, pools, query.get("date"), query.get("tz"))
        return JSONResponse(to_wire(report))

    @api.get(BY_VERB["openapi"].path)
    async def described() -> Response:
        from jitctl.daemon.openapi import document

        return JSONResponse(await asyncio.to_thread(document))

    def admin(verb: str) -> None:
        @api.post(BY_VERB[verb].path, name=verb)
        async def act(request: Request) -> Response:
            caller: Caller = request.state.caller
            return JSONResponse(to_wire(await keeper.act(verb, await _action_request(request), caller)))

    for verb in ("pause", "resume", "clear-halt", "start", "stop"):
        admin(verb)
    return Door(api, keeper, door, rights, port, token)


async def _action_request(request: Request) -> ActionRequest:
    """Return the body of a POST; raises `UsageError` for anything but known text fields."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES:
        raise TooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise TooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes")
    if not raw:
        return ActionRequest()
    try:
        body = json.loads(raw, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON, or says something twice") from None
    if not isinstance(body, dict):
        raise UsageError("the body must be a JSON object")
    known = ActionRequest.__dataclass_fields__
    for key, value in body.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise UsageError(f"unknown key {key[:80]!r}", hint=f"did you mean {near[0]!r}?" if near else "")
        if not isinstance(value, str) or len(value) > 1_000:
            raise UsageError(f"{key} must be a text of at most 1000 characters")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise UsageError(f"{key} holds half a character")
    if body.get("mode", "") not in ("", "test", "production"):
        raise UsageError("mode is test or production")
    return ActionRequest(**body)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; raises ValueError where a key is there twice and one would be ignored."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
