"""After a start or a gap: what became of everything that we did not see, before anything is armed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from jitctl.domain.attempt_state import AttemptEvent, AttemptState
from jitctl.domain.bundle import MinedBundle
from jitctl.domain.chain import Head
from jitctl.domain.records import AttemptChange, KnownNonce, Outcome, StoredAttempt
from jitctl.domain.values import Address, Hash32
from jitctl.engine.attempts import Attempt
from jitctl.engine.events import Synced
from jitctl.engine.parts import Parts
from jitctl.engine.reads import Reads
from jitctl.engine.within import within
from jitctl.errors import JitError

AT_ONCE = 16
"""Outcomes read side by side."""
NONCES_EXPLAINED = 64
HASHES_TRIED = 1_024
"""How far a nonce that moved is traced back to what we signed; attempts that miss share a nonce."""


def revive(parts: Parts, stored: Sequence[StoredAttempt]) -> None:
    """Follow again what the last run left; what never left the process is abandoned as `crash`.

    Raises `LedgerError`.
    """
    now_s = parts.ports.clock.wall_s()
    for close in parts.ports.ledger.intended_closes():
        parts.follower.track_close(close)
    for found in stored:
        if found.state in (AttemptState.PLANNED, AttemptState.SIMULATED):
            change = AttemptChange(now_s, outcome=Outcome.ABANDONED, reason="crash")
            parts.ports.ledger.move_attempt(found.record.attempt_id, AttemptEvent.ABANDON, change)
            parts.metrics.abandons.add("crash")
            continue
        attempt = Attempt(found.record, found.state, None)
        attempt.uuid, attempt.mint_tx, attempt.burn_tx = found.uuid, found.mint_tx, found.burn_tx
        attempt.reason, attempt.outcome, attempt.result = found.reason, found.outcome, found.result
        attempt.simulated, attempt.latencies_ms = found.simulated, found.latencies_ms
        parts.follower.add(attempt)
        parts.follower.track(attempt)


class Reconciler:
    """Reads nonces, outcomes, balances and positions at a head, as one task that ends in `Synced`."""

    def __init__(self, parts: Parts, reads: Reads) -> None:
        self._parts = parts
        self._reads = reads

    async def run(
        self, head: Head, attempts: Sequence[Attempt], known: Mapping[Address, KnownNonce], *, load: bool
    ) -> Synced:
        """Read everything at `head`; `load` also loads the pools. A failure is in the note.

        `known` are the operators' nonces when we last saw a block.
        """
        parts = self._parts
        work = self._read(head, attempts, known, load=load)
        try:
            return await within(parts.ports.clock, parts.settings.sync_timeout_s, "the sync", work)
        except JitError as error:
            parts.metrics.happenings.add("node_errors")
            return Synced(head, failure=error.message)

    async def _read(
        self, head: Head, attempts: Sequence[Attempt], known: Mapping[Address, KnownNonce], *, load: bool
    ) -> Synced:
        parts = self._parts
        chain = parts.ports.chain
        chain_id = await chain.chain_id()
        if chain_id != parts.settings.chain_id:
            return Synced(head, failure=f"the node is on chain {chain_id}, not {parts.settings.chain_id}")
        specs = tuple(parts.picture.specs.values())
        if load:
            await parts.ports.pool_book.load(specs, head)
        while load and specs != tuple(parts.picture.specs.values()):
            # A reload came while we waited for the book: it is to hold what that has brought.
            specs = tuple(parts.picture.specs.values())
            await parts.ports.pool_book.load(specs, head)
        operators = parts.ports.signer.operators()
        found = await asyncio.gather(*(chain.nonce(operator, head.hash) for operator in operators))
        nonces = dict(zip(operators, found, strict=True))
        outcomes = await self._outcomes(attempts)
        closes = await self._closes(attempts)
        ranges = nonce_ranges(nonces, known, attempts, dict(outcomes))
        explained = [await self._explain(each) for each in ranges if each.moved_without_us]
        open_pools = await self._reads.open_pools_at(head, self._reads.known_or_open())
        reserved_wei = 0
        if not parts.picture.known.keys() & set(open_pools):
            reserved_wei = await chain.reserved_wei(parts.settings.executor, head.hash)
        return Synced(
            head=head,
            loaded=load,
            nonces=nonces,
            outcomes=outcomes,
            closes=closes,
            explained=frozenset().union(*explained),
            available=await self._reads.balances_at(head, tuple(parts.picture.specs.values())),
            open_pools=open_pools,
            reserved_elsewhere_wei=reserved_wei,
        )

    async def _explain(self, moved: NonceRange) -> frozenset[tuple[Address, int]]:
        """Return the nonces that closes, or legs of attempts settled long ago, used up."""
        parts = self._parts
        explained: set[tuple[Address, int]] = set()
        for nonce in range(moved.highest, min(moved.found, moved.highest + NONCES_EXPLAINED)):
            hashes = parts.ports.ledger.sent_with(moved.operator, nonce)[:HASHES_TRIED]
            for start in range(0, len(hashes), AT_ONCE):
                batch = hashes[start : start + AT_ONCE]
                legs = await asyncio.gather(*(parts.ports.chain.leg(tx_hash) for tx_hash in batch))
                if any(leg is not None for leg in legs):
                    explained.add((moved.operator, nonce))
                    break
        return frozenset(explained)

    async def _outcomes(self, attempts: Sequence[Attempt]) -> tuple[tuple[str, MinedBundle], ...]:
        found: list[tuple[str, MinedBundle]] = []
        for start in range(0, len(attempts), AT_ONCE):
            batch = attempts[start : start + AT_ONCE]
            read = await asyncio.gather(*(self._mined(attempt) for attempt in batch))
            found.extend(zip((attempt.attempt_id for attempt in batch), read, strict=True))
        return tuple(found)

    async def _closes(self, attempts: Sequence[Attempt]) -> dict[str, tuple[Hash32, MinedBundle | None]]:
        """Return what has become of the closes that attempts' figures contain."""
        closer, found = self._parts.ports.closer, {}
        for attempt in attempts:
            close_tx = attempt.result.close_tx if attempt.result is not None else None
            if closer is not None and close_tx is not None:
                found[attempt.attempt_id] = (close_tx, await closer.closed(close_tx))
        return found

    async def _mined(self, attempt: Attempt) -> MinedBundle:
        mint, burn = attempt.mint_tx, attempt.burn_tx
        assert mint is not None
        assert burn is not None
        return await self._parts.ports.chain.mined(mint, attempt.victim_hash, burn)


@dataclass(frozen=True, slots=True)
class NonceRange:
    """An operator's nonce on chain, and between which bounds our own transactions explain it."""

    operator: Address
    found: int
    lowest: int
    highest: int
    known_at: int

    @property
    def moved_without_us(self) -> bool:
        return self.found > self.highest

    def lags(self, head_number: int) -> bool:
        """Whether the node has not yet seen what we know to be mined.

        The nonce is that at the head: where this is as high as the block in which we saw the higher nonce,
        a reorg has taken that block back.
        """
        return self.found < self.lowest and head_number < self.known_at

    def __str__(self) -> str:
        explained = f"{self.lowest}" if self.lowest == self.highest else f"{self.lowest} to {self.highest}"
        return f"{self.operator} has nonce {self.found}, our own transactions explain {explained}"


def nonce_ranges(
    found: Mapping[Address, int],
    known: Mapping[Address, KnownNonce],
    attempts: Sequence[Attempt],
    outcomes: Mapping[str, MinedBundle],
    explained: Collection[tuple[Address, int]] = (),
) -> list[NonceRange]:
    """Return what explains each operator's nonce; `known` is the nonce when we last saw a block.

    A reorg may have taken back what is not settled, so the lowest is where the oldest such attempt began.
    `explained` are the operators' nonces that other transactions of ours used up.
    """
    ranges = []
    for operator, nonce in found.items():
        last = known.get(operator, KnownNonce(nonce, 0))
        lowest = highest = last.nonce
        for attempt in attempts:
            mined = outcomes.get(attempt.attempt_id)
            if mined is None or attempt.record.operator != operator:
                continue
            lowest = min(lowest, attempt.record.nonce)
            if mined.mint is not None:
                highest = max(highest, attempt.record.nonce + 1)
            if mined.burn is not None:
                highest = max(highest, attempt.record.nonce + 2)
        while (operator, highest) in explained:
            highest += 1
        ranges.append(NonceRange(operator, nonce, lowest, highest, last.block_number))
    return ranges


def unread(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts whose transactions are known, so that the chain can be asked about them."""
    return [attempt for attempt in attempts if attempt.mint_tx is not None and attempt.burn_tx is not None]
