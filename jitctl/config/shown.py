"""How a value of a file is named in a message: short, in the file's own words, and never a secret."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_SHOWN_CHARS = 60
_KEY = re.compile(
    r"(?:0[xX])?(?<![0-9a-fA-F])(?<![0-9a-fA-F]_)(?=(?:[0-9]_?)*[a-fA-F])(?:[0-9a-fA-F]_?){48,}"
)
"""More hex digits than an address has: a private key, also one with a slip. A run is looked through once."""
_BETWEEN = r"(?:[\s,]|\\[nrt])+"
"""Also a line's end, as it is or as a message shows it."""
_WORDS = re.compile(rf"(?<![a-z])[a-z]{{3,8}}(?:{_BETWEEN}[a-z]{{3,8}}){{11,}}(?![a-z])", re.IGNORECASE)
"""Twelve words, or more: a mnemonic. So may be a sentence of ours, so in messages quoted ones count alone."""
_QUOTED_WORDS = re.compile(rf"(?<=['\"]){_WORDS.pattern}(?=['\"])", re.IGNORECASE)
HIDDEN = "<hidden>"


def holds_secret(value: Any) -> bool:
    """Return whether a text has a private key or a mnemonic inside it."""
    return isinstance(value, str) and bool(_KEY.search(value) or _WORDS.search(value))


def without_secrets(text: str) -> str:
    """Return a message without the private keys, and the mnemonics in quotes, that it would show."""
    return _QUOTED_WORDS.sub(HIDDEN, _KEY.sub(HIDDEN, text))


def key_without_secrets(key: str) -> str:
    """Return a dotted key without the private keys and mnemonics that somebody made a key of."""
    return _WORDS.sub(HIDDEN, _KEY.sub(HIDDEN, key))


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
