"""The form of data/audit.jsonl: numbered records, each of which holds the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from typing import Any

GENESIS = "0" * 64
"""What the first record holds as the hash before it."""


def line_hash(record: dict[str, Any]) -> str:
    """Return SHA-256 of the record without its own `hash`, keys sorted; 64 hex digits."""
    body = {key: value for key, value in record.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
