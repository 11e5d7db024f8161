"""The executor's limits from the devnet's contract, and from a node that answers nonsense."""

from __future__ import annotations

import pytest

from jitctl.amm.tick_math import MAX_TICK, MIN_TICK
from jitctl.chain.guards import ExecutorGuards
from jitctl.chain.prices import PoolTwapPrices
from jitctl.errors import NodeError
from tests.chain.devnet_rig import DevnetRig


class Absurd:
    """The real node, but `observe` answers with cumulative ticks that no pool can have."""

    def __init__(self, rig: DevnetRig, difference: int) -> None:
        self._rig, self._difference = rig, difference

    async def call(self, method, params=(), **limits):
        if not params[0]["data"].startswith("0x883bdbfd"):
            return await self._rig.nodes.call(method, params, **limits)
        words = (64, 0, 2, 0, self._difference, 5, 0, 0)
        return "0x" + b"".join(word.to_bytes(32, "big", signed=word < 0) for word in words).hex()


async def test_the_contracts_own_limits(rig: DevnetRig):
    pools = [spec.address for spec in rig.specs]
    found = await ExecutorGuards(rig.nodes, executor=rig.executor).read(pools, await rig.reader.head())
    assert not found.halted
    assert found.loss_budget_left_wei > 0
    assert all(MIN_TICK <= tick <= MAX_TICK for tick in found.twap_ticks.values())


@pytest.mark.parametrize("difference", [2**255 - 1, -(2**255), 2**60])
async def test_a_tick_that_no_pool_has_is_the_nodes_failure(rig: DevnetRig, difference):
    node, head = Absurd(rig, difference), await rig.reader.head()
    with pytest.raises(NodeError, match="no pool has"):
        await ExecutorGuards(node, executor=rig.executor).read([spec.address for spec in rig.specs], head)
    prices = PoolTwapPrices(node, specs=rig.specs)
    with pytest.raises(NodeError, match="no pool has"):
        await prices.read(head)
    assert prices.counters["read_failed"] == 1
