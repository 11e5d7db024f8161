"""What is looked for in every text of a file, whatever its key: private keys, addresses without checksum."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jitctl.config.checksums import checksummed, has_mixed_case
from jitctl.config.problems import Problem, dotted
from jitctl.config.source import Source

_PRIVATE_KEY = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_HASH_KEYS = frozenset({"pool_init_code_hash"})
Path = tuple[str | int, ...]


def findings(source: Source) -> Iterator[Problem]:
    """Yield JC301 and JC118 wherever they are in the file."""
    for path, text in _texts(source.data, ()):
        if _PRIVATE_KEY.fullmatch(text.strip()) and path[-1] not in _HASH_KEYS:
            message = "this looks like a private key: it must never be in a file of the configuration"
            hint = "name the keystore that holds it; a key that was written down is no secret any more"
            yield Problem("JC301", source.name, *source.positions.of(path), dotted(path), message, hint)
        elif text != path[-1] and _ADDRESS.fullmatch(text) and not has_mixed_case(text):
            right = checksummed(text)
            if right != text and int(text, 16):
                message = f"{text} has no checksum, so a typo in it cannot be found"
                hint = f"compare it, then write {right!r}"
                yield Problem("JC118", source.name, *source.positions.of(path), dotted(path), message, hint)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key), key
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
