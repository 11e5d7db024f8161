"""Calldata of the executor's functions, laid out by hand: no ABI library on the hot path or in an emergency.

Arguments are the program's own values (lower-case addresses and hashes, integers in base units); an integer
that does not fit its word raises `OverflowError`. A test holds selectors and layouts against the ABI.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitctl.domain.values import Address, Hash32

SELECTORS: dict[str, bytes] = {
    "mint": bytes.fromhex("a1333681"),
    "burn": bytes.fromhex("7321fa79"),
    "close": bytes.fromhex("c74073a1"),
    "sweep": bytes.fromhex("ea0fbb08"),
    "halt": bytes.fromhex("5ed7ca5b"),
    "unhalt": bytes.fromhex("cb3e64fd"),
    "setOperator": bytes.fromhex("558a7297"),
    "setGuardian": bytes.fromhex("8a0dac4a"),
    "setPool": bytes.fromhex("54e209c8"),
    "setBudget": bytes.fromhex("bc8523fc"),
    "openPosition": bytes.fromhex("ebbeba6e"),
    "halted": bytes.fromhex("b9b8af0b"),
    "spent24h": bytes.fromhex("42874d3a"),
    "budget": bytes.fromhex("ed01bf29"),
    "reserved": bytes.fromhex("fe60d12c"),
    "isOperator": bytes.fromhex("6d70f7ae"),
    "guardian": bytes.fromhex("452a9320"),
    "owner": bytes.fromhex("8da5cb5b"),
}


def mint(
    pool: Address,
    tick_lower: int,
    tick_upper: int,
    liquidity: int,
    amount0_max: int,
    amount1_max: int,
    target_block: int,
    parent_hash: Hash32,
    sqrt_price_min_x96: int,
    sqrt_price_max_x96: int,
) -> bytes:
    """Open a position in exactly `target_block` on exactly `parent_hash`. Operators only."""
    return (
        SELECTORS["mint"]
        + _address(pool)
        + tick_lower.to_bytes(32, "big", signed=True)
        + tick_upper.to_bytes(32, "big", signed=True)
        + _uints((liquidity, amount0_max, amount1_max, target_block))
        + bytes.fromhex(parent_hash[2:])
        + _uints((sqrt_price_min_x96, sqrt_price_max_x96))
    )


def burn(
    pool: Address, min_fees_wei: int, sqrt_price_min_x96: int, sqrt_price_max_x96: int, tip_wei: int
) -> bytes:
    """Close the pool's position; conditions and tip count in the block of its mint. Operators only."""
    words = (min_fees_wei, sqrt_price_min_x96, sqrt_price_max_x96, tip_wei)
    return SELECTORS["burn"] + _address(pool) + _uints(words)


def close(pool: Address) -> bytes:
    """Close the pool's position unconditionally. Operators, guardian, owner."""
    return SELECTORS["close"] + _address(pool)


def sweep(pool: Address, tick_lower: int, tick_upper: int) -> bytes:
    """Collect what others left at the executor's name in a range. Operators, guardian, owner."""
    ticks = tick_lower.to_bytes(32, "big", signed=True) + tick_upper.to_bytes(32, "big", signed=True)
    return SELECTORS["sweep"] + _address(pool) + ticks


def halt() -> bytes:
    """Stop openings. Guardian, owner."""
    return SELECTORS["halt"]


def unhalt() -> bytes:
    """Allow openings again. Owner."""
    return SELECTORS["unhalt"]


def set_operator(operator: Address, allowed: bool) -> bytes:
    """Name an operator, or no longer. Owner."""
    return SELECTORS["setOperator"] + _address(operator) + _uints((int(allowed),))


def set_guardian(guardian: Address) -> bytes:
    """Name the one guardian. Owner."""
    return SELECTORS["setGuardian"] + _address(guardian)


def set_pool(
    pool: Address,
    allowed: bool,
    max_spot_ticks: int,
    max_range_ticks: int,
    twap_window_s: int,
    max_notional_wei: int,
    max_tip_bps: int,
) -> bytes:
    """Set a pool's rules. Owner."""
    words = (int(allowed), max_spot_ticks, max_range_ticks, twap_window_s, max_notional_wei, max_tip_bps)
    return SELECTORS["setPool"] + _address(pool) + _uints(words)


def set_budget(wei_per_24h: int) -> bytes:
    """Set the loss budget in WETH wei. Owner."""
    return SELECTORS["setBudget"] + _uints((wei_per_24h,))


def open_position(pool: Address) -> bytes:
    """View: open, tickLower, tickUpper, liquidity, amount0, amount1, blockNumber, valueWei."""
    return SELECTORS["openPosition"] + _address(pool)


def is_operator(who: Address) -> bytes:
    """View: whether this account is an operator."""
    return SELECTORS["isOperator"] + _address(who)


def _uints(values: Iterable[int]) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def _address(text: Address) -> bytes:
    return bytes(12) + bytes.fromhex(text[2:])
