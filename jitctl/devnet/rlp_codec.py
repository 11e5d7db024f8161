"""Recursive length prefix: strict decoding (canonical lengths only, no rest) and encoding.

Source: Ethereum yellow paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, Union

# Union, because a string annotation cannot be joined with | at run time.
RlpItem: TypeAlias = Union[bytes, "list[RlpItem]"]


def rlp_decode(data: bytes) -> RlpItem:
    """Return the one item that `data` is; ValueError when it is anything else."""
    item, end = _item(data, 0, len(data))
    if end != len(data):
        raise ValueError("value size exceeds available input length" if end > len(data) else "extra bytes")
    return item


def rlp_encode(item: bytes | Sequence[RlpItem]) -> bytes:
    """Return the encoding of bytes, or of a list of items."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(0x80, len(item)) + item
    body = b"".join(map(rlp_encode, item))
    return _prefix(0xC0, len(body)) + body


def int_bytes(number: int) -> bytes:
    """Return the shortest big-endian form, empty for 0."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _prefix(base: int, length: int) -> bytes:
    if length < 56:
        return bytes([base + length])
    digits = int_bytes(length)
    return bytes([base + 55 + len(digits)]) + digits


def _item(data: bytes, start: int, end: int) -> tuple[RlpItem, int]:
    if start >= end:
        raise ValueError("input too short")
    first = data[start]
    if first < 0x80:
        return data[start : start + 1], start + 1
    base = 0x80 if first < 0xC0 else 0xC0
    length, begin = _length(data, start, first - base)
    stop = begin + length
    if stop > end:
        raise ValueError("element is larger than containing list")
    if base == 0x80:
        if length == 1 and data[begin] < 0x80:
            raise ValueError("non-canonical size information")
        return data[begin:stop], stop
    items: list[RlpItem] = []
    while begin < stop:
        item, begin = _item(data, begin, stop)
        items.append(item)
    return items, stop


def _length(data: bytes, start: int, code: int) -> tuple[int, int]:
    if code < 56:
        return code, start + 1
    width = code - 55
    digits = data[start + 1 : start + 1 + width]
    length = int.from_bytes(digits, "big")
    if len(digits) != width or digits[0] == 0 or length < 56:
        raise ValueError("non-canonical size information")
    return length, start + 1 + width
