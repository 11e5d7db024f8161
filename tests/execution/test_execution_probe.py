"""The start-up probe: the real node passes, and every lie about a simulation is found."""

from __future__ import annotations

from typing import Any

import pytest

from jitctl.devnet.faults import Fault
from jitctl.errors import NodeError, TimedOut
from jitctl.execution.probe import probe_node
from tests.chain.devnet_rig import DevnetRig


async def test_the_devnets_node_passes_by_name_and_by_order(rig: DevnetRig):
    head = await rig.reader.head()
    await probe_node(rig.nodes, head)
    await probe_node(rig.nodes, head, only="door")
    for _ in range(3):
        await rig.net.slot()
    await probe_node(rig.nodes, await rig.reader.head())


class Altering:
    """The real node, with its simulations' overrides, calls or results changed on the way."""

    def __init__(self, rig: DevnetRig, *, overrides=None, result=None, request=None) -> None:
        self._rig = rig
        self._overrides = overrides or {}
        self._result = result
        self._request = request

    async def call(self, method: str, params: Any = (), *, timeout_s=None, only=None) -> Any:
        request = params[0]
        request["blockStateCalls"][0]["blockOverrides"] |= self._overrides
        if self._request:
            self._request(request["blockStateCalls"][0])
        reply = await self._rig.nodes.call(method, params, timeout_s=timeout_s)
        if self._result:
            self._result(reply[0])
        return reply


def with_word(index: int):
    def change(block: dict[str, Any]) -> None:
        for call in block["calls"]:
            for place, key in ((call, "returnData"), *((log, "data") for log in call["logs"])):
                text = place[key]
                at = 2 + 64 * index
                if len(text) > at:
                    place[key] = text[:at] + "ab" * 32 + text[at + 64 :]

    return change


WORDS = ["NUMBER", "BLOCKHASH", "COINBASE", "TIMESTAMP", "BASEFEE", "the state", "transient storage"]


@pytest.mark.parametrize("index", range(7))
async def test_a_wrong_word_is_named(rig: DevnetRig, index):
    with pytest.raises(NodeError, match=WORDS[index]) as caught:
        await probe_node(Altering(rig, result=with_word(index)), await rig.reader.head(), only="liar")
    assert caught.value.message.startswith("node liar is refused") and caught.value.hint


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("time", "0x7fffffff", "TIMESTAMP"),
        ("baseFeePerGas", "0x1", "BASEFEE"),
        ("feeRecipient", "0x" + "12" * 20, "COINBASE"),
    ],
)
async def test_overrides_that_the_node_ignores_are_found(rig: DevnetRig, key, value, name):
    with pytest.raises(NodeError, match=name):
        await probe_node(Altering(rig, overrides={key: value}), await rig.reader.head())


async def test_calls_that_do_not_see_each_other_are_found(rig: DevnetRig):
    def first_twice(block: dict[str, Any]) -> None:
        block["calls"][1] = block["calls"][0]

    with pytest.raises(NodeError, match="the call before"):
        await probe_node(Altering(rig, result=first_twice), await rig.reader.head())


async def test_a_node_that_does_not_enforce_gas_limits_is_found(rig: DevnetRig):
    def generous(block: dict[str, Any]) -> None:
        block["calls"][2]["gas"] = "0x30d40"

    with pytest.raises(NodeError, match="its own gas limit"):
        await probe_node(Altering(rig, request=generous), await rig.reader.head())


async def test_missing_logs_are_found(rig: DevnetRig):
    def silent(block: dict[str, Any]) -> None:
        for call in block["calls"]:
            call["logs"] = []

    with pytest.raises(NodeError, match="its log"):
        await probe_node(Altering(rig, result=silent), await rig.reader.head())


async def test_a_node_without_simulations_is_refused(rig: DevnetRig):
    rig.net.door.views.get("node").lay(Fault("error", methods=frozenset({"eth_simulateV1"})))
    with pytest.raises(NodeError, match="eth_simulateV1 does not work"):
        await probe_node(rig.nodes, await rig.reader.head())


async def test_a_node_that_stalls_is_refused_as_timed_out(rig: DevnetRig):
    rig.net.door.views.get("node").lay(Fault("stall", methods=frozenset({"eth_simulateV1"})))
    with pytest.raises(TimedOut):
        await probe_node(rig.nodes, await rig.reader.head(), timeout_s=0.1)


async def test_a_parent_that_is_not_there_is_refused(rig: DevnetRig):
    import dataclasses

    head = dataclasses.replace(await rig.reader.head(), hash="0x" + "77" * 32)
    with pytest.raises(NodeError):
        await probe_node(rig.nodes, head)
