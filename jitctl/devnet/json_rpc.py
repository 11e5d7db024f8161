"""JSON-RPC 2.0 as the door speaks it: request shapes, error codes, and how values are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000
LIMIT_EXCEEDED = -32005


class RpcError(Exception):
    """An answer that is an error; `status` is the HTTP status that goes with it."""

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One request of a body; `raw_id` is its id as JSON."""

    raw_id: bytes
    method: str
    params: list[Any]


def parse_call(entry: Any) -> RpcCall:
    """Read a request object; raises `RpcError`."""
    if not isinstance(entry, dict) or not isinstance(entry.get("method"), str):
        raise RpcError(INVALID_REQUEST, "invalid request")
    params = entry.get("params", [])
    if params is None:
        params = []
    if not isinstance(params, list):
        raise RpcError(INVALID_PARAMS, "non-array args")
    return RpcCall(orjson.dumps(entry.get("id")), entry["method"], params)


def reply_result(raw_id: bytes, result: Any) -> bytes:
    return b'{"jsonrpc":"2.0","id":' + raw_id + b',"result":' + orjson.dumps(result) + b"}"


def reply_error(raw_id: bytes, error: RpcError) -> bytes:
    body = orjson.dumps({"code": error.code, "message": error.message})
    return b'{"jsonrpc":"2.0","id":' + raw_id + b',"error":' + body + b"}"


def param(params: list[Any], index: int, kind: type[Any], what: str) -> Any:
    """Return a parameter of the given type; raises `RpcError` naming `what` is missing or wrong."""
    if len(params) <= index:
        raise RpcError(INVALID_PARAMS, f"missing value for required argument {index}: {what}")
    if not isinstance(params[index], kind):
        raise RpcError(INVALID_PARAMS, f"invalid argument {index}: {what}")
    return params[index]


def quantity(value: Any, what: str) -> int:
    """Read a hex quantity (a plain integer is taken too); raises `RpcError`."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return int(value, 16)
    except ValueError:
        pass
    raise RpcError(INVALID_PARAMS, f"invalid {what}: expected a hex quantity")


def hex_bytes(value: Any, what: str) -> bytes:
    """Read 0x-prefixed bytes; raises `RpcError`."""
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise RpcError(INVALID_PARAMS, f"invalid {what}: expected 0x-prefixed hex")
