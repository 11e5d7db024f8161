"""What the engine says about itself: JSON-able, camelCase keys, taken from memory, never waiting."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from jitctl.engine.parts import Parts


class Reporting:
    """The figures behind `status`, `/metrics` and `pool-status`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def figures(self) -> dict[str, Any]:
        """Return everything that status and metrics show."""
        parts = self._parts
        standing, picture, clock = parts.standing, parts.picture, parts.ports.clock
        head, guards = picture.head, picture.guards
        outstanding = parts.follower.outstanding()
        instruments = parts.ports.instruments
        states = Counter(attempt.state.value for attempt in parts.follower.live.values())
        return {
            "state": standing.state.value,
            "mode": standing.mode.value,
            "who": standing.who,
            "reason": standing.why,
            "sinceS": standing.since_s,
            "crisisLevel": standing.crisis.value,
            "crisisWho": standing.crisis_who,
            "crisisReason": standing.crisis_why,
            "crisisSinceS": standing.crisis_since_s or None,
            "tradingReady": standing.running and picture.ready(clock.monotonic_ns()),
            "synced": picture.synced,
            "generation": picture.generation,
            "headNumber": head.number if head else None,
            "headHash": head.hash if head else None,
            "poolsHeadHash": picture.pools_head,
            "marksHeadHash": picture.marks.block_hash if picture.marks else None,
            "headAgeS": (clock.monotonic_ns() - picture.head_ns) / 1e9 if head else None,
            "baseFeeWei": str(picture.base_fee_wei),
            "openAttempts": len(outstanding),
            "outstandingBundles": len(outstanding),
            "lastTargetBlock": max((attempt.target_block for attempt in outstanding), default=None),
            "unsettledAttempts": dict(states),
            "settledBlock": parts.follower.settled_block,
            "openPositions": [left.pool for left in parts.watch.all()],
            "wantedSwaps": len(parts.book),
            "queues": parts.inbox.depths(),
            "tasks": len(parts.background),
            "lanes": [
                {"operator": lane.operator, "nextNonce": lane.next_nonce, "busy": lane.owner is not None}
                for lane in parts.lanes.all()
            ],
            "balances": {token: str(amount) for token, amount in picture.balances.items()},
            "executorHalted": guards.halted if guards else None,
            "lossBudgetLeftWei": str(guards.loss_budget_left_wei) if guards else None,
            "poolsWatched": len(picture.specs),
            "poolsExact": len(parts.ports.pool_book.pools()),
            "nodes": [dict(row) for row in instruments.nodes()] if instruments else [],
            "relays": {name: dict(counts) for name, counts in instruments.relays().items()}
            if instruments
            else {},
            "counts": {**parts.metrics.snapshot(), **(instruments.counts() if instruments else {})},
            "stages": {name: asdict(times) for name, times in parts.metrics.stages().items()},
        }

    def pools(self) -> list[dict[str, Any]]:
        """Return each watched pool as of the pool book's block.

        `exact` is False where it has no snapshot; `problem` says why no attempt would be made in it.
        """
        parts = self._parts
        guards, marks = parts.picture.guards, parts.picture.marks
        snapshots = parts.ports.pool_book.pools()
        rows = []
        for spec in parts.picture.specs.values():
            pool = snapshots.get(spec.address)
            row: dict[str, Any] = {
                "name": spec.name,
                "address": spec.address,
                "token0": spec.token0.symbol,
                "token1": spec.token1.symbol,
                "feePips": spec.fee_pips,
                "exact": pool is not None,
            }
            rules = guards.rules.get(spec.address) if guards is not None else None
            if pool is None:
                row["problem"] = "no exact snapshot: it is read again with the next block"
            elif rules is not None and not rules.may_open:
                row["problem"] = "the executor contract does not allow it"
            elif marks is not None and spec.quote_token.address not in marks.weth_wei_per_base_unit:
                row["problem"] = f"no external price of {spec.quote_token.symbol}"
            if pool is not None:
                row |= {
                    "sqrtPriceX96": str(pool.sqrt_price_x96),
                    "tick": pool.tick,
                    "liquidity": str(pool.liquidity),
                    "feeProtocol": pool.fee_protocol,
                }
            rows.append(row)
        return rows
