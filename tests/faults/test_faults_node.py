"""Nodes that drop the socket, stall, answer late, wrong or with 429: named, bounded, and recovered from."""

from __future__ import annotations

import time

import pytest
from rig import NODES

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEADROOM = 50
"""Requests a second, beyond twice the normal ones, that probing and reading everything afresh may take."""

SIMULATION = ["eth_simulateV1"]
ONE_NODE = {
    "drops_sockets": ("refuse_sockets", 0, None, "block_feed", ("dropped", "unreachable")),
    "lags": ("lag", 6, None, "node_calls", ("lagging",)),
    "stalls": ("stall", 0, None, "node_calls", ("timed_out",)),
    "limits": ("429", 0, None, "node_calls", ("rate_limited",)),
    "is_on_another_chain": ("wrong_chain", 5, None, "node_calls", ("wrong_chain",)),
}
"""What one node does: the fault, its value, its methods, and the count by which it is known."""
NOTICED_BY_PROBES = {"limits", "is_on_another_chain"}
"""These are found out also while the node is not the one in use."""
BOTH_NODES = {
    "drop_sockets": ("refuse_sockets", 0, None, "pending_feed", ("dropped", "unreachable")),
    "stall": ("stall", 0, None, "node_calls", ("timed_out",)),
    "answer_simulations_late": ("late", 700, SIMULATION, "abandons", ("simulation_timeout",)),
    "answer_simulations_wrong": ("wrong", 0, SIMULATION, "abandons", ("simulation_failed",)),
    "answer_everything_late": ("late", 700, None, "abandons", ("simulation_timeout",)),
    "answer_everything_wrong": ("wrong", 0, None, "block_feed", ("read_failed",)),
    "send_garbage": ("garbage", 0, None, "node_calls", ("timed_out", "unreachable")),
    "fail_inside": ("error", 0, None, "block_feed", ("read_failed",)),
    "are_on_another_chain": ("wrong_chain", 5, None, "node_calls", ("wrong_chain",)),
    "limit": ("429", 0, None, "node_calls", ("rate_limited",)),
}


@pytest.mark.parametrize("what", ONE_NODE)
async def test_one_node_fails_and_the_other_takes_over(rig, what):
    kind, value, methods, family, names = ONE_NODE[what]
    if what not in NOTICED_BY_PROBES:
        await rig.until(lambda: preferred(rig), "the first node is preferred", 45.0)
    async with (
        watched(rig, what, family, names) as fault,
        rig.fault(kind, "node", value=value, methods=methods),
    ):
        if kind == "refuse_sockets":
            await rig.admin.admin("devnet_dropSockets", view="node")
        await fault.named()
        await rig.lands()
        await rig.until(lambda: not_preferred(rig), "another node is preferred")


@pytest.mark.parametrize("what", BOTH_NODES)
async def test_all_nodes_fail_and_come_back(rig, what):
    kind, value, methods, family, names = BOTH_NODES[what]
    async with (
        watched(rig, what, family, names) as fault,
        rig.fault(kind, *NODES, value=value, methods=methods),
    ):
        if kind == "refuse_sockets":
            await rig.admin.admin("devnet_dropSockets")
        await fault.named()
        await rig.blocks(4)
        await fault.named()


class watched:
    """Around a fault: swaps keep arriving, its name is counted, requests stay few, a JIT lands after."""

    def __init__(self, rig, what, family, names):
        self.rig, self.what, self.family, self.names = rig, what, family, names

    async def __aenter__(self):
        rig = self.rig
        rig.trade()
        await rig.lands()
        self.before = await rig.count(self.family, *self.names)
        self.normal = max(rig.door.busiest_second(time.monotonic() - 4.0, view) for view in NODES)
        self.began_s = time.monotonic()
        return self

    async def named(self):
        await self.rig.grows(self.family, *self.names, beyond=self.before)
        self.before = await self.rig.count(self.family, *self.names)

    async def __aexit__(self, kind, error, trace):
        if error is not None:
            print(self.rig.last_words())
            return
        rig = self.rig
        busiest = {view: rig.door.busiest_second(self.began_s, view) for view in NODES}
        over_s = time.monotonic()
        await rig.lands(45.0)
        print(f"{self.what}: normally {self.normal} requests a second, then {busiest};"
              f" a JIT landed {time.monotonic() - over_s:.1f} s after it was over")  # fmt: skip
        status = await rig.status()
        assert status["state"] == "RUNNING"
        assert max(busiest.values()) <= 2 * self.normal + HEADROOM
        await rig.whole()


async def preferred(rig):
    first = (await rig.status())["figures"]["nodes"][0]
    return first["preferred"] and first["usable"]


async def not_preferred(rig):
    return not await preferred(rig)
