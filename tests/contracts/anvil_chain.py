"""A private anvil reached over its IPC socket: real transactions, real receipts, blocks mined on demand."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_abi import encode as abi_encode
from eth_account import Account
from web3 import IPCProvider, Web3
from web3.types import TxReceipt

from jitctl.devnet import toolchain
from jitctl.domain.values import Address, address

KEY = "0x" + "11" * 32
START_TIMEOUT_S = 30.0


class AnvilChain:
    """One funded account that sends everything; `mine` decides when."""

    def __init__(self, w3: Web3) -> None:
        self.w3 = w3
        self.account = Account.from_key(KEY)
        self.rpc("anvil_setBalance", self.account.address, hex(1 << 112))
        self._nonce = 0

    def rpc(self, method: str, *parameters: Any) -> Any:
        reply = self.w3.provider.make_request(method, list(parameters))
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']}")
        return reply.get("result")

    def mine(self) -> None:
        self.rpc("evm_mine")

    def later(self, seconds: int) -> None:
        self.rpc("evm_increaseTime", seconds)
        self.mine()

    def queue(self, to: Address | None, data: bytes, *, value: int = 0, gas: int = 8_000_000) -> bytes:
        """Hand a transaction to the pool and return its hash; the next `mine` takes it."""
        tx: dict[str, Any] = {
            "data": data, "nonce": self._nonce, "chainId": self.w3.eth.chain_id, "gas": gas, "value": value,
            "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0,
        }  # fmt: skip
        if to is not None:
            tx["to"] = Web3.to_checksum_address(to)
        self._nonce += 1
        return bytes(self.w3.eth.send_raw_transaction(self.account.sign_transaction(tx).raw_transaction))

    def receipt(self, tx_hash: bytes) -> TxReceipt:
        return self.w3.eth.get_transaction_receipt(tx_hash)

    def send(self, to: Address | None, data: bytes, *, value: int = 0) -> TxReceipt:
        """One transaction in a block of its own."""
        tx_hash = self.queue(to, data, value=value)
        self.mine()
        receipt = self.receipt(tx_hash)
        if receipt["status"] != 1:
            raise RuntimeError(f"failed: {data[:4].hex()} to {to}")
        return receipt

    def create(self, code: bytes) -> Address:
        created = self.send(None, code)["contractAddress"]
        assert created is not None
        return address(created)

    def sync_nonce(self) -> None:
        self._nonce = self.w3.eth.get_transaction_count(self.account.address)


@contextmanager
def running_anvil(*, mining: bool) -> Iterator[AnvilChain]:
    with tempfile.TemporaryDirectory(prefix="jitctl-anvil-") as folder:
        socket = Path(folder) / "ipc"
        arguments = ["--quiet", "--port", "0", "--ipc", str(socket), "--order", "fifo", "--accounts", "1"]
        process = subprocess.Popen(
            [str(toolchain.anvil_path()), *arguments, *([] if mining else ["--no-mining"])],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            deadline_s = time.monotonic() + START_TIMEOUT_S
            while not socket.exists():
                assert process.poll() is None and time.monotonic() < deadline_s, "anvil did not start"
                time.sleep(0.02)
            yield AnvilChain(Web3(IPCProvider(str(socket))))

        finally:
            process.kill()
            process.wait()


def call_data(signature: str, *arguments: Any) -> bytes:
    types = [part for part in signature[signature.index("(") + 1 : -1].split(",") if part]
    return bytes(Web3.keccak(text=signature)[:4]) + abi_encode(types, arguments)
