"""The next block's base fee, exactly (EIP-1559)."""

from __future__ import annotations

from jitctl.domain.chain import Head

ELASTICITY = 2
MAX_CHANGE_DENOMINATOR = 8


def next_base_fee_wei(parent: Head) -> int:
    """Return the base fee in wei of the block after `parent`; the least step upwards is 1 wei."""
    target = parent.gas_limit // ELASTICITY
    base = parent.base_fee_wei
    if parent.gas_used == target:
        return base
    if parent.gas_used > target:
        return base + max(base * (parent.gas_used - target) // target // MAX_CHANGE_DENOMINATOR, 1)
    return base - base * (target - parent.gas_used) // target // MAX_CHANGE_DENOMINATOR
