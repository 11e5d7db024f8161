"""The chain behind the door: one pool, one builder, one head, and who is told about them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from jitctl.devnet.anvil_link import AnvilLink
from jitctl.devnet.builder import Builder, Built, Slot, Trial
from jitctl.devnet.bundles import BundleBook
from jitctl.devnet.chain_record import BlockRecord, ChainRecord
from jitctl.devnet.gate import Gate
from jitctl.devnet.mempool import AccountState, Mempool
from jitctl.devnet.subscriptions import Hub
from jitctl.devnet.transactions import SignedTx, TxRefused, decode_raw
from jitctl.domain.values import Address, Hash32
from jitctl.errors import Refused

_T = TypeVar("_T")
_REORG_MARK = Address("0x" + "00" * 18 + "dead")
"""An account that nobody owns; its balance counts the reorgs."""


class DevChain:
    """Everything that changes the chain goes through here; `step_s` is the time between two blocks."""

    def __init__(
        self, link: AnvilLink, history: Sequence[BlockRecord], chain_id: int, coinbase: Address, step_s: int
    ) -> None:
        self.link = link
        self.chain_id = chain_id
        self.coinbase = coinbase
        self.step_s = step_s
        self.record = ChainRecord(history)
        self.mempool = Mempool(chain_id, int(self.head.block["gasLimit"], 16))
        self.bundles = BundleBook()
        self.hub = Hub()
        self.gate = Gate()
        self.reorgs = 0
        self.last_failure = ""
        self._new_head = asyncio.Event()
        self._work: set[asyncio.Future[Any]] = set()
        self._builder = Builder(link, coinbase)
        self._states: dict[Address, AccountState] = {}

    @property
    def head(self) -> BlockRecord:
        return self.record.head

    async def submit(self, raw: bytes) -> SignedTx:
        """Take a raw transaction into the public pool and announce it; raises `TxRefused`."""
        tx = decode_raw(raw)
        async with self.gate.reading():
            state = self._states.get(tx.sender) or await self._read_state(tx.sender)
            for fresh in self.mempool.admit(tx, state):
                self.hub.publish_pending(fresh)
        return tx

    async def pending_nonce(self, account: Address) -> int:
        async with self.gate.reading():
            state = self._states.get(account) or await self._read_state(account)
            return self.mempool.next_nonce(account, state.nonce)

    async def slot(self, timestamp_s: int | None = None) -> BlockRecord:
        """Build and announce the next block, `step_s` after its parent unless a later time is given."""
        return await self.uninterrupted(self._slot(timestamp_s))

    async def uninterrupted(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Finish `work` even if who asked for it is gone: a block half tried out must not stay."""
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return await asyncio.shield(task)

    async def finish_work(self) -> None:
        """Return when nothing is being built any more."""
        await asyncio.gather(*self._work, return_exceptions=True)

    async def _slot(self, timestamp_s: int | None) -> BlockRecord:
        async with self.gate.building():
            built = await self._build(timestamp_s, with_bundles=True)
            fresh = await self.adopt(built)
            record = self.head
        self.announce(fresh)
        return record

    async def simulate(self, txs: tuple[SignedTx, ...], timestamp_s: int | None) -> tuple[Slot, list[Trial]]:
        """Try growing prefixes of `txs` on top of the head; nothing stays."""
        return await self.uninterrupted(self._simulate(txs, timestamp_s))

    async def _simulate(self, txs: tuple[SignedTx, ...], timestamp_s: int | None) -> tuple[Slot, list[Trial]]:
        async with self.gate.building():
            time_s = max(timestamp_s or 0, self.head.timestamp_s + self.step_s)
            slot = Slot.after(self.head, time_s, {})
            return slot, [await self._builder.trial(slot, txs[:end]) for end in range(1, len(txs) + 1)]

    async def build_exactly(self, order: Sequence[SignedTx], timestamp_s: int) -> Built:
        """Mine these transactions in this order on the head, as far as they are valid; for reorgs."""
        return await self._builder.build_in_order(Slot.after(self.head, timestamp_s, {}), order)

    async def build_from_pool(self, timestamp_s: int) -> Built:
        """Mine the public pool on the head, no bundles; for reorgs."""
        return await self._build(timestamp_s, with_bundles=False)

    async def adopt(self, built: Built) -> list[SignedTx]:
        """Make a built block the head (the gate is held); return what became executable by it."""
        private = frozenset(tx.hash for tx in built.record.txs if self.mempool.get(tx.hash) is None)
        self.record.add(replace(built.record, private=private))
        self.mempool.drop(built.unpayable)
        self.bundles.conclude(built.record.number, built.outcomes, time.time())
        return await self.refresh(tx.sender for tx in built.record.txs)

    async def refresh(self, also: Iterable[Address] = ()) -> list[SignedTx]:
        """Read the pool's senders' states at the head again; return what became executable."""
        self._states.clear()
        await self.read_states({*self.mempool.senders(), *also})
        return self.mempool.settle(self._states)

    def forget_states(self) -> None:
        """Someone changed accounts behind the chain's back; read them again when needed."""
        self._states.clear()

    async def next_block(self) -> BlockRecord:
        """Return the head once it is another one than now."""
        await self._new_head.wait()
        return self.head

    def announce(self, fresh: Iterable[SignedTx]) -> None:
        self.hub.publish_block(self.record.behind)
        self._new_head.set()
        self._new_head = asyncio.Event()
        for tx in fresh:
            self.hub.publish_pending(tx)

    def reinject(self, txs: Iterable[SignedTx]) -> list[SignedTx]:
        """Return transactions of removed blocks to the pool, as far as it takes them; those to announce."""
        fresh = []
        for tx in txs:
            state = self._states.get(tx.sender)
            if state is not None:
                try:
                    fresh += self.mempool.admit(tx, state, reinjected=True)
                except TxRefused:
                    continue  # the pool's own rules apply to them too: a better one may wait in its place
        return fresh

    async def roll_back(self, depth: int) -> list[BlockRecord]:
        """Remove blocks from anvil and from the record (the gate is held); return them, newest first."""
        if not 0 < depth <= self.record.reach:
            raise Refused(
                f"cannot take back {depth} blocks: {self.record.reach} were built since the devnet's start",
                hint="let some slots pass first",
            )
        await self.link.request("anvil_rollback", depth)
        self.reorgs += 1
        # anvil would mine a block of the same content with the same hash: a reorg that nobody sees.
        await self.link.request("anvil_setBalance", _REORG_MARK, hex(self.reorgs))
        return self.record.take_back(depth)

    def describe(self) -> dict[str, Any]:
        """Return the figures that the devnet's status shows."""
        block = self.head.block
        return {
            "blockNumber": self.head.number,
            "blockHash": block["hash"],
            "timestamp": self.head.timestamp_s,
            "baseFeeWei": int(block["baseFeePerGas"], 16),
            "pendingTransactions": len(self.mempool),
            "reorgs": self.reorgs,
            "lastFailure": self.last_failure,
        }

    async def _build(self, timestamp_s: int | None, *, with_bundles: bool) -> Built:
        number = self.head.number + 1
        time_s = max(timestamp_s or 0, self.head.timestamp_s + self.step_s)
        await self.read_states(self.mempool.senders())
        slot = Slot.after(self.head, time_s, self._states)
        bundles = self.bundles.waiting(number, time_s, time.time()) if with_bundles else []
        return await self._builder.build(slot, bundles, self.mempool.executable(self._states))

    async def read_states(self, accounts: Iterable[Address]) -> None:
        for account in accounts:
            if account not in self._states:
                await self._read_state(account)

    async def _read_state(self, account: Address) -> AccountState:
        nonce = await self.link.request("eth_getTransactionCount", account, "latest")
        balance = await self.link.request("eth_getBalance", account, "latest")
        state = self._states[account] = AccountState(int(nonce, 16), int(balance, 16))
        return state

    def find_raw(self, tx_hash: str) -> bytes | None:
        """Return a waiting transaction's raw bytes."""
        tx = self.mempool.get(Hash32(tx_hash.lower()))
        return None if tx is None else tx.raw
