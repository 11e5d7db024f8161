"""Calldata of the executor's two legs, laid out by hand because it is on the hot path.

A test holds selectors and layout against the contract's ABI.
"""

from __future__ import annotations

from jitctl.domain.bundle import BundleDraft

MINT = "mint(address,int24,int24,uint128,uint256,uint256,uint256,bytes32,uint160,uint160)"
BURN = "burn(address,uint256,uint160,uint160,uint256)"
_MINT_SELECTOR = bytes.fromhex("a1333681")
_BURN_SELECTOR = bytes.fromhex("7321fa79")


def mint_calldata(draft: BundleDraft) -> bytes:
    """Open the plan's position, in exactly the target block on top of exactly the parent."""
    plan = draft.plan
    return _MINT_SELECTOR + b"".join(
        (
            _address(plan.pool),
            plan.tick_lower.to_bytes(32, "big", signed=True),
            plan.tick_upper.to_bytes(32, "big", signed=True),
            plan.liquidity.to_bytes(32, "big"),
            plan.amount0_max.to_bytes(32, "big"),
            plan.amount1_max.to_bytes(32, "big"),
            draft.target_block.to_bytes(32, "big"),
            bytes.fromhex(draft.parent.hash[2:]),
            plan.mint_sqrt_price_min_x96.to_bytes(32, "big"),
            plan.mint_sqrt_price_max_x96.to_bytes(32, "big"),
        )
    )


def burn_calldata(draft: BundleDraft) -> bytes:
    """Close it in the same block, for at least the planned fees, and pay the builder."""
    plan = draft.plan
    return _BURN_SELECTOR + b"".join(
        (
            _address(plan.pool),
            plan.min_fees_wei.to_bytes(32, "big"),
            plan.burn_sqrt_price_min_x96.to_bytes(32, "big"),
            plan.burn_sqrt_price_max_x96.to_bytes(32, "big"),
            plan.bid_wei.to_bytes(32, "big"),
        )
    )


def _address(text: str) -> bytes:
    return bytes(12) + bytes.fromhex(text[2:])
