"""Keep secrets out of everything that is written down: logs, crash files, error texts."""

from __future__ import annotations

import re
from typing import Any

_HEX64 = re.compile(r"(?<![0-9a-fA-F])(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_LONG_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{120,}")
_USERINFO = re.compile(r"(\w+://)[^/\s:@]+:[^/\s@]+@")
_URL_KEY = re.compile(r"(\w+://[^\s/]+(?:/[^\s/?]*)*/)[A-Za-z0-9_-]{24,}")
_QUERY_KEY = re.compile(r"((?:key|token|secret|auth)\w*=)[^&\s]+", re.I)
_SECRET_NAME = re.compile(r"pass(word|phrase)|secret|private|mnemonic|authorization|token$|api_?key", re.I)
_PUBLIC_NAME = re.compile(r"hash|uuid|^tx$|^block$|^victim$", re.I)
HIDDEN = "<redacted>"


def redact_text(text: str) -> str:
    """Return `text` without passwords, API keys, and anything as long as a private key or longer."""
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _QUERY_KEY.sub(rf"\1{HIDDEN}", text)
    text = _URL_KEY.sub(rf"\1{HIDDEN}", text)
    return _LONG_HEX.sub(HIDDEN, _HEX64.sub(HIDDEN, text))


def redact(value: Any, name: str = "") -> Any:
    """Return JSON-like data with secrets hidden; `name` is the key that holds the value.

    A transaction or block hash looks like a private key: only fields named as hashes may show one.
    """
    if isinstance(value, str):
        if _SECRET_NAME.search(name):
            return HIDDEN
        if _PUBLIC_NAME.search(name) and _HEX64.fullmatch(value):
            return value
        return redact_text(value)
    if isinstance(value, dict):
        return {str(key): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, name) for item in value]
    return value
