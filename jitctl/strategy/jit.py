"""The decision: leave a pending transaction alone, with a reason, or propose a plan around it.

Pure: everything it needs is passed in, nothing is read or written. Money is WETH wei; the caller's clock and
the exact next base fee are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import ceil

from jitctl.domain.chain import Head
from jitctl.domain.plan import Capital, JitPlan, Marks, Propose, Skip, SkipReason
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import Address
from jitctl.strategy.limits import StrategyParams
from jitctl.strategy.market import MarketView
from jitctl.strategy.mint_bounds import MintBounds
from jitctl.strategy.pool_case import PoolCase
from jitctl.strategy.walk import Walk

_NEAREST_TO_A_TRADE = (
    SkipReason.POOL_BUSY,
    SkipReason.VICTIM_GAS,
    SkipReason.WOULD_FAIL,
    SkipReason.UNPROFITABLE,
    SkipReason.NO_CAPITAL,
    SkipReason.MARK_STALE,
    SkipReason.TOO_SMALL,
    SkipReason.INFORMED,
    SkipReason.UNWATCHED_POOL,
    SkipReason.POOL_STALE,
    SkipReason.POOL_DISABLED,
)
"""Of several pools' reasons the transaction's is the first of these."""


def evaluate(
    view: MarketView,
    swap_tx: SwapTx,
    params: StrategyParams,
    capital: Capital,
    marks: Marks,
    now_s: float,
    next_base_fee_wei: int,
    busy_pools: Set[Address] = frozenset(),
    *,
    twap_ticks: Mapping[Address, int] | None = None,
    loss_budget_left_wei: int | None = None,
) -> Skip | Propose:
    """Return the best plan around `swap_tx` in the block after `view.head`, or why there is none.

    `busy_pools` already carry an attempt for that block. `twap_ticks` are the pools' TWAP ticks as the
    executor contract would read them, `loss_budget_left_wei` what its loss budget still allows; both bound
    the plan where they are known.
    """
    if not params.new_attempts:
        return Skip(SkipReason.NOT_RUNNING, "the crisis level allows no new attempts")
    early = _cannot_land(view.head, swap_tx, params, now_s) or _touches_nothing(view, swap_tx)
    if early is not None:
        return early
    walk = Walk(view, swap_tx)
    if walk.failure:
        return Skip(SkipReason.WOULD_FAIL, walk.failure)
    skips: list[Skip] = []
    best: list[JitPlan] = []
    for address in dict.fromkeys(visit.pool for visit in walk.visits):
        if address not in view.specs:
            skips.append(Skip(SkipReason.POOL_DISABLED, "", address))
        elif address in walk.unknown:
            skips.append(Skip(SkipReason.UNWATCHED_POOL, "a later amount in this pool is unknown", address))
        elif address in busy_pools:
            skips.append(Skip(SkipReason.POOL_BUSY, "", address))
        else:
            bounds = MintBounds(
                view.specs[address],
                view.pools[address],
                params,
                capital,
                twap_ticks.get(address) if twap_ticks is not None else None,
                loss_budget_left_wei,
            )
            plans = PoolCase(view, swap_tx, walk, address, params, next_base_fee_wei, bounds).plans(marks)
            if isinstance(plans, Skip):
                skips.append(plans)
            elif not best or plans[0].net_wei > best[0].net_wei:
                best = plans
    if best:
        return Propose(best[0], tuple(best[1:]))
    if not skips:
        return _nothing_followed(view, swap_tx, walk)
    return min(skips, key=lambda skip: _NEAREST_TO_A_TRADE.index(skip.reason))


def next_block_time_s(head: Head, now_s: float, slot_s: float) -> float:
    """Return the timestamp of the next block: the first slot after the head that is not over yet."""
    slots = max(1, ceil((now_s - head.timestamp_s) / slot_s))
    return head.timestamp_s + slots * slot_s


def _cannot_land(head: Head, swap_tx: SwapTx, params: StrategyParams, now_s: float) -> Skip | None:
    if not swap_tx.intents:
        return Skip(SkipReason.NOT_A_SWAP, "no v3 swap among its calls")
    if swap_tx.required_parent is not None and swap_tx.required_parent != head.hash:
        return Skip(SkipReason.EXPIRED, "it asks for another parent block")
    block_time_s = next_block_time_s(head, now_s, params.slot_s) + params.deadline_margin_s
    for intent in swap_tx.intents:
        if intent.deadline_s is not None and intent.deadline_s < block_time_s:
            return Skip(SkipReason.EXPIRED, f"deadline {intent.deadline_s}, next block {block_time_s:.0f}")
    return None


def _touches_nothing(view: MarketView, swap_tx: SwapTx) -> Skip | None:
    """Return a skip when no hop is in a watched pool, before anything is computed."""
    disabled: Address | None = None
    for intent in swap_tx.intents:
        for hop in intent.hops:
            address = view.pool_at(hop.token_in, hop.token_out, hop.fee_pips)
            if address is not None:
                if address in view.specs:
                    return None
                disabled = address
    if disabled is not None:
        return Skip(SkipReason.POOL_DISABLED, "", disabled)
    return Skip(SkipReason.UNWATCHED_POOL)


def _nothing_followed(view: MarketView, swap_tx: SwapTx, walk: Walk) -> Skip:
    for address in walk.unknown:
        if address in view.specs and address not in view.pools:
            return Skip(SkipReason.POOL_STALE, "no exact snapshot", address)
    return Skip(SkipReason.UNWATCHED_POOL, "the amount that reaches the watched pool is unknown")
