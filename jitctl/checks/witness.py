"""One node asked about open positions: its head, then everything at one block of a given number.

A witness never raises for what a node does; what it could not say is in its troubles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from jitctl.chain.executor_positions import ExecutorPositions, HeldPosition, KeptPosition
from jitctl.chain.quantities import count_of
from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.domain.chain import Head
from jitctl.domain.values import Address
from jitctl.errors import JitError, NodeError

TRADING, VERIFY = "trading", "verify"
T = TypeVar("T")


@dataclass(slots=True)
class Testimony:
    """What a node said at `block`; `kept` and `held` are by pool, and lack what it did not say."""

    block: Head | None = None
    code: bytes = b""
    kept: dict[Address, KeptPosition] = field(default_factory=dict)
    held: dict[Address, HeldPosition] = field(default_factory=dict)
    reserved_wei: int | None = None

    @property
    def shows_open(self) -> bool:
        """Whether anything in it is a position."""
        kept = any(each.open for each in self.kept.values())
        return kept or any(not each.is_empty for each in self.held.values()) or bool(self.reserved_wei)

    def is_complete(self, pools: int) -> bool:
        """Whether it holds everything that was asked of that many pools."""
        ranged = [pool for pool, kept in self.kept.items() if kept.has_range]
        whole = len(self.kept) == pools and self.held.keys() == set(ranged)
        return whole and self.block is not None and bool(self.code) and self.reserved_wei is not None

    def answers(self) -> tuple[object, ...]:
        """Everything that another node must say as well."""
        return self.code, self.kept, self.held, self.reserved_wei


class Witness:
    """`deadline_s` is the event loop's time at which every read has ended."""

    def __init__(
        self, endpoint: NodeEndpoint, role: str, chain_id: int, executor: Address, deadline_s: float
    ) -> None:
        self.name = endpoint.name
        self.role = role
        self.url = endpoint.http_url
        self.head_number: int | None = None
        self.troubles: list[str] = []
        self.testimony = Testimony()
        """At the block that all nodes are asked about."""
        self.newest: Testimony | None = None
        """At the node's own head, where that is a newer block."""
        self._prefix = f"node {endpoint.name}: "
        self._deadline_s = deadline_s
        self._executor = executor
        self._node = NodePool([endpoint], chain_id)

    def words(self) -> list[Testimony]:
        """What it said, about the older block first."""
        return [self.testimony] if self.newest is None else [self.testimony, self.newest]

    async def close(self) -> None:
        await self._node.close()

    async def find_head(self, limit_s: float) -> None:
        """Ask for the chain id and the head, within `limit_s` in all."""
        try:
            async with asyncio.timeout(limit_s):
                head = await self._node.call("eth_blockNumber", timeout_s=limit_s)
            self.head_number = count_of(head)
        except TimeoutError:
            self._trouble("no answer in time")
        except ValueError as error:
            self._trouble(f"its head is {error}")
        except JitError as error:
            self._trouble(error.message)

    async def testify(self, number: int, pools: Mapping[Address, str]) -> None:
        """Answer about that block, and about the own head where that is newer; `pools` maps to names."""
        if self.head_number is not None and self.head_number > number:
            self.testimony, self.newest = await asyncio.gather(
                self._testimony(number, pools), self._testimony(self.head_number, pools)
            )
        else:
            self.testimony = await self._testimony(number, pools)

    async def _testimony(self, number: int, pools: Mapping[Address, str]) -> Testimony:
        """Read everything at the block of that number, and see that it still is that block afterwards."""
        said = Testimony()
        block = await self._read("the block", lambda: self._header(number))
        if block is None:
            return said
        said.block = block
        positions = ExecutorPositions(self._node, self._executor)

        async def of_pool(pool: Address) -> None:
            kept = await self._read(
                f"openPosition of {pools[pool]}",
                lambda: positions.kept(pool, block.hash, timeout_s=self._left_s()),
            )
            if kept is None:
                return
            said.kept[pool] = kept
            if not kept.has_range:
                return
            lower, upper = kept.tick_lower, kept.tick_upper
            held = await self._read(
                f"what {pools[pool]} holds",
                lambda: positions.held(pool, lower, upper, block.hash, timeout_s=self._left_s()),
            )
            if held is not None:
                said.held[pool] = held

        async def of_executor() -> None:
            code = await self._read(
                "the executor", lambda: positions.code(block.hash, timeout_s=self._left_s())
            )
            said.code = code or b""

        async def of_reserve() -> None:
            said.reserved_wei = await self._read(
                "reserved", lambda: positions.reserved_wei(block.hash, timeout_s=self._left_s())
            )

        await asyncio.gather(of_executor(), of_reserve(), *(of_pool(pool) for pool in pools))
        again = await self._read("the block again", lambda: self._header(number))
        if again is not None and again.hash != block.hash:
            self._trouble(f"block {number} was replaced while it was read")
        return said

    async def _header(self, number: int) -> Head:
        async with asyncio.timeout(self._left_s()):
            head = await ChainReader(self._node, executor=self._executor).header(number)
        if head.number != number:
            raise NodeError(f"asked for block {number}, it gave block {head.number}")
        return head

    async def _read(self, what: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await ask()
        except TimeoutError:
            self._trouble(f"{what}: no answer in time")
        except JitError as error:
            self._trouble(f"{what}: {error.message.removeprefix(self._prefix)}")
        return None

    def _left_s(self) -> float:
        return max(0.001, self._deadline_s - asyncio.get_running_loop().time())

    def _trouble(self, what: str) -> None:
        self.troubles.append(what.removeprefix(self._prefix))
