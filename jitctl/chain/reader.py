"""Point reads of the chain, pinned to a block hash where one is given."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from jitctl.chain.block_reads import read_block
from jitctl.chain.foreign_errors import mapped
from jitctl.chain.lens import Node, view
from jitctl.chain.quantities import amount_of, count_of, head_of, quantity
from jitctl.contracts import calls
from jitctl.domain.bundle import LegAmounts, MinedBundle, MinedLeg
from jitctl.domain.chain import Block, Head
from jitctl.domain.executor_events import leg_amounts
from jitctl.domain.values import Address, Hash32, hash32
from jitctl.errors import NodeError

_BALANCE_OF = bytes.fromhex("70a08231")


class ChainReader:
    """Every read raises `NodeError` or `TimedOut` rather than guess."""

    def __init__(self, node: Node, *, executor: Address) -> None:
        self._node = node
        self._executor = executor

    async def head(self) -> Head:
        """The canonical head now."""
        return await self.header("latest")

    async def header(self, number: int | str, *, only: str | None = None) -> Head:
        """The canonical header at a number or tag (`latest`, `safe`, `finalized`); `only` names the node."""
        tag = hex(number) if isinstance(number, int) else number
        block = await self._node.call("eth_getBlockByNumber", [tag, False], only=only)
        if block is None:
            raise NodeError(f"the node has no block {tag}")
        with mapped("read", "reading a header"):
            return head_of(_object(block))

    async def chain_id(self) -> int:
        return quantity(await self._node.call("eth_chainId"), "read", "eth_chainId")

    async def nonce(self, account: Address, at: Hash32 | None = None) -> int:
        """The account's next nonce, at a block or at the latest one; pending transactions do not count."""
        count = await self._node.call("eth_getTransactionCount", [account, _block(at)])
        return quantity(count, "read", "eth_getTransactionCount")

    async def eth_balance(self, account: Address, at: Hash32 | None = None) -> int:
        """The account's balance in wei."""
        balance = await self._node.call("eth_getBalance", [account, _block(at)])
        return quantity(balance, "read", "eth_getBalance")

    async def token_balance(self, token: Address, account: Address, at: Hash32 | None = None) -> int:
        """The account's ERC-20 balance in base units."""
        calldata = _BALANCE_OF + bytes(12) + bytes.fromhex(account[2:])
        if at is None:
            at = (await self.head()).hash
        answer = await view(self._node, token, calldata, at)
        if len(answer) != 32:
            raise NodeError(f"{token} does not answer balanceOf")
        return int.from_bytes(answer, "big")

    async def finalized_number(self) -> int | None:
        """The finalized block's number; None on a chain that has none."""
        try:
            block = await self._node.call("eth_getBlockByNumber", ["finalized", False])
        except NodeError as error:
            if error.rpc_code is None:
                raise
            return None
        if block is None:
            return None
        with mapped("read", "reading the finalized header"):
            return head_of(_object(block)).number

    async def mined(self, mint: Hash32, victim: Hash32, burn: Hash32) -> MinedBundle:
        """What the canonical chain holds of a bundle, amounts from the executor's events."""
        receipts = await asyncio.gather(
            *(self._node.call("eth_getTransactionReceipt", [each]) for each in (mint, victim, burn))
        )
        with mapped("read", "reading receipts"):
            legs = [
                None if receipt is None else _leg(_object(receipt), tx_hash)
                for receipt, tx_hash in zip(receipts, (mint, victim, burn), strict=True)
            ]
            mined = [_object(receipt) for receipt in (receipts[0], receipts[2]) if receipt is not None]
            logs = [log for receipt in mined for log in receipt["logs"]]
            return MinedBundle(legs[0], legs[1], legs[2], leg_amounts(self._executor, logs))

    async def block(self, number: int) -> Block:
        """The canonical block of a number with the executor's transfers; the pools' logs are left out."""
        return await read_block(self._node, (await self.header(number)).hash, executor=self._executor)

    async def leg(self, tx_hash: Hash32) -> tuple[MinedLeg, LegAmounts] | None:
        """One transaction of the executor on the canonical chain; None while it is not mined."""
        receipt = await self._node.call("eth_getTransactionReceipt", [tx_hash])
        if receipt is None:
            return None
        with mapped("read", "reading a receipt"):
            found = _object(receipt)
            return _leg(found, tx_hash), leg_amounts(self._executor, found["logs"])

    async def open_positions(self, executor: Address, pools: Sequence[Address], at: Hash32) -> int:
        """How many of `pools` hold a position of the executor that is not closed, at block `at`."""
        flags = await asyncio.gather(*(self._is_open(executor, pool, at) for pool in pools))
        return sum(flags)

    async def reserved_wei(self, executor: Address, at: Hash32) -> int:
        """What the executor keeps of its loss budget for open positions in any pool, at block `at`."""
        answer = await view(self._node, executor, calls.SELECTORS["reserved"], at)
        if len(answer) != 32:
            raise NodeError(f"{executor} does not answer reserved", hint="is it the executor?")
        return int.from_bytes(answer, "big")

    async def _is_open(self, executor: Address, pool: Address, at: Hash32) -> bool:
        answer = await view(self._node, executor, calls.open_position(pool), at)
        flag = int.from_bytes(answer[:32], "big")
        if len(answer) < 32 or flag > 1:
            raise NodeError(f"{executor} does not answer openPosition", hint="is it the executor?")
        return flag == 1


def _leg(receipt: Mapping[str, Any], tx_hash: Hash32) -> MinedLeg:
    if hash32(receipt["transactionHash"]) != tx_hash:
        raise ValueError("a receipt of another transaction")
    gas_used = count_of(receipt["gasUsed"])
    return MinedLeg(
        tx_hash=tx_hash,
        block_number=count_of(receipt["blockNumber"]),
        block_hash=hash32(receipt["blockHash"]),
        tx_index=count_of(receipt["transactionIndex"]),
        success=count_of(receipt["status"]) == 1,
        gas_used=gas_used,
        gas_cost_wei=gas_used * amount_of(receipt["effectiveGasPrice"]),
    )


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NodeError("the node answered with something that is not an object")
    return value


def _block(at: Hash32 | None) -> str | dict[str, str]:
    return "latest" if at is None else {"blockHash": at}
