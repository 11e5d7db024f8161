"""The adapters' own counters and the nodes' health, in the shape that status and metrics show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from jitctl.chain.rpc import NodePool
from jitctl.control.schema import camel
from jitctl.domain.counters import Counters
from jitctl.execution.relays import HttpRelays


class AdapterInstruments:
    """Satisfies `engine.ports.Instruments`; `families` are counters by the name they are shown under."""

    def __init__(self, nodes: NodePool, relays: HttpRelays, families: Mapping[str, Counters]) -> None:
        self._nodes = nodes
        self._relays = relays
        self._families = {"node_calls": nodes.counters, **families}

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        return {family: counters.snapshot() for family, counters in self._families.items()}

    def nodes(self) -> Sequence[Mapping[str, object]]:
        return [{camel(name): value for name, value in asdict(each).items()} for each in self._nodes.health()]

    def relays(self) -> Mapping[str, Mapping[str, int]]:
        return self._relays.counters()
