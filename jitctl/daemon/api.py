"""The HTTP API of the keeper: one application a door, every route of `control/roles.py` on both."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from jitctl.config.domain_types import pool_specs
from jitctl.control.roles import BY_VERB
from jitctl.control.schema import to_wire
from jitctl.daemon.caller import Caller
from jitctl.daemon.doors import Rights, hung_up
from jitctl.daemon.gate import Door, error_response
from jitctl.daemon.keeper import Keeper
from jitctl.daemon.kept import Kept
from jitctl.daemon.metrics import render_metrics
from jitctl.daemon.operations import Operations
from jitctl.daemon.rendered import Rendered
from jitctl.daemon.request_body import action_request
from jitctl.daemon.token import TokenFile
from jitctl.errors import JitError, UsageError
from jitctl.reports.daily import daily_summary

ACTIONS = (
    "pause", "resume", "emergency-stop", "clear-halt", "crisis-mode", "reload-pools", "reload-strategy",
    "reload-config", "start", "stop",
)  # fmt: skip
"""The verbs that the keeper does and answers with an `ActionReply`."""
SUMMARY_FRESH_S = 1.0
"""Summing a day up reads the ledger: not more often than this, however many ask."""


def application(
    keeper: Keeper,
    operations: Operations,
    door: str,
    rights: Rights,
    port: int = 0,
    token: TokenFile | None = None,
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

    summaries: Kept[Response] = Kept(SUMMARY_FRESH_S)
    rendered = Rendered(lambda: keeper.moment())

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
        asked = (request.query_params.get("date"), request.query_params.get("tz"))
        return await summaries.get(asked, lambda: _daily(keeper, *asked))

    @api.get(BY_VERB["latency-breakdown"].path)
    async def latency_breakdown() -> Response:
        return JSONResponse(to_wire(keeper.latency_breakdown()))

    @api.get(BY_VERB["pool-status"].path)
    async def pool_status() -> Response:
        return JSONResponse(to_wire(await keeper.pool_status()))

    @api.get(BY_VERB["config"].path)
    async def config() -> Response:
        return JSONResponse(to_wire(keeper.running_config()))

    @api.post(BY_VERB["validate-live"].path)
    async def validate_live(request: Request) -> Response:
        await action_request("validate-live", request)
        return JSONResponse(to_wire(await operations.validate_live(request.state.caller)))

    @api.get(BY_VERB["openapi"].path)
    async def described() -> Response:
        from jitctl.daemon.openapi import document

        return JSONResponse(await asyncio.to_thread(document))

    def admin(verb: str) -> None:
        @api.post(BY_VERB[verb].path, name=verb)
        async def act(request: Request) -> Response:
            caller: Caller = request.state.caller
            body = await action_request(verb, request)
            gone = partial(hung_up, getattr(request.state, "connection", None))
            return JSONResponse(to_wire(await operations.act(verb, body, caller, gone)))

    for verb in ACTIONS:
        admin(verb)
    return Door(api, keeper, door, rights, port, token)


async def _daily(keeper: Keeper, date: str | None, tz: str | None) -> Response:
    ledger, pools = keeper.config.folders.data / "ledger.db", pool_specs(keeper.config)
    report = await asyncio.to_thread(daily_summary, ledger, pools, date, tz)
    return JSONResponse(to_wire(report))


def _health(keeper: Keeper) -> Response:
    found = keeper.health()
    return JSONResponse(to_wire(found), status_code=200 if found.live else 503)


def _metrics(keeper: Keeper) -> Response:
    return PlainTextResponse(render_metrics(keeper.status()), media_type="text/plain; version=0.0.4")
