"""Proof, at start-up, that a node's `eth_simulateV1` can be believed; a node that fails is refused.

Code lent to an empty address (a state override) reports from inside the simulation what the node claims
about the block, counts its calls in storage, and logs. A wrong NUMBER or BLOCKHASH would let a mint
succeed here that reverts on chain, or the reverse; a wrong COINBASE misleads the tip.
"""

from __future__ import annotations

from typing import Any

from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.chain import Head
from jitctl.domain.values import Address
from jitctl.errors import NodeError
from jitctl.execution.node import Call, Node, block_overrides, number, simulate_calls

PROBE = Address("0x" + "9b0be" * 8)
CALLER = Address("0x" + "9b0bf" * 8)
FEE_RECIPIENT = Address("0x" + "fee5" * 10)
_SLOT_SECONDS = 12
_GAS = 200_000
_TOO_LITTLE_GAS = 22_000

# Returns seven words: NUMBER, BLOCKHASH(NUMBER - 1), COINBASE, TIMESTAMP, BASEFEE, calls so far (storage),
# and what an earlier call left in transient storage; then it logs those seven words.
_CODE = (
    "43600052"                # memory[0x00] = number
    "6001430340602052"        # memory[0x20] = blockhash(number - 1)
    "41604052"                # memory[0x40] = coinbase
    "42606052"                # memory[0x60] = timestamp
    "48608052"                # memory[0x80] = basefee
    "6000546001018060a052"    # memory[0xa0] = storage[0] + 1
    "600055"                  # storage[0] = that
    "60005c60c052"            # memory[0xc0] = transient[0]
    "600160005d"              # transient[0] = 1
    "60e06000a0"              # log0(memory[0x00:0xe0])
    "60e06000f3"              # return memory[0x00:0xe0]
)  # fmt: skip
_WORDS = 7


async def probe_node(node: Node, parent: Head, *, timeout_s: float = 5.0, only: str | None = None) -> None:
    """Raise `NodeError` naming what is wrong unless simulations on `parent` tell the truth.

    `parent` must have been read from the node just now. `only` names the endpoint to prove.
    """
    base_fee_wei = next_base_fee_wei(parent)
    timestamp_s = parent.timestamp_s + _SLOT_SECONDS
    overrides = block_overrides(parent, base_fee_wei, timestamp_s, FEE_RECIPIENT)
    call: Call = {
        "from": CALLER,
        "to": PROBE,
        "gas": hex(_GAS),
        "maxFeePerGas": hex(base_fee_wei),
        "maxPriorityFeePerGas": "0x0",
    }
    calls = [
        {**call, "nonce": "0x0"},
        {**call, "nonce": "0x1"},
        {**call, "nonce": "0x2", "gas": hex(_TOO_LITTLE_GAS)},
    ]
    state: Call = {PROBE: {"code": "0x" + _CODE}, CALLER: {"balance": hex(10**20)}}
    try:
        results = await simulate_calls(
            node, parent, overrides, calls, state=state, timeout_s=timeout_s, only=only
        )
    except NodeError as error:
        raise _refused(only, f"eth_simulateV1 does not work: {error.message}") from None
    for index, result in enumerate(results[:2]):
        wrong = _wrong(
            result,
            {
                "NUMBER": parent.number + 1,
                "BLOCKHASH": int(parent.hash, 16),
                "COINBASE": int(FEE_RECIPIENT, 16),
                "TIMESTAMP": timestamp_s,
                "BASEFEE": base_fee_wei,
                "the state left by the call before": index + 1,
                "transient storage (it must not live from one transaction to the next)": 0,
            },
        )
        if wrong:
            raise _refused(only, f"inside a simulation it gets wrong: {wrong}")
    if number(results[2].get("status"), "a call's status") != 0:
        raise _refused(only, "a simulated call does not run out of its own gas limit")


def _wrong(result: dict[str, Any], expected: dict[str, int]) -> str:
    try:
        raw = bytes.fromhex(result["returnData"][2:])
        (log,) = result["logs"]
        logged = bytes.fromhex(log["data"][2:])
    except (LookupError, TypeError, ValueError):
        return "the call's data or its log"
    if len(raw) != 32 * _WORDS or logged != raw:
        return "the call's data or its log"
    found = [int.from_bytes(raw[at : at + 32], "big") for at in range(0, len(raw), 32)]
    return ", ".join(
        name for (name, value), seen in zip(expected.items(), found, strict=True) if seen != value
    )


def _refused(name: str | None, why: str) -> NodeError:
    return NodeError(
        f"node {name or 'in use'} is refused: {why}",
        hint="use a node whose eth_simulateV1 is exact (geth 1.14.9 or later, reth, nethermind, anvil 1.7)",
    )
