"""Reading ABI-encoded calldata in place: words, addresses, dynamic bytes and Uniswap v3 paths.

Every reader takes the whole calldata and a window `[start, end)` of it, copies nothing but the words it
returns, and raises `CalldataError` as soon as something lies outside the window. A contract would revert on
the same bytes, or read garbage that we do not want to trade on.
"""

from __future__ import annotations

from jitctl.domain.swap_intent import SwapHop
from jitctl.domain.values import Address

WORD = 32
_ADDRESS_BYTES = 20
_HOP_BYTES = 23
"""A path is token (20), then fee (3) and token (20) for every pool."""


class CalldataError(Exception):
    """The bytes are not what the ABI says; never leaves the decoders."""


class DecodeBudget:
    """Bounds the work one transaction can ask for.

    Offsets may point anywhere, so calldata of n bytes can describe far more than n bytes of calls (each
    element of each nested array may be the same blob). Counting calls and hops keeps decoding linear.
    """

    __slots__ = ("calls_left", "hops_left")

    def __init__(self, calls: int, hops: int) -> None:
        self.calls_left = calls
        self.hops_left = hops

    def spend_calls(self, count: int) -> None:
        """Raise `CalldataError` when `count` more calls are too many."""
        self.calls_left -= count
        if self.calls_left < 0:
            raise CalldataError

    def spend_hops(self, count: int) -> None:
        """Raise `CalldataError` when `count` more hops are too many."""
        self.hops_left -= count
        if self.hops_left < 0:
            raise CalldataError


def word_at(data: bytes, at: int, end: int) -> int:
    """Return the 32-byte unsigned word at `at`."""
    stop = at + WORD
    if stop > end:
        raise CalldataError
    return int.from_bytes(data[at:stop], "big")


def address_at(data: bytes, at: int, end: int) -> Address:
    """Return the address word at `at`; its upper 12 bytes must be zero, as solc's decoder demands."""
    stop = at + WORD
    if stop > end or any(data[at : at + 12]):
        raise CalldataError
    return Address("0x" + data[at + 12 : stop].hex())


def loose_address_at(data: bytes, at: int, end: int) -> Address:
    """Return the low 20 bytes of the word at `at`, as a contract that reads words in assembly sees them."""
    stop = at + WORD
    if stop > end:
        raise CalldataError
    return Address("0x" + data[at + 12 : stop].hex())


def bytes_window(data: bytes, base: int, slot: int, end: int) -> tuple[int, int]:
    """Return the window of the dynamic bytes whose offset (from `base`) stands in head slot `slot`."""
    at = base + word_at(data, base + slot * WORD, end)
    length = word_at(data, at, end)
    start = at + WORD
    stop = start + length
    if stop > end:
        raise CalldataError
    return start, stop


def bytes_array_windows(
    data: bytes, base: int, slot: int, end: int, budget: DecodeBudget
) -> list[tuple[int, int]]:
    """Return the windows of the elements of a `bytes[]` whose offset stands in head slot `slot`."""
    at = base + word_at(data, base + slot * WORD, end)
    count = word_at(data, at, end)
    budget.spend_calls(count)
    first = at + WORD
    return [bytes_window(data, first, index, end) for index in range(count)]


def path_hops(data: bytes, start: int, end: int, budget: DecodeBudget) -> tuple[SwapHop, ...]:
    """Return the pools of a v3 path in the order of its bytes.

    Bytes after the last whole pool are ignored, as the routers do.
    """
    length = end - start
    if length < _ADDRESS_BYTES + _HOP_BYTES:
        raise CalldataError
    count = (length - _ADDRESS_BYTES) // _HOP_BYTES
    budget.spend_hops(count)
    hops = []
    at = start
    token = Address("0x" + data[at : at + _ADDRESS_BYTES].hex())
    for _ in range(count):
        at += _ADDRESS_BYTES
        fee_pips = int.from_bytes(data[at : at + 3], "big")
        at += 3
        following = Address("0x" + data[at : at + _ADDRESS_BYTES].hex())
        hops.append(SwapHop(token, following, fee_pips))
        token = following
    return tuple(hops)


def reversed_hops(hops: tuple[SwapHop, ...]) -> tuple[SwapHop, ...]:
    """Return an exact-output path, whose bytes run from the output token, in the order of the swap."""
    return tuple(SwapHop(hop.token_out, hop.token_in, hop.fee_pips) for hop in reversed(hops))
