"""Block by block: what the executor and the operators hold, compared with what the ledger says moved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from eth_typing import HexStr
from web3 import Web3
from web3.exceptions import TransactionNotFound

from jitctl.domain.records import ETH, Flow, Outcome, StoredAttempt
from jitctl.domain.values import Address, PoolSpec
from jitctl.ledger.queries import LedgerReader

Place = tuple[Address, Address]
"""Whose balance of what: a holder and a token (`ETH` for ether)."""

_ERC20_ABI = [
    {
        "type": "function",
        "name": "balanceOf",
        "stateMutability": "view",
        "inputs": [{"type": "address", "name": "owner"}],
        "outputs": [{"type": "uint256", "name": ""}],
    }
]


@dataclass(slots=True)
class BalanceProof:
    """What was compared, the ledger's external flows, and what did not agree."""

    flows: list[Flow]
    blocks: int = 0
    compared: int = 0
    problems: list[str] = field(default_factory=list)


class BalanceProver:
    """Compares one ledger with one chain, to the wei."""

    def __init__(
        self, w3: Web3, executor: Address, operators: Sequence[Address], pools: Mapping[Address, PoolSpec]
    ) -> None:
        self._w3 = w3
        self._executor = executor
        self._operators = tuple(operators)
        self._pools = pools

    def compare(self, ledger: Path, landed: Set[str], first_block: int, last_block: int) -> BalanceProof:
        """Compare the blocks `first_block..last_block`; `landed` are the burns of what the chain shows."""
        reader = LedgerReader(ledger)
        proof = BalanceProof(list(reader.flows(first_block, last_block)))
        mined = [attempt for attempt in reader.attempts() if attempt.result is not None]
        booked: dict[int, Counter[Place]] = defaultdict(Counter)
        for flow in proof.flows:
            booked[flow.block_number][flow.account, flow.token] += flow.amount
        for attempt in mined:
            self._book(booked, attempt)
        tokens = sorted(
            {token.address for spec in self._pools.values() for token in (spec.token0, spec.token1)}
        )
        before = self._balances(tokens, first_block - 1)
        for first, last in self._intervals(mined, first_block, last_block):
            after = self._balances(tokens, last)
            expected: Counter[Place] = Counter()
            for number in range(first, last + 1):
                expected.update(booked.get(number, Counter()))
            for place, balance in after.items():
                changed = balance - before[place]
                proof.compared += 1
                if changed != expected[place]:
                    proof.problems.append(
                        f"block {last}: {place[1]} of {place[0]} changed by {changed}, "
                        f"the ledger says {expected[place]}"
                    )
            before = after
            proof.blocks += last - first + 1
        in_ledger = {str(attempt.burn_tx) for attempt in mined if attempt.outcome is Outcome.LANDED}
        if landed != in_ledger:
            proof.problems.append(
                f"landed on chain but not in the ledger: {sorted(landed - in_ledger)}; "
                f"in the ledger but not on chain: {sorted(in_ledger - landed)}"
            )
        return proof

    def _book(self, booked: dict[int, Counter[Place]], attempt: StoredAttempt) -> None:
        """Add what the ledger says that an attempt moved; the tip leaves the executor as unwrapped WETH."""
        result = attempt.result
        assert result is not None
        spec, amounts = self._pools[attempt.record.pool], result.amounts
        changes = booked[result.block_number]
        changes[self._executor, spec.token0.address] += amounts.collected0 - amounts.minted0
        changes[self._executor, spec.token1.address] += amounts.collected1 - amounts.minted1
        changes[self._executor, spec.weth.address] -= amounts.tip_wei
        changes[attempt.record.operator, ETH] -= result.gas_wei

    def _intervals(self, mined: list[StoredAttempt], first: int, last: int) -> list[tuple[int, int]]:
        """Single blocks; an attempt of which something was mined later makes one interval of its blocks."""
        reaches: dict[int, int] = {}
        for attempt in mined:
            result = attempt.result
            assert result is not None
            later = [self._mined_in(tx) for tx in (attempt.burn_tx, result.close_tx) if tx is not None]
            reaches[result.block_number] = max(reaches.get(result.block_number, 0), *later, 0)
        intervals = []
        number = first
        while number <= last:
            end = number
            inner = number
            while inner <= end:
                end = min(last, max(end, reaches.get(inner, inner)))
                inner += 1
            intervals.append((number, end))
            number = end + 1
        return intervals

    def _mined_in(self, tx_hash: str) -> int:
        """Return the number of the block that holds a transaction, 0 if none does."""
        try:
            return int(self._w3.eth.get_transaction_receipt(HexStr(tx_hash))["blockNumber"])
        except TransactionNotFound:
            return 0

    def _balances(self, tokens: list[Address], number: int) -> dict[Place, int]:
        balances: dict[Place, int] = {}
        for holder in (self._executor, *self._operators):
            checksummed = Web3.to_checksum_address(holder)
            for token in tokens:
                contract = self._w3.eth.contract(address=Web3.to_checksum_address(token), abi=_ERC20_ABI)
                balances[holder, token] = contract.functions.balanceOf(checksummed).call(
                    block_identifier=number
                )
            balances[holder, ETH] = self._w3.eth.get_balance(checksummed, number)
        return balances
