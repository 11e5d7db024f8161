"""The slower path: what a call that no decoder knows would swap, learnt by simulating it alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.chain import Head, PendingTx
from jitctl.domain.counters import Counters
from jitctl.domain.swap_intent import SwapHop, SwapIntent, SwapTx
from jitctl.domain.values import Address, PoolSpec
from jitctl.errors import JitError, NodeError
from jitctl.execution.node import Node, block_overrides, simulate_calls
from jitctl.execution.simulate import victim_call

TRACER_COUNTS = ("traced", "swaps", "no_swap", "reverts", "failed", "rate_limited", "busy")
SWAP_TOPIC = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
"""keccak256 of `Swap(address,address,int256,int256,uint160,uint128,int24)`."""
_SWAP_DATA_BYTES = 160


class NodeTracer:
    """At most `max_per_s` simulations a second and `max_concurrent` at once; beyond that it says None."""

    def __init__(
        self,
        node: Node,
        specs: Iterable[PoolSpec],
        *,
        slot_seconds: float = 12.0,
        max_per_s: float = 20.0,
        max_concurrent: int = 2,
        timeout_s: float = 0.3,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.counters = Counters(TRACER_COUNTS)
        self._node = node
        self._specs: dict[str, PoolSpec] = {spec.address: spec for spec in specs}
        self._slot_seconds = slot_seconds
        self._interval_ns = int(1e9 / max_per_s)
        self._burst_ns = int(1e9)
        self._max_concurrent = max_concurrent
        self._timeout_s = timeout_s
        self._monotonic_ns = monotonic_ns
        self._running = 0
        self._allowed_ns = 0

    def watch_pools(self, specs: Iterable[PoolSpec]) -> None:
        """Replace the watched pools."""
        self._specs = {spec.address: spec for spec in specs}

    async def observe(self, tx: PendingTx, parent: Head) -> SwapTx | None:
        """Return the watched pools' swaps that `tx` would cause on top of `parent`; None if none or unknown.

        Each is reported as an exact input of what the pool received: how the caller bounded it is not known.
        """
        if self._running >= self._max_concurrent:
            self.counters.add("busy")
            return None
        if not self._take_turn():
            self.counters.add("rate_limited")
            return None
        self._running += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                intents = await self._intents(tx, parent)
        except (JitError, TimeoutError):
            self.counters.add("failed")
            return None
        finally:
            self._running -= 1
        if not intents:
            return None
        self.counters.add("swaps")
        return SwapTx(tx.hash, tx.sender, tx.gas_limit, intents)

    async def _intents(self, tx: PendingTx, parent: Head) -> tuple[SwapIntent, ...]:
        timestamp_s = parent.timestamp_s + max(1, round(self._slot_seconds))
        overrides = block_overrides(parent, next_base_fee_wei(parent), timestamp_s, parent.coinbase)
        self.counters.add("traced")
        (result,) = await simulate_calls(
            self._node, parent, overrides, [victim_call(tx)], timeout_s=self._timeout_s
        )
        if result.get("status") != "0x1":
            self.counters.add("reverts")
            return ()
        try:
            intents = [self._intent(log) for log in result.get("logs") or ()]
        except (LookupError, TypeError, ValueError):
            raise NodeError("the node's simulation has logs of the wrong shape") from None
        found = tuple(intent for intent in intents if intent is not None)
        if not found:
            self.counters.add("no_swap")
        return found

    def _intent(self, log: Any) -> SwapIntent | None:
        if not isinstance(log, Mapping):
            return None
        spec = self._specs.get(str(log.get("address")).lower())
        topics, data = log.get("topics"), log.get("data")
        if spec is None or not topics or topics[0] != SWAP_TOPIC or not isinstance(data, str):
            return None
        raw = bytes.fromhex(data[2:])
        if len(raw) != _SWAP_DATA_BYTES:
            return None
        amount0 = int.from_bytes(raw[:32], "big", signed=True)
        amount1 = int.from_bytes(raw[32:64], "big", signed=True)
        if amount0 > 0:
            return _exact_input(spec.token0.address, spec.token1.address, spec.fee_pips, amount0)
        return _exact_input(spec.token1.address, spec.token0.address, spec.fee_pips, amount1)

    def _take_turn(self) -> bool:
        """A token bucket of one second's worth."""
        now_ns = self._monotonic_ns()
        earliest_ns = max(self._allowed_ns, now_ns - self._burst_ns)
        if earliest_ns > now_ns:
            return False
        self._allowed_ns = earliest_ns + self._interval_ns
        return True


def _exact_input(token_in: Address, token_out: Address, fee_pips: int, amount: int) -> SwapIntent:
    return SwapIntent(
        router="traced",
        hops=(SwapHop(token_in, token_out, fee_pips),),
        exact_in=True,
        amount=amount,
        limit_amount=0,
    )
