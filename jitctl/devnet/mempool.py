"""The public pool: who may wait in it, who replaces whom, and what is executable.

Rules as a mainnet node's: a nonce gap waits unannounced; a replacement must raise both fees by 10%; the
sum of a sender's waiting costs must be covered by its balance. No I/O: the caller supplies account states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jitctl.devnet.transactions import TX_GAS_CAP, SignedTx, TxRefused, intrinsic_gas
from jitctl.domain.values import Address, Hash32

REPLACEMENT_BUMP_PERCENT = 10
MAX_TXS = 10_000
MAX_TXS_PER_SENDER = 64
MIN_TIP_WEI = 1


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at the head."""

    nonce: int
    balance_wei: int


class Mempool:
    """Waiting transactions by sender and nonce."""

    def __init__(self, chain_id: int, block_gas_limit: int) -> None:
        self._chain_id = chain_id
        self._block_gas_limit = block_gas_limit
        self._by_hash: dict[Hash32, SignedTx] = {}
        self._by_sender: dict[Address, dict[int, SignedTx]] = {}
        self._announced: set[Hash32] = set()

    def __len__(self) -> int:
        return len(self._by_hash)

    def __iter__(self) -> Iterator[SignedTx]:
        return iter(list(self._by_hash.values()))

    def get(self, tx_hash: str) -> SignedTx | None:
        return self._by_hash.get(Hash32(tx_hash))

    def senders(self) -> tuple[Address, ...]:
        return tuple(self._by_sender)

    def waiting(self, sender: Address) -> Mapping[int, SignedTx]:
        """Return a sender's transactions by nonce."""
        return self._by_sender.get(sender, {})

    def next_nonce(self, sender: Address, account_nonce: int) -> int:
        """Return the nonce after the sender's executable transactions."""
        waiting = self.waiting(sender)
        while account_nonce in waiting:
            account_nonce += 1
        return account_nonce

    def admit(self, tx: SignedTx, state: AccountState, *, reinjected: bool = False) -> list[SignedTx]:
        """Take a transaction in; return those that became executable and are to be announced.

        A `reinjected` one comes from a block that a reorg removed: it need not pay the pool's minimum.
        Raises `TxRefused`.
        """
        if tx.hash in self._by_hash:
            raise TxRefused("already known")
        self._check_form(tx, reinjected)
        if tx.nonce < state.nonce:
            raise TxRefused(f"nonce too low: next nonce {state.nonce}, tx nonce {tx.nonce}")
        waiting = self._by_sender.get(tx.sender, {})
        replaced = waiting.get(tx.nonce)
        if replaced is not None and not _outbids(tx, replaced):
            raise TxRefused("replacement transaction underpriced")
        if replaced is None and (len(waiting) >= MAX_TXS_PER_SENDER or len(self._by_hash) >= MAX_TXS):
            raise TxRefused("txpool is full")
        spent = sum(other.max_cost_wei for other in waiting.values()) + tx.max_cost_wei
        spent -= replaced.max_cost_wei if replaced is not None else 0
        if spent > state.balance_wei:
            raise TxRefused(
                f"insufficient funds for gas * price + value: balance {state.balance_wei}, tx cost "
                f"{tx.max_cost_wei}, overshot {spent - state.balance_wei}"
            )
        if replaced is not None:
            self._forget(replaced)
        self._by_hash[tx.hash] = tx
        self._by_sender.setdefault(tx.sender, {})[tx.nonce] = tx
        return self._newly_executable(tx.sender, state.nonce)

    def settle(self, states: Mapping[Address, AccountState]) -> list[SignedTx]:
        """Follow a new head: forget what its senders' nonces have passed; return what became executable."""
        fresh = []
        for sender, state in states.items():
            for nonce in [nonce for nonce in self.waiting(sender) if nonce < state.nonce]:
                self._forget(self._by_sender[sender][nonce])
            fresh += self._newly_executable(sender, state.nonce)
        return fresh

    def drop(self, hashes: Iterable[Hash32]) -> None:
        for tx_hash in hashes:
            if (tx := self._by_hash.get(tx_hash)) is not None:
                self._forget(tx)

    def executable(self, states: Mapping[Address, AccountState]) -> dict[Address, list[SignedTx]]:
        """Return each sender's transactions that may run next, in nonce order."""
        lists = {}
        for sender, state in states.items():
            waiting = self.waiting(sender)
            end = self.next_nonce(sender, state.nonce)
            if end > state.nonce:
                lists[sender] = [waiting[nonce] for nonce in range(state.nonce, end)]
        return lists

    def _check_form(self, tx: SignedTx, reinjected: bool) -> None:
        if tx.chain_id is not None and tx.chain_id != self._chain_id:
            raise TxRefused(f"invalid chain id for signer: have {tx.chain_id} want {self._chain_id}")
        if tx.chain_id is None:
            raise TxRefused("only replay-protected (EIP-155) transactions allowed over RPC")
        if tx.gas_limit > min(TX_GAS_CAP, self._block_gas_limit):
            raise TxRefused(f"transaction gas limit too high (cap: {TX_GAS_CAP}, tx: {tx.gas_limit})")
        if tx.max_priority_fee_wei > tx.max_fee_wei:
            raise TxRefused("max priority fee per gas higher than max fee per gas")
        if (needed := intrinsic_gas(tx.body)) > tx.gas_limit:
            raise TxRefused(f"intrinsic gas too low: gas {tx.gas_limit}, minimum needed {needed}")
        if tx.max_priority_fee_wei < MIN_TIP_WEI and not reinjected:
            tip = tx.max_priority_fee_wei
            raise TxRefused(f"transaction underpriced: gas tip cap {tip}, minimum needed {MIN_TIP_WEI}")

    def _newly_executable(self, sender: Address, account_nonce: int) -> list[SignedTx]:
        waiting = self.waiting(sender)
        fresh = []
        for nonce in range(account_nonce, self.next_nonce(sender, account_nonce)):
            tx = waiting[nonce]
            if tx.hash not in self._announced:
                self._announced.add(tx.hash)
                fresh.append(tx)
        return fresh

    def _forget(self, tx: SignedTx) -> None:
        del self._by_hash[tx.hash]
        self._announced.discard(tx.hash)
        waiting = self._by_sender[tx.sender]
        del waiting[tx.nonce]
        if not waiting:
            del self._by_sender[tx.sender]


def _outbids(new: SignedTx, old: SignedTx) -> bool:
    def raised(after: int, before: int) -> bool:
        return after * 100 >= before * (100 + REPLACEMENT_BUMP_PERCENT) and after > before

    return raised(new.max_fee_wei, old.max_fee_wei) and raised(
        new.max_priority_fee_wei, old.max_priority_fee_wei
    )
