"""Many view calls to one contract in one `eth_call`, through code lent to an empty address.

A state override puts a few hand-assembled instructions at `LENS`; they make the calls one after the
other and return the first words of each answer. Nothing is deployed and the block is pinned by its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jitctl.chain.quantities import data
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError

LENS = Address("0x" + "1e45" * 10)
CALLS_AT_ONCE = 500
"""At about 5,000 gas a view call this stays far below the 50 million that nodes allow a call."""
TIMEOUT_S = 10.0
"""For one node, where nobody waits."""
_CALL_BYTES = 36
_REVERT_CODES = (3, -32015)

# Calldata: target (32 bytes), answer length in bytes (32), then calls of 36 bytes (selector, one word).
# The stack holds the write pointer and, above it, the read pointer; both start at 0x40.
_CODE = bytes.fromhex(
    "6040" "6040"              # write = read = 0x40
    "5b"                       # 04 next:
    "36" "81" "10" "15"        #    read < calldatasize?
    "602f" "57"                #    if not, goto done
    "6024" "81" "6000" "37"    #    memory[0:36] = calldata[read:read + 36]
    "6020" "35"                #    answer length
    "82" "6024" "6000"         #    write, 36, 0
    "6000" "35" "5a" "fa"      #    staticcall(gas, target, 0, 36, write, length)
    "15" "6038" "57"           #    if it failed, goto failed
    "6024" "01"                #    read += 36
    "90" "6020" "35" "01" "90" #    write += answer length
    "6004" "56"                #    goto next
    "5b"                       # 2f done:
    "50" "6040" "90" "03"      #    write - 0x40
    "6040" "f3"                #    return memory[0x40:write]
    "5b" "6000" "80" "fd"      # 38 failed: revert
)  # fmt: skip


class Node(Protocol):
    """One JSON-RPC call, by `NodePool`."""

    async def call(
        self,
        method: str,
        params: Sequence[object] = (),
        *,
        timeout_s: float | None = None,
        only: str | None = None,
    ) -> object: ...


async def view(
    node: Node, target: Address, calldata: bytes, at: Hash32, *, timeout_s: float = TIMEOUT_S
) -> bytes:
    """Return what `target` answers to `calldata` at block `at`; raises `NodeError` or `TimedOut`.

    `timeout_s` bounds each node that is asked.
    """
    request = {"to": target, "data": "0x" + calldata.hex()}
    answer = await node.call("eth_call", [request, {"blockHash": at}], timeout_s=timeout_s)
    return data(answer, "view", target)


async def view_many(
    node: Node, target: Address, selector: bytes, arguments: Sequence[int], words: int, at: Hash32
) -> list[tuple[int, ...]]:
    """Return the first `words` words of `selector(argument)` for each argument, all at block `at`.

    Arguments are signed integers. Raises as `view_each`.
    """
    calls = [selector + argument.to_bytes(32, "big", signed=True) for argument in arguments]
    return await view_each(node, target, calls, words, at)


async def view_each(
    node: Node, target: Address, calls: Sequence[bytes], words: int, at: Hash32
) -> list[tuple[int, ...]]:
    """Return the first `words` words that `target` answers to each call (a selector and one word) at `at`.

    Raises `NodeError` (also where one of the calls reverts) or `TimedOut`.
    """
    answers: list[tuple[int, ...]] = []
    head = bytes(12) + bytes.fromhex(target[2:]) + (32 * words).to_bytes(32, "big")
    for start in range(0, len(calls), CALLS_AT_ONCE):
        part = calls[start : start + CALLS_AT_ONCE]
        request = {"to": LENS, "data": "0x" + (head + b"".join(part)).hex()}
        override = {LENS: {"code": "0x" + _CODE.hex()}}
        answer = data(
            await node.call("eth_call", [request, {"blockHash": at}, override], timeout_s=TIMEOUT_S),
            "view",
            target,
        )
        if len(answer) != 32 * words * len(part):
            raise NodeError(
                "the node ignores state overrides in eth_call",
                hint="use a node that supports them (geth, reth, erigon, nethermind)",
            )
        values = [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]
        answers.extend(tuple(values[at : at + words]) for at in range(0, len(values), words))
    return answers


def is_revert(error: NodeError) -> bool:
    """Whether a call's failure is the contract's own, and not the node's: it may lack the block, or be busy.

    Codes and words as geth, reth, erigon, nethermind and anvil answer to `eth_call`.
    """
    return error.rpc_code in _REVERT_CODES or (
        error.rpc_code is not None and "revert" in error.message.lower()
    )


def signed(word: int, bits: int = 256) -> int:
    """Read the low `bits` of an unsigned word as two's complement."""
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word
