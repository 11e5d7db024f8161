"""How a value of a file is named in a message: short, in the file's own words, and never a secret."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_SHOWN_CHARS = 60
_SECRET = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")


def holds_secret(value: Any) -> bool:
    """Return whether a text is, or has inside it, the 64 hex digits of a private key."""
    return isinstance(value, str) and _SECRET.search(value) is not None


def shown(value: Any) -> str:
    """Return a value as a message may show it; at most 60 characters and a mark."""
    if holds_secret(value):
        return "a text that is not shown"
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case int() if abs(value) >= 10**_SHOWN_CHARS:
            return "a number of more than 60 digits"
        case str():
            text = ascii(value) if not value.isprintable() else repr(value)
        case _:
            text = str(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"


def named_character(char: str) -> str:
    """Return a character by code point and name: `U+0415 (CYRILLIC CAPITAL LETTER IE)`."""
    name = unicodedata.name(char, "")
    return f"U+{ord(char):04X}" + (f" ({name})" if name else "")


def odd_character(text: str) -> str:
    """Return which character of a text is not printable ASCII; empty where all are."""
    for index, char in enumerate(text, 1):
        if not " " <= char <= "~":
            return f"character {index} is {named_character(char)}"
    return ""
