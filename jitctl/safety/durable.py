"""Small records in small files that survive a power cut and can be rewritten on a full disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RECORD_BYTES = 4096
"""Every record is padded to one block, so that a later one overwrites it in place without allocating."""


def fsync_directory(folder: Path) -> None:
    """Make renames and creations in `folder` durable; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode_record(record: dict[str, Any]) -> bytes:
    """Return one padded block of JSON; long texts are cut so that it always fits."""
    fitted = {key: value[:1000] if isinstance(value, str) else value for key, value in record.items()}
    body = json.dumps(fitted, ensure_ascii=True).encode()
    if len(body) >= RECORD_BYTES:
        # A thousand escaped characters take six thousand bytes.
        fitted = {key: value[:100] if isinstance(value, str) else value for key, value in record.items()}
        body = json.dumps(fitted, ensure_ascii=True).encode()
    return body.ljust(RECORD_BYTES - 1) + b"\n"


def create_record(path: Path, record: dict[str, Any], *, exclusive: bool = False) -> None:
    """Write a record that is there whole or not at all, and durable on return; raises OSError.

    `exclusive` raises FileExistsError where `path` exists.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        try:
            os.write(descriptor, encode_record(record))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if exclusive:
            os.link(scratch, path)
            scratch.unlink()
        else:
            scratch.rename(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def overwrite_record(path: Path, record: dict[str, Any]) -> None:
    """Write over an existing record in place, without truncating and without a new block; raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.pwrite(descriptor, encode_record(record), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record at `path`; None if it is not a readable regular file holding a JSON object."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        record = json.loads(os.read(descriptor, 4 * RECORD_BYTES))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)
    return record if isinstance(record, dict) else None
