"""What is checked here of every draft, and never left to whoever simulates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.bundle import BundleDraft, BundleSimulation, LegResult
from jitctl.errors import NodeError
from jitctl.execution.node import Node, number
from jitctl.execution.raw_tx import RawMismatch, rebuild


class CheckFailed(Exception):
    """Carries one of `ABANDON_REASONS`; what operators see is the simulation made of it."""

    def __init__(self, reason: str, detail: str, legs: tuple[LegResult, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.legs = legs

    def as_simulation(self) -> BundleSimulation:
        """Return the outcome that a simulator reports."""
        mint, victim, burn = self.legs or (None, None, None)
        return BundleSimulation(
            ok=False, reason=self.reason, detail=self.detail, mint=mint, victim=victim, burn=burn
        )


def check_draft(draft: BundleDraft) -> None:
    """What needs no node: the victim's bytes, the base fee, and that the victim can pay it.

    Raises `CheckFailed`.
    """
    try:
        rebuild(draft.victim)
    except RawMismatch as error:
        raise CheckFailed("raw_mismatch", error.message) from None
    base_fee_wei = next_base_fee_wei(draft.parent)
    if draft.base_fee_wei != base_fee_wei:
        raise CheckFailed(
            "simulation_failed", f"base fee {draft.base_fee_wei} wei, the parent says {base_fee_wei}"
        )
    if draft.victim.max_fee_per_gas_wei < base_fee_wei:
        raise CheckFailed(
            "simulation_failed",
            f"the victim pays at most {draft.victim.max_fee_per_gas_wei} wei a gas, "
            f"the base fee is {base_fee_wei}",
        )
    if draft.timestamp_s <= draft.parent.timestamp_s:
        raise CheckFailed("simulation_failed", "the block's time is not after its parent's")


def check_accounts(draft: BundleDraft, answers: Sequence[Any]) -> None:
    """Hold the answers to `account_requests` against the draft; raises `CheckFailed` or `NodeError`."""
    operator_nonce, operator_wei, victim_nonce, victim_wei = [
        number(answer(each), "an account") for each in answers
    ]
    victim = draft.victim
    if operator_nonce != draft.nonce:
        raise CheckFailed(
            "nonce_mismatch", f"operator: nonce {operator_nonce} on chain, {draft.nonce} drafted"
        )
    if victim_nonce > victim.nonce:
        raise CheckFailed("victim_gone", f"victim: nonce {victim.nonce} is used, the next is {victim_nonce}")
    if victim_nonce < victim.nonce:
        raise CheckFailed("victim_queued", f"victim: nonce {victim_nonce} on chain, {victim.nonce} pending")
    needed_wei = (draft.mint_gas_limit + draft.burn_gas_limit) * draft.base_fee_wei
    if operator_wei < needed_wei:
        raise CheckFailed("balance_short", f"operator: {operator_wei} wei, {needed_wei} needed for gas")
    needed_wei = victim.gas_limit * victim.max_fee_per_gas_wei + victim.value_wei
    if victim_wei < needed_wei:
        raise CheckFailed("victim_short", f"victim: {victim_wei} wei, {needed_wei} needed")


def account_requests(draft: BundleDraft) -> list[tuple[str, list[Any]]]:
    """What `check_accounts` wants answered, at the draft's parent."""
    at = {"blockHash": draft.parent.hash}
    return [
        ("eth_getTransactionCount", [draft.operator, at]),
        ("eth_getBalance", [draft.operator, at]),
        ("eth_getTransactionCount", [draft.victim.sender, at]),
        ("eth_getBalance", [draft.victim.sender, at]),
    ]


async def check_parent(node: Node, draft: BundleDraft, timeout_s: float) -> None:
    """Read the head, after everything else was answered; raises `CheckFailed` where it is another."""
    latest = await node.call("eth_getBlockByNumber", ["latest", False], timeout_s=timeout_s)
    if not isinstance(latest, Mapping) or "hash" not in latest:
        raise NodeError("the node does not say what its head is")
    if latest["hash"] != draft.parent.hash:
        raise CheckFailed("parent_moved", f"the head is no longer {draft.parent.hash}")


def answer(outcome: Any) -> Any:
    """Return one outcome of `call_many`, or raise it."""
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
