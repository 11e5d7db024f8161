"""Calldata of the executor's two legs for a draft."""

from __future__ import annotations

from jitctl.contracts import calls
from jitctl.domain.bundle import BundleDraft


def mint_calldata(draft: BundleDraft) -> bytes:
    """Open the plan's position, in exactly the target block on top of exactly the parent."""
    plan = draft.plan
    return calls.mint(
        plan.pool,
        plan.tick_lower,
        plan.tick_upper,
        plan.liquidity,
        plan.amount0_max,
        plan.amount1_max,
        draft.target_block,
        draft.parent.hash,
        plan.mint_sqrt_price_min_x96,
        plan.mint_sqrt_price_max_x96,
    )


def burn_calldata(draft: BundleDraft) -> bytes:
    """Close it in the same block, for at least the planned fees, and pay the builder."""
    plan = draft.plan
    return calls.burn(
        plan.pool,
        plan.min_fees_wei,
        plan.burn_sqrt_price_min_x96,
        plan.burn_sqrt_price_max_x96,
        plan.bid_wei,
    )
