"""Faults that can be laid on any of the door's views: a node or relay that hangs, refuses, lags or lies.

A view is a path of the door: `node` (`/`), `node/NAME`, `relay` (`/relay`), `relay/NAME`. All show the
same chain, so two of them with different faults are two nodes that disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from jitctl.devnet.json_rpc import SERVER_ERROR, RpcError

NODE_FAULTS = ("stall", "late", "429", "lag", "garbage", "wrong", "wrong_chain", "error", "refuse_sockets")
RELAY_FAULTS = ("stall", "late", "429", "garbage", "wrong", "refuse", "lie")


@dataclass(frozen=True, slots=True)
class Fault:
    """`methods` limits it to these methods (None: all).

    `value` is the lag in blocks, the chain id, or how many milliseconds late an answer is.
    """

    kind: str
    value: int = 0
    methods: frozenset[str] | None = None


class View:
    """The faults of one view."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._faults: dict[str, Fault] = {}
        self._changed = asyncio.Event()

    def lay(self, fault: Fault) -> None:
        """Add a fault; raises `RpcError` for one that this kind of view cannot have."""
        known = RELAY_FAULTS if self.name.startswith("relay") else NODE_FAULTS
        if fault.kind not in known:
            raise RpcError(
                SERVER_ERROR, f"no fault {fault.kind!r} for {self.name}: one of {', '.join(known)}"
            )
        self._faults[fault.kind] = fault
        self._wake()

    def clear(self) -> None:
        self._faults.clear()
        self._wake()

    def has(self, kind: str, *methods: str) -> Fault | None:
        """Return the fault if it is laid and applies to one of the methods, or to a body without any."""
        fault = self._faults.get(kind)
        if fault is None or (fault.methods is not None and methods and fault.methods.isdisjoint(methods)):
            return None
        return fault

    def lag(self) -> int:
        fault = self._faults.get("lag")
        return 0 if fault is None else fault.value

    async def held_up(self, methods: Collection[str]) -> None:
        """Return when the view answers these methods; not before."""
        late = self.has("late", *methods)
        if late is not None:
            await asyncio.sleep(late.value / 1000)
        while self.has("stall", *methods) is not None:
            await self._changed.wait()

    def describe(self) -> dict[str, Any]:
        return {
            kind: {"value": fault.value, "methods": sorted(fault.methods) if fault.methods else None}
            for kind, fault in self._faults.items()
        }

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Views:
    """All views, made when first asked for."""

    def __init__(self) -> None:
        self._views: dict[str, View] = {}

    def get(self, name: str) -> View:
        if name not in self._views:
            self._views[name] = View(name)
        return self._views[name]

    def clear(self) -> None:
        for view in self._views.values():
            view.clear()

    def describe(self) -> dict[str, Any]:
        return {name: view.describe() for name, view in self._views.items() if view.describe()}
