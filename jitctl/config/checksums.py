"""EIP-55 checksums of addresses, and the address that Uniswap's factory gives a pool (EIP-1014)."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=8_192)
def checksummed(address: str) -> str:
    """Return `0x` and 40 hex digits of any case in the form of EIP-55."""
    digits = address[2:].lower()
    nibbles = _keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(nibble, 16) >= 8 else digit
        for digit, nibble in zip(digits, nibbles[:40], strict=True)
    )


def has_mixed_case(address: str) -> bool:
    """Return whether an address is written with a checksum: in both cases."""
    digits = address[2:]
    return digits not in (digits.lower(), digits.upper())


def pool_address(factory: str, token0: str, token1: str, fee_pips: int, init_code_hash: str) -> str:
    """Return the pool's CREATE2 address in lower case; token0 must be the lower of the two tokens."""
    words = (int(token0, 16), int(token1, 16), fee_pips)
    salt = _keccak(b"".join(word.to_bytes(32, "big") for word in words))
    whole = b"\xff" + bytes.fromhex(factory[2:]) + salt + bytes.fromhex(init_code_hash[2:])
    return "0x" + _keccak(whole)[12:].hex()


def _keccak(data: bytes) -> bytes:
    from eth_hash.auto import keccak  # here, as it loads a library that quick commands do without

    return bytes(keccak(data))
