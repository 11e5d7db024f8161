"""The body of a POST: small, JSON, known keys of known kinds; anything else is told what would be right."""

from __future__ import annotations

import difflib
import json
from typing import Any

from fastapi import Request

from jitctl.control.schema import ActionRequest, request_keys
from jitctl.errors import UsageError

MAX_BODY_BYTES = 64 << 10
MAX_TEXT_CHARS = 1_000


async def action_request(verb: str, request: Request) -> ActionRequest:
    """Return the body of a verb's POST; raises `UsageError`."""
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
    if key == "force":
        if not isinstance(value, bool):
            raise UsageError("force is true or false")
    elif not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise UsageError(f"{key} must be a text of at most {MAX_TEXT_CHARS} characters")
