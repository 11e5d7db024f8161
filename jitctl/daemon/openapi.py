"""The OpenAPI document of the API (`python -m jitctl.daemon.openapi > docs/openapi.json` renews it).

FastAPI makes it from the rows of `control/roles.py` and the dataclasses of the wire. It describes; what is
accepted is decided by `api.py`, which also says what was probably meant.
"""

from __future__ import annotations

import functools
import json
import sys
import typing
from collections.abc import Awaitable, Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field, create_model

from jitctl import __version__
from jitctl.control.roles import ROUTES, TCP, Route
from jitctl.control.schema import (
    VERSION_HEADER,
    ActionReply,
    ActionRequest,
    CheckReport,
    Health,
    LatencyBreakdown,
    PoolStatus,
    ReloadReply,
    RunningConfig,
    Status,
    camel,
    request_keys,
)
from jitctl.domain.engine_state import CrisisLevel
from jitctl.reports.daily import DailySummary

MAX_TEXT = 1_000
REPLIES: dict[str, type[Any]] = {
    "health": Health,
    "status": Status,
    "daily-summary": DailySummary,
    "latency-breakdown": LatencyBreakdown,
    "pool-status": PoolStatus,
    "validate-live": CheckReport,
    "pause": ActionReply,
    "resume": ActionReply,
    "emergency-stop": ActionReply,
    "clear-halt": ActionReply,
    "crisis-mode": ActionReply,
    "reload-pools": ReloadReply,
    "reload-strategy": ReloadReply,
    "reload-config": ReloadReply,
    "config": RunningConfig,
    "start": ActionReply,
    "stop": ActionReply,
}
"""What each verb answers; a verb that is not here answers an object of its own."""
SUMMARIES = {
    "health": "Is the bot alive, and can it trade?",
    "metrics": "Counters and gauges for Prometheus.",
    "status": "Show what the bot is doing now.",
    "daily-summary": "Report one day's attempts and profit.",
    "latency-breakdown": "Where the time of an attempt goes.",
    "pool-status": "The watched pools and what is known of each.",
    "pause": "Submit nothing more; answers once that is certain.",
    "resume": "Go on after a pause.",
    "emergency-stop": "Halt: nothing can be signed any more.",
    "clear-halt": "Leave a halt, into a pause, once nothing is open.",
    "crisis-mode": "Set how careful the bot is.",
    "reload-pools": "Read pools.toml again, whole or not at all.",
    "reload-strategy": "Read strategy.toml again, whole or not at all.",
    "reload-config": "Read both again, whole or not at all.",
    "config": "The running configuration, value by value; secrets are not shown.",
    "validate-live": "Check everything that trading needs, against the real chain.",
    "start": "Bring the engine back, or replace a test engine by a production one.",
    "stop": "End the bot in good order.",
    "openapi": "This document.",
}
CHOICES: dict[str, tuple[str, ...]] = {
    "mode": ("", "test", "production"),
    "level": tuple(level.value for level in CrisisLevel),
}
"""The fields of `ActionRequest` that take one of a few words."""
_ERRORS = {
    400: "The request or one of its fields is wrong; the hint says what was probably meant.",
    401: "TCP only: a token file is configured, and no valid token was sent.",
    403: "Not for this caller, or not through this door, or from a foreign Host or page.",
    409: "Not in this state, or positions are open.",
    413: "The body is too large.",
    422: "A configuration is invalid; nothing was changed.",
    431: "The request's head is too large.",
    500: "It failed; the daemon's log says how.",
    503: "The engine is not running, or the truth cannot be established.",
    504: "The engine did not answer in time.",
}
_MODELS: dict[type[Any], type[BaseModel]] = {}
_OF_READING = (400, 403, 431, 500)
_OF_ACTING = (400, 401, 403, 409, 413, 422, 431, 500, 503, 504)


class ErrorFields(BaseModel):
    """`code` is stable; `hint` says what to do; `problems` lists what is wrong with a configuration, and is
    there only then.
    """

    code: str
    message: str
    hint: str
    problems: list[dict[str, Any]] = []


class ErrorBody(BaseModel):
    """What every refusal and failure answers."""

    error: ErrorFields


@functools.cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document; callers must not change it."""
    api = FastAPI(
        title="jitctl",
        version=__version__,
        description="The control plane of one bot, through two doors. docs/access.md says who may do what. "
        f"Every answer carries {VERSION_HEADER}.",
        servers=[
            {"url": "http://localhost:9090", "description": "TCP, loopback only: reads; more with a token"},
            {"url": "http://jit", "description": "run/jitctl.sock: curl --unix-socket run/jitctl.sock ..."},
        ],
    )
    for route in ROUTES:
        _add(api, route)
    found = api.openapi()
    found.setdefault("components", {})["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "TCP only; on the socket the peer counts.",
        }
    }
    _keep_our_own_errors(found)
    return found


def _keep_our_own_errors(found: dict[str, Any]) -> None:
    """Take FastAPI's own refusal out, which this API never sends; errors are JSON also where data is text."""
    for name in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(name, None)
    for operation in (each for path in found["paths"].values() for each in path.values()):
        for code, response in list(operation["responses"].items()):
            if "HTTPValidationError" in json.dumps(response):
                del operation["responses"][code]
            elif code != "200":
                response["content"] = {"application/json": next(iter(response["content"].values()))}


def _add(api: FastAPI, route: Route) -> None:
    acts = route.method == "POST"
    codes: tuple[int, ...] = _OF_ACTING if acts else _OF_READING
    if TCP not in route.doors:
        codes = tuple(sorted({*codes, 401}))
    responses: dict[int | str, dict[str, Any]] = {
        code: {"model": ErrorBody, "description": _ERRORS[code]} for code in codes
    }
    if route.verb == "health":
        responses[503] = {
            "model": _model(Health),
            "description": "The engine's command queue does not answer.",
        }
    reply, text = REPLIES.get(route.verb), route.verb == "metrics"
    extra: dict[str, Any] = {"x-role": route.role, "x-doors": list(route.doors)}
    if route.loosening_role:
        extra["x-loosening-role"] = route.loosening_role
    if TCP not in route.doors:
        extra["security"] = [{"token": []}, {}]
    api.add_api_route(
        route.path,
        _endpoint(route),
        methods=[route.method],
        operation_id=route.verb,
        name=route.verb,
        summary=SUMMARIES[route.verb],
        tags=["acting" if acts else "reading"],
        response_model=str if text else _model(reply) if reply is not None else dict[str, Any],
        response_class=PlainTextResponse if text else JSONResponse,
        response_description="Done, or done already." if acts else "As it is known now.",
        responses=responses,
        openapi_extra=extra,
    )


def _endpoint(route: Route) -> Callable[..., Awaitable[Any]]:
    """Return a function that is only looked at: its parameters are those of the route."""
    if route.verb == "daily-summary":

        async def reads(date: str | None = None, tz: str | None = None) -> Any: ...

        reads.__annotations__ |= {
            "date": Annotated[str, Query(description="YYYY-MM-DD, today or yesterday; today by default.")],
            "tz": Annotated[str, Query(description="A time zone, as Europe/Zurich; UTC by default.")],
        }
        return reads
    if route.method == "GET":

        async def plain() -> Any: ...

        return plain

    async def acts(body: Any = None) -> Any: ...

    acts.__annotations__["body"] = _request_model(request_keys(route.verb))
    return acts


@functools.cache
def _request_model(keys: tuple[str, ...]) -> type[BaseModel]:
    """Return the body of a POST with some of `ActionRequest`'s keys; closed, as unknown keys are refused."""
    types = typing.get_type_hints(ActionRequest)
    given: dict[str, Any] = {}
    for each in fields(ActionRequest):
        if each.name not in keys:
            continue
        kind: Any = types[each.name]
        if each.name in CHOICES:
            kind = Literal[CHOICES[each.name]]
        elif kind is str:
            kind = Annotated[str, Field(max_length=MAX_TEXT)]
        # A crisis level has no default, and is not set without a reason.
        given[each.name] = (kind, ... if "level" in keys else each.default)
    settings = ConfigDict(extra="forbid")
    name = "RequestWith" + "And".join(key.capitalize() for key in keys)
    return create_model(name, __config__=settings, __doc__="The body of a POST.", **given)


def _model(kind: type[Any]) -> type[BaseModel]:
    """Return a pydantic model of a dataclass of the wire: camelCase keys, all of them always there."""
    if kind in _MODELS:
        return _MODELS[kind]
    types = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for each in fields(kind):
        default = ... if each.default is MISSING else each.default
        if each.default_factory is not MISSING:
            default = Field(default_factory=each.default_factory)
        given[each.name] = (_with_models(types[each.name]), default)
    settings = ConfigDict(
        alias_generator=camel, populate_by_name=True, json_schema_serialization_defaults_required=True
    )
    _MODELS[kind] = create_model(kind.__name__, __config__=settings, __doc__=kind.__doc__, **given)
    return _MODELS[kind]


def _with_models(kind: Any) -> Any:
    """Return a type in which every dataclass is replaced by its model."""
    if isinstance(kind, type) and is_dataclass(kind):
        return _model(kind)
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (list, tuple, dict):
        return origin[tuple(_with_models(argument) for argument in arguments)]
    return kind


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2, ensure_ascii=False) + "\n")
