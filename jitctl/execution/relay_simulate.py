"""The fallback where no own node can simulate: the relay's `eth_callBundle`.

The relay gets to see the signed legs, so this is for those who chose it: the executor's own guards (target
block, parent) keep a leg that leaks from being worth anything in another block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from jitctl.domain.bundle import BundleDraft, BundleSimulation, LegResult, RelayOutcome, SignedBundle
from jitctl.domain.counters import Counters
from jitctl.errors import JitError, TimedOut
from jitctl.execution.draft_checks import (
    CheckFailed,
    account_requests,
    check_accounts,
    check_draft,
    check_parent,
)
from jitctl.execution.node import BatchNode
from jitctl.execution.relay import HttpRelay
from jitctl.execution.relays import bundle_hash
from jitctl.execution.simulate import SIMULATION_OUTCOMES

_REASONS = ("mint_reverts", "victim_reverts", "burn_reverts")


class Signer(Protocol):
    """Signs a draft."""

    def sign(self, draft: BundleDraft) -> SignedBundle: ...


class RelaySimulator:
    """As `NodeSimulator`, but amounts stay unknown (a relay returns no logs), and a victim that lacks gas
    is told by its having used all of it.
    """

    def __init__(self, node: BatchNode, relay: HttpRelay, signer: Signer, *, timeout_s: float = 0.5) -> None:
        self.counters = Counters(SIMULATION_OUTCOMES)
        self._node = node
        self._relay = relay
        self._signer = signer
        self._timeout_s = timeout_s

    async def simulate(self, draft: BundleDraft) -> BundleSimulation:
        """Never raises for what the relay, a node or a transaction does: it is the simulation's `reason`."""
        try:
            outcome = await self._simulate(draft)
        except CheckFailed as failed:
            outcome = failed.as_simulation()
        except TimedOut as error:
            outcome = BundleSimulation(ok=False, reason="simulation_timeout", detail=error.message)
        except JitError as error:
            outcome = BundleSimulation(ok=False, reason="simulation_failed", detail=error.message)
        self.counters.add(outcome.reason or "ok")
        return outcome

    async def _simulate(self, draft: BundleDraft) -> BundleSimulation:
        check_draft(draft)
        check_accounts(draft, await self._node.call_many(account_requests(draft), timeout_s=self._timeout_s))
        bundle = self._signer.sign(draft)
        answer = await self._relay.request(
            "eth_callBundle",
            [
                {
                    "txs": ["0x" + raw.hex() for raw in bundle.raw_txs],
                    "blockNumber": hex(bundle.target_block),
                    "stateBlockNumber": hex(draft.parent.number),
                    "timestamp": draft.timestamp_s,
                }
            ],
        )
        if answer.outcome == RelayOutcome.TIMED_OUT:
            raise CheckFailed("simulation_timeout", answer.detail)
        if answer.outcome != RelayOutcome.ACCEPTED:
            raise CheckFailed("simulation_failed", f"{answer.outcome}: {answer.detail}")
        legs = _legs(answer.result, bundle)
        await check_parent(self._node, draft, self._timeout_s)
        for leg, reason in zip(legs, _REASONS, strict=True):
            if not leg.success:
                lacks_gas = reason == "victim_reverts" and leg.gas_used >= draft.victim.gas_limit
                raise CheckFailed("victim_gas" if lacks_gas else reason, leg.error, legs)
        mint, victim, burn = legs
        return BundleSimulation(ok=True, reason="", detail="", mint=mint, victim=victim, burn=burn)


def _legs(result: Any, bundle: SignedBundle) -> tuple[LegResult, ...]:
    """Read the three results; raises `CheckFailed` where they are not those of this bundle."""
    try:
        if result["bundleHash"] != bundle_hash(bundle):
            raise CheckFailed("simulation_failed", "the relay simulated another bundle")
        rows = result["results"]
        if [row["txHash"] for row in rows] != list(bundle.tx_hashes):
            raise CheckFailed("simulation_failed", "the relay simulated other transactions")
        return tuple(_leg(row) for row in rows)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise CheckFailed("simulation_failed", "the relay's simulation has the wrong shape") from None


def _leg(row: Mapping[str, Any]) -> LegResult:
    error = row.get("error") or row.get("revert") or ""
    gas_used = int(row["gasUsed"])
    if gas_used <= 0:
        raise ValueError("gas")
    return LegResult(not error, gas_used, str(error)[:160])
