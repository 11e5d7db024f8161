"""Values with units that every layer shares.

Addresses and hashes are lower-case `0x` strings inside the program (they are dictionary keys and are
compared with what JSON-RPC sends); checksummed form exists only where a person reads or writes one.
Money is an integer in wei, or in the token's base unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

Address = NewType("Address", str)
"""20 bytes as `0x` and 40 lower-case hex digits."""
Hash32 = NewType("Hash32", str)
"""32 bytes as `0x` and 64 lower-case hex digits."""

ZERO_ADDRESS = Address("0x" + "00" * 20)
ZERO_HASH = Hash32("0x" + "00" * 32)

_HEX = frozenset("0123456789abcdef")
_SHOWN_CHARS = 80


def address(text: str) -> Address:
    """Return `text` as an `Address`; ValueError if it is not 20 bytes of hex after `0x`."""
    return Address(_fixed_hex(text, 40, "address"))


def hash32(text: str) -> Hash32:
    """Return `text` as a `Hash32`; ValueError if it is not 32 bytes of hex after `0x`."""
    return Hash32(_fixed_hex(text, 64, "hash"))


def _fixed_hex(text: str, digits: int, what: str) -> str:
    # Before anything is made of it: what a node calls a hash may be of any length, or no text at all.
    lowered = text.lower() if isinstance(text, str) and len(text) == digits + 2 else ""
    if not lowered.startswith("0x") or not _HEX.issuperset(lowered[2:]):
        raise ValueError(f"not a {what}: {str(text)[:_SHOWN_CHARS]!r} (expected 0x and {digits} hex digits)")
    return lowered


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20 token; `decimals` matter only when an amount is shown."""

    symbol: str
    address: Address
    decimals: int


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A watched pool as configured: one side is always WETH, so that profit and bids are in ETH.

    `fee_pips` is in hundredths of a basis point (500 = 0.05%); `weth_is_token0` says which side WETH is.
    """

    name: str
    address: Address
    token0: Token
    token1: Token
    fee_pips: int
    tick_spacing: int
    weth_is_token0: bool

    @property
    def quote_token(self) -> Token:
        """The side that is not WETH."""
        return self.token1 if self.weth_is_token0 else self.token0

    @property
    def weth(self) -> Token:
        return self.token0 if self.weth_is_token0 else self.token1
