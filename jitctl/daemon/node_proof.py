"""No node is believed before its simulations are proved: at the start, and later for those that were away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodePool
from jitctl.engine.ports import Observer
from jitctl.errors import JitError, NodeError
from jitctl.execution.probe import probe_node

PROVE_AGAIN_S = 30.0


class NodeProof:
    """Bars every node that has not proved itself, and admits it once it has."""

    def __init__(self, nodes: NodePool, reader: ChainReader, observer: Observer) -> None:
        self._nodes = nodes
        self._reader = reader
        self._observer = observer
        self._unproved = list(nodes.names())

    async def first(self) -> None:
        """Prove all nodes, side by side; raises the preferred one's `JitError` if none can be believed."""
        outcomes = await asyncio.gather(*(self._prove(name) for name in self._unproved))
        failures = [failure for failure in outcomes if failure is not None]
        if len(failures) == len(outcomes):
            raise failures[0]

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Prove what was away or wrong again and again, for ever."""
        while True:
            await sleep(PROVE_AGAIN_S)
            for name in tuple(self._unproved):
                await self._prove(name)

    async def _prove(self, name: str) -> JitError | None:
        try:
            await probe_node(self._nodes, await self._reader.header("latest", only=name), only=name)
        except JitError as error:
            known = error.message if name in error.message else f"node {name}: {error.message}"
            self._nodes.bar(name, known)
            self._observer.event("node_proof_failed", {"node": name, "detail": error.message})
            return NodeError(known, hint=error.hint)
        self._nodes.bar(name, "")
        self._unproved.remove(name)
        return None
