"""The errors of Python's TOML parser as problems: where it is, which key is meant, what would be right."""

from __future__ import annotations

import re

from jitctl.config.problems import Problem

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_KEY = re.compile(r"[ \t]*([A-Za-z0-9_.\"'-][^=]*)=")
_HEADER = re.compile(r"[ \t]*(\[\[?)([^\]]*)")
_TWICE = ("Cannot overwrite", "Cannot declare", "Cannot mutate")
_HINTS = {
    "Invalid value": "a text stands in straight quotes, true and false in small letters; there is no null",
    "Illegal character '\\n'": "the quote that closes the text is missing",
    "Expected newline or end of document": "one key and its value a line; text in quotes",
    "Expected '=' after a key": "a line is a comment, a [table], or key = value",
    "Invalid statement": "a line is a comment, a [table], or key = value",
}


def toml_error(name: str, body: str, message: str) -> Problem:
    """Return what `tomllib` says about a text: at a key or header that is there twice, or its place."""
    found = _PLACE.search(message)
    line, column = body.count("\n") + 1, 1
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    if found:
        message = message[: found.start()]
    text = body.split("\n")[line - 1]
    if message.startswith(_TWICE) and (header := _HEADER.match(text)):
        what = f"{header[1]}{header[2].strip()}{']' * len(header[1])}"
        hint = "a list of tables has [[...]] above each" if header[1] == "[" else "above the others is [...]"
        return Problem(
            "JC002", name, line, header.start(1) + 1, "", f"not TOML: {what} is there before", hint
        )
    if message.startswith(_TWICE) and (key := _KEY.match(text)):
        why = f"not TOML: the key {key[1].rstrip()!r} is given before in its table"
        return Problem("JC002", name, line, key.start(1) + 1, "", why, "remove one of the two")
    hint = next((each for start, each in _HINTS.items() if message.startswith(start)), "")
    return Problem("JC002", name, line, column, "", f"not TOML: {message}", hint)
