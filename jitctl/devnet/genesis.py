"""Sends the set-up's transactions to anvil: unsigned, from any account, many to a block."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from jitctl.devnet.anvil_link import AnvilLink
from jitctl.devnet.calldata import created_address
from jitctl.domain.values import Address, address
from jitctl.errors import ToolchainError

DEPLOYER = address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
"""anvil's first account; it deploys everything, so addresses are the same on every devnet."""
_GAS = 30_000_000
_SETUP_GAS_LIMIT = 10**11


class Genesis:
    """Collects transactions and mines them in one block; raises `ToolchainError` if one of them fails.

    Addresses of contracts are known before they are mined, so that later transactions can name them.
    """

    def __init__(self, link: AnvilLink) -> None:
        self._link = link
        self._nonces: dict[Address, int] = defaultdict(int)
        self._queue: list[tuple[str, dict[str, Any]]] = []

    async def begin(self) -> None:
        await self._link.request("anvil_autoImpersonateAccount", True)
        await self._link.request("evm_setBlockGasLimit", hex(_SETUP_GAS_LIMIT))
        await self.set_balance(DEPLOYER, 10**27)

    async def end(self, gas_limit: int) -> None:
        await self._link.request("anvil_autoImpersonateAccount", False)
        await self._link.request("evm_setBlockGasLimit", hex(gas_limit))

    async def set_balance(self, account: Address, wei: int) -> None:
        await self._link.request("anvil_setBalance", account, hex(wei))

    def create(self, what: str, code: str) -> Address:
        """Queue a contract creation by the deployer; return the address it will have."""
        created = created_address(DEPLOYER, self._nonces[DEPLOYER])
        self._add(what, DEPLOYER, None, code, 0)
        return created

    def call(self, what: str, to: Address, data: str, *, sender: Address = DEPLOYER, wei: int = 0) -> None:
        """Queue a call; `what` names it in errors."""
        self._add(what, sender, to, data, wei)

    async def mine(self, timestamp_s: int, base_fee_wei: int) -> None:
        """Send what is queued, mine it in one block and check every receipt."""
        queue, self._queue = self._queue, []
        for _, body in queue:
            # One after the other: anvil takes requests up side by side, and a call that overtakes the
            # creation of its contract succeeds without doing anything.
            await self._link.request("eth_sendTransaction", body)
        await self._link.request("evm_setNextBlockTimestamp", timestamp_s)
        await self._link.request("anvil_setNextBlockBaseFeePerGas", hex(base_fee_wei))
        await self._link.request("evm_mine")
        receipts = await self._link.request("eth_getBlockReceipts", "latest")
        outcome = {(row["from"], int(row["transactionIndex"], 16)): row for row in receipts}
        if len(receipts) != len(queue):
            raise ToolchainError(f"the devnet's set-up mined {len(receipts)} of {len(queue)} transactions")
        failed = [row["transactionHash"] for row in outcome.values() if row["status"] != "0x1"]
        if failed:
            raise ToolchainError(f"the devnet's set-up failed at: {await self._names(failed, queue)}")

    def _add(self, what: str, sender: Address, to: Address | None, data: str, wei: int) -> None:
        body: dict[str, Any] = {
            "from": sender,
            "data": data,
            "value": hex(wei),
            "gas": hex(_GAS),
            "gasPrice": hex(10**11),
            "nonce": hex(self._nonces[sender]),
        }
        if to is not None:
            body["to"] = to
        self._nonces[sender] += 1
        self._queue.append((what, body))

    async def _names(self, hashes: list[str], queue: list[tuple[str, dict[str, Any]]]) -> str:
        by_nonce = {(body["from"], body["nonce"]): what for what, body in queue}
        names = []
        for tx_hash in hashes[:5]:
            tx = await self._link.request("eth_getTransactionByHash", tx_hash)
            names.append(by_nonce.get((tx["from"], tx["nonce"]), tx_hash))
        return ", ".join(names)
