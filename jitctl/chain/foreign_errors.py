"""The one place where the exceptions of web3, httpx, websockets, JSON parsers and the OS become ours.

URLs may carry an API key, so no message leaves here with one in it, and the foreign exception is not
chained.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import websockets

from jitctl.errors import JitError, NodeError, TimedOut

_URL = re.compile(r"\b(?:https?|wss?)://\S+", re.IGNORECASE)
_DETAIL_CHARS = 200

FOREIGN: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    websockets.WebSocketException,
    # OSError holds ConnectionError, TimeoutError, ssl.SSLError and socket.gaierror.
    OSError,
    EOFError,
    asyncio.InvalidStateError,
    # ValueError holds json.JSONDecodeError, orjson.JSONDecodeError and UnicodeDecodeError; the others
    # are what a reply of the wrong shape ends in when it is read.
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
)
_TIMEOUTS: tuple[type[BaseException], ...] = (TimeoutError, httpx.TimeoutException)
_WEB3_TIMEOUTS = frozenset({"TimeExhausted"})


def is_foreign(error: BaseException) -> bool:
    """True for every exception that a node's client library or its reply can cause."""
    return isinstance(error, FOREIGN) or type(error).__module__.partition(".")[0] in ("web3", "eth_abi")


def as_jit_error(error: BaseException, *, node: str, doing: str) -> JitError:
    """Return `error` as `TimedOut` or `NodeError`; a `JitError` is returned as it is."""
    if isinstance(error, JitError):
        return error
    name = type(error).__name__
    if isinstance(error, _TIMEOUTS) or name in _WEB3_TIMEOUTS:
        return TimedOut(
            f"node {node}: no answer in time while {doing}", hint="check the node's load and the network"
        )
    detail = _text(error)
    return NodeError(
        f"node {node}: {name} while {doing}" + (f": {detail}" if detail else ""),
        hint="check that the node runs and that its URL is right",
    )


def _text(error: BaseException) -> str:
    try:
        return redact(str(error))
    except Exception:  # a library's own __str__ may fail, and must not hide what happened
        return ""


def redact(text: str) -> str:
    """Return `text` without URLs, on one line, cut to a readable length."""
    return " ".join(_URL.sub("<url>", text).split())[:_DETAIL_CHARS]


@contextmanager
def mapped(node: str, doing: str) -> Iterator[None]:
    """Raise whatever foreign exception the body raises as `NodeError` or `TimedOut`."""
    try:
        yield
    except JitError:
        raise
    except Exception as error:
        if not is_foreign(error):
            raise
        raise as_jit_error(error, node=node, doing=doing) from None
