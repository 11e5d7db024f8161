"""Why a simulated call failed, in the contract's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ERROR_STRING = bytes.fromhex("08c379a0")
"""Selector of `Error(string)`."""
_PANIC = bytes.fromhex("4e487b71")
"""Selector of `Panic(uint256)`."""
_MAX_CHARS = 160


def revert_reason(result: Mapping[str, Any]) -> str:
    """Return the revert's string, else its data's selector, else the node's words; never raises."""
    error = result.get("error")
    details = error if isinstance(error, Mapping) else {}
    for candidate in (result.get("returnData"), details.get("data")):
        text = _decoded(candidate)
        if text:
            return text
    return _printable(str(details.get("message", "failed without a reason")))


def _decoded(data: Any) -> str:
    if not isinstance(data, str) or not data.startswith("0x"):
        return ""
    try:
        raw = bytes.fromhex(data[2:])
    except ValueError:
        return ""
    if raw[:4] == _ERROR_STRING and len(raw) >= 68:
        length = int.from_bytes(raw[36:68], "big")
        return _printable(raw[68 : 68 + min(length, _MAX_CHARS)].decode("utf-8", "replace"))
    if raw[:4] == _PANIC and len(raw) == 36:
        return f"panic {int.from_bytes(raw[4:], 'big'):#x}"
    return f"custom error 0x{raw[:4].hex()}" if len(raw) >= 4 else ""


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:_MAX_CHARS])
