"""Whether the executor has open positions, from the chain alone and by more than one node.

One block is chosen that all the nodes know, and each of them is asked about that very block. "None" needs
every node to say so, alike; a position that any node shows counts; everything else is unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from jitctl.chain.rpc import NodeEndpoint
from jitctl.checks.witness import TRADING, VERIFY, Testimony, Witness
from jitctl.config.domain_types import pool_specs
from jitctl.config.endpoints import node_endpoints, verify_endpoints
from jitctl.config.load import Config
from jitctl.domain.values import Address, PoolSpec

NONE, OPEN, UNKNOWN, SKIPPED = "none", "open", "unknown", "skipped"
MAX_LAG_BLOCKS = 3
MAX_AGE_SLOTS = 10
TIMEOUT_S = 2.0
_NAMED_TROUBLES = 3


@dataclass(frozen=True)
class OpenPosition:
    """A position that a node shows; amounts in base units, as text since they pass what JSON can hold.

    `kind` is `open`; `left` where the executor's record is closed and the pool still holds something at
    its name (a gift, which `sweep` brings home); `elsewhere` where only the executor's reserve shows one.
    """

    pool: str
    address: str
    kind: str
    tick_lower: int | None
    tick_upper: int | None
    liquidity: str | None
    owed0: str | None
    owed1: str | None
    opened_in_block: int | None
    said_by: tuple[str, ...]


@dataclass(frozen=True)
class NodeSaid:
    """What one node said; `skipped` is a trading node that did not answer while another did."""

    name: str
    role: str
    result: str
    block_number: int | None
    block_hash: str
    head_number: int | None
    age_s: float | None
    detail: str


@dataclass(frozen=True)
class PositionsReport:
    """`result` is `none` (proved), `open` or `unknown`; `reason` is a sentence that says why."""

    result: str
    block_number: int | None
    block_hash: str
    second_opinion: bool
    nodes: tuple[NodeSaid, ...]
    positions: tuple[OpenPosition, ...]
    reserved_wei: str | None
    reason: str
    executor: str
    elapsed_ms: float


async def open_positions(
    config: Config, *, wall_s: Callable[[], float] = time.time, timeout_s: float = TIMEOUT_S
) -> PositionsReport:
    """Ask the trading nodes that answer, and every verify node; done within `timeout_s`.

    Whatever nodes do ends in a report. Raises `ConfigError` for an unreadable `*_file` of a node's URL.
    """
    begun_s = asyncio.get_running_loop().time()
    executor, chain = Address(config.main.executor.address), config.main.chain
    deadline_s = begun_s + timeout_s

    def witnesses(endpoints: Sequence[NodeEndpoint], role: str) -> list[Witness]:
        return [Witness(each, role, chain.chain_id, executor, deadline_s) for each in endpoints]

    trading = witnesses(node_endpoints(config), TRADING)
    verify = witnesses(verify_endpoints(config), VERIFY)
    specs = pool_specs(config)
    try:
        # Half of the time for this: a node that hangs must not take the other ones' reads with it.
        await asyncio.gather(*(each.find_head(timeout_s / 2) for each in trading + verify))
        # One trading node is enough to go on with; but each that answers is heard, it may know more.
        answering = [each for each in trading if each.head_number is not None]
        heard = [*(answering or trading), *verify]
        level = _common_number([each.head_number for each in heard if each.head_number is not None])
        await asyncio.gather(
            *(
                each.testify(min(level, each.head_number), {spec.address: spec.name for spec in specs})
                for each in heard
                if each.head_number is not None
            )
        )
    finally:
        await asyncio.gather(*(each.close() for each in trading + verify))
    skipped = [each for each in trading if each not in heard]
    hearing = Hearing(heard, skipped, specs, now_s=wall_s(), slot_s=chain.slot_seconds)
    elapsed_ms = round((asyncio.get_running_loop().time() - begun_s) * 1000, 1)
    return hearing.report(executor, elapsed_ms)


def _common_number(heads: Sequence[int]) -> int:
    """The lowest head of those that are not far behind the best: the newest block that all of these know."""
    best = max(heads, default=0)
    return min((head for head in heads if best - head <= MAX_LAG_BLOCKS), default=0)


class Hearing:
    """What follows from what the nodes said; pure."""

    def __init__(
        self,
        heard: Sequence[Witness],
        skipped: Sequence[Witness],
        specs: Sequence[PoolSpec],
        *,
        now_s: float,
        slot_s: float,
    ) -> None:
        self._heard = heard
        self._skipped = skipped
        self._specs = specs
        self._now_s = now_s
        self._max_age_s = MAX_AGE_SLOTS * slot_s
        self._best = max((each.head_number or 0 for each in heard), default=0)

    def report(self, executor: Address, elapsed_ms: float) -> PositionsReport:
        doubts = [doubt for each in self._heard for doubt in self._own_doubts(each)] + self._disagreements()
        showing = [(each, said) for each in self._heard if (said := self._shown_by(each)) is not None]
        positions = self._positions(showing)
        complete = [each for each in self._heard if not self._own_doubts(each)]
        second = any(
            each.role == VERIFY and each.url != other.url
            for each in complete
            for other in complete
            if other.role == TRADING
        )
        sworn = [said for _, said in showing] + [each.testimony for each in self._heard]
        said = next((each for each in sworn if each.block is not None), Testimony())
        at = f"block {said.block.number} ({said.block.hash})" if said.block is not None else ""
        if showing:
            result = OPEN
            places = ", ".join(
                dict.fromkeys(each.pool or "a pool that is not configured" for each in positions)
            )
            reason = f"open at {at}, said by {_and(each.name for each, _ in showing)}: {places}"
            reason += f"; in doubt: {'; '.join(doubts)}" if doubts else ""
        elif doubts or not complete:
            result, reason = UNKNOWN, "; ".join(doubts) or "no node was asked"
        else:
            result = NONE
            reason = f"no open positions at {at}, said by {_and(each.name for each in complete)}"
            only = "only one node was asked, so " if len(complete) == 1 else ""
            reason += "" if second else f"; {only}there is no second opinion ([[verify_nodes]])"
        nodes = [self._said(each, counted=False) for each in self._skipped]
        nodes += [self._said(each, counted=True) for each in self._heard]
        return PositionsReport(
            result=result,
            block_number=said.block.number if said.block is not None else None,
            block_hash=said.block.hash if said.block is not None else "",
            second_opinion=second,
            nodes=tuple(nodes),
            positions=positions,
            reserved_wei=None if said.reserved_wei is None else str(said.reserved_wei),
            reason=reason,
            executor=executor,
            elapsed_ms=elapsed_ms,
        )

    # -- what one node's word is worth

    def _age_s(self, said: Testimony) -> float | None:
        return None if said.block is None else self._now_s - said.block.timestamp_s

    def _is_fresh(self, said: Testimony) -> bool:
        age_s = self._age_s(said)
        return age_s is not None and abs(age_s) <= self._max_age_s

    def _shown_by(self, witness: Witness) -> Testimony | None:
        """The newest of its words that shows a position; what an old block shows may be long closed."""
        shown = [said for said in witness.words() if said.shows_open and self._is_fresh(said)]
        return shown[-1] if shown else None

    def _own_doubts(self, witness: Witness) -> list[str]:
        found = list(dict.fromkeys(witness.troubles))
        more = len(found) - _NAMED_TROUBLES
        found = found[:_NAMED_TROUBLES] + ([f"and {more} more"] if more > 0 else [])
        behind = self._best - (witness.head_number if witness.head_number is not None else self._best)
        if behind > MAX_LAG_BLOCKS:
            found.append(f"{behind} blocks behind the best node")
        words = witness.words()
        if not found and not all(said.is_complete(len(self._specs)) for said in words):
            found.append("it did not answer everything")
        for said in words:
            age_s = self._age_s(said)
            if said.block is None or age_s is None or self._is_fresh(said):
                continue
            side = "old" if age_s > 0 else "in the future, so one of the clocks is wrong"
            shown = ", and shows an open position" if said.shows_open else ""
            found.append(f"block {said.block.number} is {abs(age_s):.0f} s {side}{shown}")
        newest = words[-1]
        if len(words) > 1 and newest.block is not None and words[0].shows_open and not newest.shows_open:
            found.append(f"it shows nothing open any more in block {newest.block.number}")
        return [f"{witness.name}: {'; '.join(found)}"] if found else []

    # -- what their words are worth together

    def _disagreements(self) -> list[str]:
        found = []
        firsts: dict[int, tuple[str, Testimony]] = {}
        for witness, said in ((each, said) for each in self._heard for said in each.words()):
            if said.block is None:
                continue
            # One that is behind has a block of its own, which is a doubt already.
            number = said.block.number
            name, first = firsts.setdefault(number, (witness.name, said))
            if first.block != said.block:
                found.append(f"{name} and {witness.name} have different blocks {number}")
            elif first.answers() != said.answers():
                found.append(f"{name} and {witness.name} answer differently about block {number}")
        return found

    def _positions(self, showing: Sequence[tuple[Witness, Testimony]]) -> tuple[OpenPosition, ...]:
        names = {spec.address: spec.name for spec in self._specs}
        found: dict[tuple[str, str], OpenPosition] = {}
        for witness, said in showing:
            for each in _positions_in(said, witness.name, names):
                known = found.get((each.address, each.kind), each)
                said_by = tuple(dict.fromkeys((*known.said_by, witness.name)))
                found[each.address, each.kind] = replace(known, said_by=said_by)
        return tuple(found.values())

    def _said(self, witness: Witness, *, counted: bool) -> NodeSaid:
        said, age_s = witness.testimony, self._age_s(witness.testimony)
        doubts = self._own_doubts(witness)
        if not counted:
            result = SKIPPED
        elif any(each.shows_open for each in witness.words()):
            result = OPEN
        else:
            result = UNKNOWN if doubts else NONE
        return NodeSaid(
            name=witness.name,
            role=witness.role,
            result=result,
            block_number=said.block.number if said.block is not None else None,
            block_hash=said.block.hash if said.block is not None else "",
            head_number=witness.head_number,
            age_s=None if age_s is None else round(age_s, 1),
            detail="".join(doubts).removeprefix(f"{witness.name}: "),
        )


def _positions_in(said: Testimony, name: str, names: dict[Address, str]) -> list[OpenPosition]:
    found = []
    for pool, kept in said.kept.items():
        held = said.held.get(pool)
        if not kept.open and (held is None or held.is_empty):
            continue
        found.append(
            OpenPosition(
                pool=names[pool],
                address=pool,
                kind="open" if kept.open else "left",
                tick_lower=kept.tick_lower,
                tick_upper=kept.tick_upper,
                liquidity=str(held.liquidity if held is not None else kept.liquidity),
                owed0=None if held is None else str(held.owed0),
                owed1=None if held is None else str(held.owed1),
                opened_in_block=kept.block_number,
                said_by=(name,),
            )
        )
    if said.reserved_wei and not any(kept.open for kept in said.kept.values()):
        found.append(OpenPosition("", "", "elsewhere", None, None, None, None, None, None, (name,)))
    return found


def _and(names: Iterable[str]) -> str:
    """Return names as `a`, `a and b` or `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
