"""Mint, victim and burn, simulated on our own node as unsigned calls on top of a pinned parent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jitctl.domain.bundle import BundleDraft, BundleSimulation, LegResult
from jitctl.domain.chain import PendingTx
from jitctl.domain.counters import Counters
from jitctl.domain.executor_events import NOTHING_MOVED, leg_amounts
from jitctl.domain.values import Address
from jitctl.errors import JitError, NodeError, TimedOut
from jitctl.execution.draft_checks import (
    CheckFailed,
    account_requests,
    answer,
    check_accounts,
    check_draft,
    check_parent,
)
from jitctl.execution.executor_calls import burn_calldata, mint_calldata
from jitctl.execution.node import (
    BatchNode,
    Call,
    block_overrides,
    number,
    simulation_request,
    simulation_results,
)
from jitctl.execution.revert_reason import revert_reason

SIMULATION_OUTCOMES = (
    "ok", "raw_mismatch", "nonce_mismatch", "victim_gone", "victim_queued", "victim_short", "balance_short",
    "mint_reverts", "victim_reverts", "victim_gas", "burn_reverts", "parent_moved", "simulation_failed",
    "simulation_timeout",
)  # fmt: skip
CLASSIFYING_GAS = 10_000_000
"""Gas with which a failed victim is tried again, to learn whether gas was what it lacked."""


class NodeSimulator:
    """`simulate` never raises for what a node or a transaction does: it is the simulation's `reason`."""

    def __init__(self, node: BatchNode, *, executor: Address, timeout_s: float = 0.3) -> None:
        self.counters = Counters(SIMULATION_OUTCOMES)
        self._node = node
        self._executor = executor
        self._timeout_s = timeout_s

    async def simulate(self, draft: BundleDraft) -> BundleSimulation:
        """Run the three calls with their real gas limits, fees, nonces and lists, and check the rest here.

        Not left to the node: the base fee, the nonces of operator and victim, their balances, and that the
        parent is still the head after the reply.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                outcome = await self._simulate(draft)
        except CheckFailed as failed:
            outcome = failed.as_simulation()
        except (TimeoutError, TimedOut):
            outcome = BundleSimulation(
                ok=False,
                reason="simulation_timeout",
                detail=f"no answer within {self._timeout_s * 1000:.0f} ms",
            )
        except JitError as error:
            outcome = BundleSimulation(ok=False, reason="simulation_failed", detail=error.message)
        self.counters.add(outcome.reason or "ok")
        return outcome

    async def _simulate(self, draft: BundleDraft) -> BundleSimulation:
        check_draft(draft)
        simulated, *accounts = await self._node.call_many(
            [
                ("eth_simulateV1", self._request(draft, victim_call(draft.victim))),
                *account_requests(draft),
            ],
            timeout_s=self._timeout_s,
        )
        began_ns = time.monotonic_ns()
        await check_parent(self._node, draft, self._timeout_s)
        reread_ms = (time.monotonic_ns() - began_ns) / 1e6
        # A strict node refuses to simulate what an account cannot pay: our own check names that better.
        check_accounts(draft, accounts)
        results = simulation_results(answer(simulated), draft.parent, 3)
        return replace(await self._judge(draft, results), reread_ms=reread_ms)

    def _request(self, draft: BundleDraft, victim: Call, state: Call | None = None) -> list[Any]:
        overrides = block_overrides(
            draft.parent, draft.base_fee_wei, draft.timestamp_s, draft.parent.coinbase
        )
        calls = [
            self._leg_call(draft, mint_calldata(draft), draft.nonce, draft.mint_gas_limit),
            victim,
            self._leg_call(draft, burn_calldata(draft), draft.nonce + 1, draft.burn_gas_limit),
        ]
        return simulation_request(draft.parent, overrides, calls, state)

    def _leg_call(self, draft: BundleDraft, calldata: bytes, nonce: int, gas_limit: int) -> Call:
        return {
            "from": draft.operator,
            "to": self._executor,
            "nonce": hex(nonce),
            "gas": hex(gas_limit),
            "maxFeePerGas": hex(draft.base_fee_wei),
            "maxPriorityFeePerGas": "0x0",
            "value": "0x0",
            "input": "0x" + calldata.hex(),
        }

    async def _judge(self, draft: BundleDraft, results: list[dict[str, Any]]) -> BundleSimulation:
        mint, victim, burn = legs = tuple(_leg(result) for result in results)
        if not mint.success:
            raise CheckFailed("mint_reverts", mint.error, legs)
        if not victim.success:
            reason = "victim_gas" if await self._lacks_gas(draft) else "victim_reverts"
            raise CheckFailed(
                reason, f"{victim.error}; {victim.gas_used} of {draft.victim.gas_limit} gas", legs
            )
        if not burn.success:
            raise CheckFailed("burn_reverts", burn.error, legs)
        try:
            amounts = leg_amounts(self._executor, [log for result in results for log in _logs(result)])
        except ValueError as error:
            raise CheckFailed("simulation_failed", str(error), legs) from None
        if amounts == NOTHING_MOVED:
            raise CheckFailed(
                "simulation_failed", "the executor's events are missing from the simulation", legs
            )
        return BundleSimulation(
            ok=True, reason="", detail="", mint=mint, victim=victim, burn=burn, amounts=amounts
        )

    async def _lacks_gas(self, draft: BundleDraft) -> bool:
        """Does the same bundle work when only the victim's gas is raised?

        A node names an inner call's lack of gas as a plain revert, so it is tried, with a balance that
        pays for the gas.
        """
        call = victim_call(draft.victim)
        call["gas"] = hex(max(CLASSIFYING_GAS, 2 * draft.victim.gas_limit))
        state: Call = {draft.victim.sender: {"balance": hex(1 << 128)}}
        try:
            request = self._request(draft, call, state)
            reply = await self._node.call("eth_simulateV1", request, timeout_s=self._timeout_s)
            results = simulation_results(reply, draft.parent, 3)
        except JitError:
            return False
        return _leg(results[1]).success


def victim_call(tx: PendingTx) -> Call:
    """The victim as an unsigned call: everything that changes how it executes is kept."""
    call: Call = {
        "from": tx.sender,
        "nonce": hex(tx.nonce),
        "gas": hex(tx.gas_limit),
        "value": hex(tx.value_wei),
        "input": "0x" + tx.calldata.hex(),
    }
    if tx.to is not None:
        call["to"] = tx.to
    if tx.tx_type in (0, 1):
        call["gasPrice"] = hex(tx.max_fee_per_gas_wei)
    else:
        call["maxFeePerGas"] = hex(tx.max_fee_per_gas_wei)
        call["maxPriorityFeePerGas"] = hex(tx.max_priority_fee_per_gas_wei)
    if tx.rpc_body.get("accessList"):
        call["accessList"] = tx.rpc_body["accessList"]
    if tx.tx_type == 4:
        call["authorizationList"] = tx.rpc_body["authorizationList"]
    return call


def _leg(result: Mapping[str, Any]) -> LegResult:
    success = number(result.get("status"), "a call's status") == 1
    gas_used = number(result.get("gasUsed"), "a call's gas")
    return LegResult(success, gas_used, "" if success else revert_reason(result))


def _logs(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    logs = result.get("logs")
    if not isinstance(logs, list) or not all(isinstance(log, Mapping) for log in logs):
        raise NodeError("the node's simulation has no logs")
    return logs
