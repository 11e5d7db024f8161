"""The form of data/audit.jsonl: numbered records, each of which holds the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

GENESIS = "0" * 64
"""What the first record holds as the hash before it."""


class Line(NamedTuple):
    """One line of a trail. `record` is None for one that is no record, as a power cut leaves it.

    `fault` says why the chain is broken here; `missing` is how many numbers were passed over before it.
    """

    number: int
    record: dict[str, Any] | None
    fault: str = ""
    missing: int = 0


def line_hash(record: dict[str, Any]) -> str:
    """Return SHA-256 of the record without its own `hash`, keys sorted; 64 hex digits."""
    body = {key: value for key, value in record.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def follow_chain(lines: Iterable[bytes]) -> Iterator[Line]:
    """Yield every line with what is wrong with it; after a break it goes on from the record that is there.

    Half a line is no break by itself: the writer steps over it, and the next record follows the one before.
    """
    last, seq = GENESIS, 0
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        record = _record(raw)
        if record is None:
            yield Line(number, None)
            continue
        found = record["seq"]
        fault = ""
        if line_hash(record) != record["hash"]:
            fault = "it was changed after it was written"
        elif record["prev"] != last:
            fault = "it does not follow the record before it"
        elif found != seq + 1:
            fault = f"its number is {found}, not {seq + 1}"
        yield Line(number, record, fault, max(0, found - seq - 1))
        last, seq = record["hash"], found


def _record(raw: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(record, dict) and type(record.get("seq")) is int
    whole = whole and isinstance(record.get("hash"), str) and isinstance(record.get("prev"), str)
    return record if whole else None
