"""What execution needs of a node, and how it reads what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from jitctl.domain.chain import Head
from jitctl.domain.values import Address
from jitctl.errors import NodeError

Call: TypeAlias = "dict[str, Any]"
_QUANTITY_CHARS = 66


class Node(Protocol):
    """One JSON-RPC call to our own nodes; raises `NodeError` or `TimedOut` and nothing else.

    `only` names the one endpoint to ask.
    """

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout_s: float | None = None,
        only: str | None = None,
    ) -> Any: ...


class BatchNode(Node, Protocol):
    """A node that also takes several calls in one frame; a call answered with an error has it returned."""

    async def call_many(
        self, requests: Sequence[tuple[str, Sequence[Any]]], *, timeout_s: float | None = None
    ) -> list[Any]: ...


def block_overrides(parent: Head, base_fee_wei: int, timestamp_s: int, fee_recipient: Address) -> Call:
    """The header of the block after `parent`, as `eth_simulateV1` takes it."""
    return {
        "number": hex(parent.number + 1),
        "time": hex(timestamp_s),
        "baseFeePerGas": hex(base_fee_wei),
        "feeRecipient": fee_recipient,
    }


async def simulate_calls(
    node: Node,
    parent: Head,
    overrides: Call,
    calls: Sequence[Call],
    *,
    state: Call | None = None,
    timeout_s: float,
    only: str | None = None,
) -> list[dict[str, Any]]:
    """Run `calls` in order in one block on top of `parent`, and return one result each.

    The parent is pinned by its hash. `validation` asks the node to be strict where it can be; nothing here
    relies on that. Raises `NodeError` or `TimedOut`.
    """
    request = simulation_request(parent, overrides, calls, state)
    reply = await node.call("eth_simulateV1", request, timeout_s=timeout_s, only=only)
    return simulation_results(reply, parent, len(calls))


def simulation_request(
    parent: Head, overrides: Call, calls: Sequence[Call], state: Call | None = None
) -> list[Any]:
    """The parameters of `eth_simulateV1` for `simulate_calls`."""
    block: Call = {"blockOverrides": overrides, "calls": list(calls)}
    if state:
        block["stateOverrides"] = state
    request = {"blockStateCalls": [block], "validation": True, "traceTransfers": False}
    return [request, {"blockHash": parent.hash}]


def simulation_results(reply: Any, parent: Head, count: int) -> list[dict[str, Any]]:
    """The `count` results in a reply of `eth_simulateV1`; raises `NodeError`."""
    try:
        (simulated,) = reply
        results = simulated["calls"]
        if number(simulated["number"], "a block number") != parent.number + 1:
            raise NodeError("the node simulated another block number")
        if len(results) != count or not all(isinstance(result, dict) for result in results):
            raise NodeError("the node did not return one result per call")
    except (LookupError, TypeError, ValueError):
        raise NodeError("the node's simulation has the wrong shape") from None
    return list(results)


def number(value: Any, what: str) -> int:
    """A hex quantity of at most 256 bits; raises `NodeError`."""
    if isinstance(value, str) and value.startswith("0x") and len(value) <= _QUANTITY_CHARS:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise NodeError(f"the node answered {str(value)[:40]!r} for {what}")
