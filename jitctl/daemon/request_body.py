"""The body of a POST: small, JSON, known keys of known kinds; anything else is told what would be right."""

from __future__ import annotations

import asyncio
import difflib
import json
from typing import Any

from fastapi import Request

from jitctl.control.schema import ActionRequest, request_keys
from jitctl.daemon.gate import TooLarge
from jitctl.errors import UsageError

MAX_BODY_BYTES = 64 << 10
MAX_TEXT_CHARS = 1_000
_MAX_GENERATION = 1 << 31
BODY_LIMIT_S = 5.0
"""Whoever trickles a body holds one of a door's connections no longer than this."""


async def action_request(verb: str, request: Request) -> ActionRequest:
    """Return the body of a verb's POST; raises `UsageError`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES:
        raise TooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes")
    raw = b""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise TooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise UsageError(f"the body was not there within {BODY_LIMIT_S:g} s") from None
    if not raw:
        return ActionRequest()
    try:
        body = json.loads(raw, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON, or says something twice") from None
    if not isinstance(body, dict):
        raise UsageError("the body must be a JSON object")
    known = request_keys(verb)
    for key, value in body.items():
        _check(key, value, known)
    if body.get("mode", "") not in ("", "test", "production"):
        raise UsageError("mode is test or production")
    return ActionRequest(**body)


def _check(key: str, value: Any, known: tuple[str, ...]) -> None:
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        raise UsageError(f"unknown key {key[:80]!r}", hint=hint)
    if key in ("force", "dry"):
        if not isinstance(value, bool):
            raise UsageError(f"{key} is true or false")
    elif key == "restores":
        if type(value) is not int or not 0 < value < _MAX_GENERATION:
            raise UsageError("restores is the number of a generation")
    elif not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise UsageError(f"{key} must be a text of at most {MAX_TEXT_CHARS} characters")
    elif any("\ud800" <= character <= "\udfff" for character in value):
        raise UsageError(f"{key} holds half a character")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; raises ValueError where a key is there twice and one would be ignored."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
