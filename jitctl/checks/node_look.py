"""One look at one node: everything that `check-node-sync` asks it, at once and within one limit.

Nothing that a node does is raised here; an answer that cannot be used is kept as the error that it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from jitctl.chain.foreign_errors import mapped
from jitctl.chain.http_rpc import HttpRpc
from jitctl.chain.quantities import count_of, head_of
from jitctl.chain.rpc import NodeEndpoint
from jitctl.domain.chain import Head
from jitctl.errors import JitError, NodeError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Syncing:
    """A node that is still syncing; None for a number that it does not tell."""

    current: int | None
    highest: int | None


@dataclass(slots=True)
class Look:
    """A node's answers, each of the promised shape or the error; `where` is its place in jitctl.toml."""

    where: str
    name: str
    chain_id: int | JitError
    syncing: Syncing | JitError | None
    head: Head | JitError
    peers: int | JitError
    elapsed_ms: float

    @property
    def answered(self) -> bool:
        """Whether anything came back that a JSON-RPC node says, be it an error."""
        return any(
            not isinstance(each, JitError) or (isinstance(each, NodeError) and each.rpc_code is not None)
            for each in (self.chain_id, self.syncing, self.head, self.peers)
        )


class NodeLooker:
    """Asks one endpoint over HTTP; close it afterwards."""

    def __init__(self, endpoint: NodeEndpoint, group: str) -> None:
        self._rpc = HttpRpc(endpoint.name, endpoint.http_url)
        self.name = endpoint.name
        self.where = f"{group}.{endpoint.name}"

    async def close(self) -> None:
        await self._rpc.close()

    async def look(self, timeout_s: float) -> Look:
        """Ask everything at once; each answer has `timeout_s`."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        chain_id, syncing, head, peers = await asyncio.gather(
            self._ask("eth_chainId", [], count_of, timeout_s),
            self._ask("eth_syncing", [], _syncing, timeout_s),
            self.block("latest", timeout_s),
            self._ask("net_peerCount", [], count_of, timeout_s),
        )
        elapsed_ms = (loop.time() - begun_s) * 1000
        return Look(self.where, self.name, chain_id, syncing, head, peers, elapsed_ms)

    async def block(self, tag: str, timeout_s: float) -> Head | JitError:
        """The canonical header at a number (hex) or tag."""
        return await self._ask("eth_getBlockByNumber", [tag, False], _head, timeout_s)

    async def _ask(
        self, method: str, params: Sequence[Any], read: Callable[[Any], T], timeout_s: float
    ) -> T | JitError:
        try:
            answer = await self._rpc.call(method, params, timeout_s=timeout_s)
            with mapped(self.name, f"reading its answer to {method}"):
                return read(answer)
        except JitError as error:
            return error


def _syncing(answer: Any) -> Syncing | None:
    if answer is False:
        return None
    if not isinstance(answer, dict) or not answer:
        raise ValueError(f"neither false nor a progress: {str(answer)[:40]!r}")
    return Syncing(_count_or_none(answer.get("currentBlock")), _count_or_none(answer.get("highestBlock")))


def _count_or_none(value: Any) -> int | None:
    try:
        return count_of(value)
    except ValueError:
        return None


def _head(answer: Any) -> Head:
    if not isinstance(answer, dict):
        raise ValueError(f"not a block: {str(answer)[:40]!r}")
    return head_of(answer)
