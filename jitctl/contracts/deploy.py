"""Putting an executor on a chain and setting it up, for its owner: a devnet, or a person with a cold key.

Nothing here is on the hot path. Every transaction is waited for; one that fails ends the work with a
`NodeError` that says which, and running the set-up again is safe (every call sets a value).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import TimeExhausted, Web3Exception
from web3.types import TxParams, TxReceipt, Wei

from jitctl.contracts import artifact, calls
from jitctl.domain.values import Address, address
from jitctl.errors import NodeError, TimedOut

OBSERVATIONS_PER_CALL = 300
"""A new observation slot costs 22,000 gas; a call of this many stays far below any transaction limit."""
SPARE_OBSERVATIONS = 20
_RECEIPT_TIMEOUT_S = 180.0
_CARDINALITY_NEXT_WORD = 4


@dataclass(frozen=True, slots=True)
class PoolRules:
    """What the owner allows in one pool; see `setPool` of the contract."""

    pool: Address
    max_spot_ticks: int
    max_range_ticks: int
    twap_window_s: int
    max_notional_wei: int
    max_tip_bps: int
    allowed: bool = True

    def calldata(self) -> bytes:
        """Return the `setPool` call."""
        return calls.set_pool(
            self.pool,
            self.allowed,
            self.max_spot_ticks,
            self.max_range_ticks,
            self.twap_window_s,
            self.max_notional_wei,
            self.max_tip_bps,
        )


@dataclass(frozen=True, slots=True)
class SetUp:
    """Everything that the owner names: roles, pools, and the loss budget in WETH wei per 24 hours."""

    operators: tuple[Address, ...]
    guardian: Address
    pools: tuple[PoolRules, ...]
    budget_wei: int

    def calldatas(self) -> tuple[bytes, ...]:
        """Return the owner's calls to the executor; the budget last, so that nothing opens before."""
        return (
            calls.set_guardian(self.guardian),
            *(rules.calldata() for rules in self.pools),
            *(calls.set_operator(operator, True) for operator in self.operators),
            calls.set_budget(self.budget_wei),
        )


def observations_needed(twap_window_s: int, slot_s: float) -> int:
    """Return how many observations a pool must keep to answer for a window: it writes at most one a block."""
    return int(-(-twap_window_s // slot_s)) + SPARE_OBSERVATIONS


class Deployer:
    """Sends from one account and waits for each receipt."""

    def __init__(self, w3: Web3, account: LocalAccount, *, poll_s: float = 1.0) -> None:
        self._w3 = w3
        self._account = account
        self._poll_s = poll_s

    def deploy(self, owner: Address, weth: Address, factory: Address) -> Address:
        """Deploy an executor and return its address, its code on chain compared with the artifact's."""
        receipt = self._send("deploying the executor", None, artifact.creation_code(owner, weth, factory))
        created = receipt["contractAddress"]
        if created is None:
            raise NodeError("the deployment's receipt names no contract")
        executor = address(created)
        if not self.is_executor(executor, weth, factory):
            raise NodeError(f"the code at {executor} is not the artifact's", hint="do not fund it")
        return executor

    def is_executor(self, executor: Address, weth: Address, factory: Address) -> bool:
        """Whether the code at `executor` is this version's, for this WETH and factory."""
        with _mapped("reading the executor's code"):
            code = self._w3.eth.get_code(_checksum(executor))
        return bytes(code) == artifact.runtime_code(weth, factory)

    def set_up(self, executor: Address, plan: SetUp) -> None:
        """Send all of the owner's calls; the account must be the owner."""
        for data in plan.calldatas():
            self._send(f"setting up the executor ({data[:4].hex()})", executor, data)

    def raise_cardinality(self, pool: Address, observations: int) -> None:
        """Make the pool keep at least so many observations; nothing is sent if it does already."""
        selector = Web3.keccak(text="increaseObservationCardinalityNext(uint16)")[:4]
        now = self._cardinality_next(pool)
        while now < observations:
            now = min(now + OBSERVATIONS_PER_CALL, observations)
            data = bytes(selector) + now.to_bytes(32, "big")
            self._send("raising the pool's observation cardinality", pool, data)

    def _cardinality_next(self, pool: Address) -> int:
        selector = bytes(Web3.keccak(text="slot0()")[:4])
        with _mapped("reading the pool's slot0"):
            words = bytes(self._w3.eth.call({"to": _checksum(pool), "data": selector}))
        at = 32 * _CARDINALITY_NEXT_WORD
        if len(words) < at + 32:
            raise NodeError(f"{pool} does not answer as a Uniswap v3 pool")
        return int.from_bytes(words[at : at + 32], "big")

    def _send(self, what: str, to: Address | None, data: bytes) -> TxReceipt:
        with _mapped(what):
            eth = self._w3.eth
            base_fee = eth.get_block("latest").get("baseFeePerGas", Wei(0))
            tip = eth.max_priority_fee
            call: TxParams = {
                "from": self._account.address,
                "data": data,
                "nonce": eth.get_transaction_count(self._account.address),
                "chainId": eth.chain_id,
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": Wei(2 * base_fee + tip),
                "value": Wei(0),
            }
            if to is not None:
                call["to"] = _checksum(to)
            call["gas"] = eth.estimate_gas(call) * 12 // 10
            signed = self._account.sign_transaction(cast(dict[str, Any], call))
            tx_hash = eth.send_raw_transaction(signed.raw_transaction)
            receipt = eth.wait_for_transaction_receipt(
                tx_hash, timeout=_RECEIPT_TIMEOUT_S, poll_latency=self._poll_s
            )
        if receipt["status"] != 1:
            raise NodeError(f"{what}: the transaction {tx_hash.to_0x_hex()} failed")
        return receipt


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    try:
        yield
    except TimeExhausted as error:
        raise TimedOut(
            f"{what}: not mined in {_RECEIPT_TIMEOUT_S:.0f} s", hint="look for it by hand"
        ) from error
    except (Web3Exception, RequestException, OSError) as error:
        raise NodeError(f"{what}: {error}") from error


def _checksum(text: Address) -> ChecksumAddress:
    return Web3.to_checksum_address(text)
