"""The simulator on a real EVM: what succeeds, and every named way in which a bundle does not."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.errors import NodeError
from jitctl.execution.simulate import NodeSimulator
from jitctl.execution.tracer import NodeTracer
from tests.chain.devnet_rig import SWAP_ROUTER, DevnetRig

POOL = "WETH/USDC-0.05%"
AMOUNT = 20 * 10**18


@pytest.fixture
def simulator(rig: DevnetRig) -> NodeSimulator:
    return NodeSimulator(rig.nodes, executor=rig.executor, timeout_s=5)


@pytest.mark.parametrize("weth_in", [True, False], ids=["weth_in", "weth_out"])
@pytest.mark.parametrize("name", [POOL, "WETH/USDT-0.05%", "WETH/WBTC-0.3%", "WETH/DAI-1%"])
async def test_amounts_are_exactly_those_of_the_plan(rig: DevnetRig, simulator, name, weth_in):
    spec = rig.spec(name)
    usd = 20_000
    amount = usd * 10**18 // 2_500 if weth_in else usd * 10**spec.quote_token.decimals
    if spec.quote_token.symbol == "WBTC" and not weth_in:
        amount = usd * 10**8 // 60_000
    victim = await rig.swap(spec, amount, weth_in=weth_in)
    draft = await rig.draft(victim, spec, amount, weth_in=weth_in)
    simulation = await simulator.simulate(draft)
    assert simulation.ok, simulation
    plan, found = draft.plan, simulation.amounts
    assert found is not None
    assert (found.minted0, found.minted1) == (plan.expected_mint0, plan.expected_mint1)
    assert (found.collected0, found.collected1) == (plan.expected_burn0, plan.expected_burn1)
    assert (found.fees0, found.fees1) == (plan.expected_fees0, plan.expected_fees1)
    assert found.tip_wei == plan.bid_wei
    assert simulator.counters["ok"] == 1
    assert simulation.mint and simulation.mint.gas_used > 100_000


async def simulated(rig: DevnetRig, simulator: NodeSimulator, **changes):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    draft = await rig.draft(victim, spec, AMOUNT)
    plan_changes = {key: value for key, value in changes.items() if hasattr(draft.plan, key)}
    draft_changes = {key: value for key, value in changes.items() if key not in plan_changes}
    plan = dataclasses.replace(draft.plan, **plan_changes)
    return await simulator.simulate(dataclasses.replace(draft, plan=plan, **draft_changes))


async def test_a_mint_that_the_contract_refuses(rig, simulator):
    simulation = await simulated(rig, simulator, amount1_max=0, amount0_max=0)
    assert (simulation.ok, simulation.reason) == (False, "mint_reverts")
    assert simulation.detail == "amount over maximum"


async def test_a_mint_without_enough_gas(rig, simulator):
    simulation = await simulated(rig, simulator, mint_gas_limit=100_000)
    assert simulation.reason == "mint_reverts"


async def test_a_burn_below_its_fees(rig, simulator):
    simulation = await simulated(rig, simulator, min_fees_wei=10**21)
    assert simulation.reason == "burn_reverts" and simulation.detail
    assert simulation.victim is not None and simulation.victim.success


@pytest.mark.parametrize("step", [-1, 1])
async def test_a_wrong_base_fee_is_seen_without_the_node(rig, simulator, step):
    head = await rig.reader.head()
    simulation = await simulated(rig, simulator, base_fee_wei=next_base_fee_wei(head) + step)
    assert simulation.reason == "simulation_failed" and "base fee" in simulation.detail


async def test_a_wrong_operator_nonce(rig, simulator):
    assert (await simulated(rig, simulator, nonce=7)).reason == "nonce_mismatch"


async def test_an_operator_that_cannot_pay(rig, simulator):
    operator = rig.net.people.operators[0].address
    await rig.net.chain.link.request("anvil_setBalance", operator, hex(10**9))
    assert (await simulated(rig, simulator)).reason == "balance_short"


async def test_a_victim_that_cannot_pay(rig, simulator):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    await rig.net.chain.link.request("anvil_setBalance", victim.sender, hex(10**9))
    simulation = await simulator.simulate(await rig.draft(victim, spec, AMOUNT))
    assert simulation.reason == "victim_short" and simulation.detail.startswith("victim")


async def test_a_victim_whose_nonce_is_ahead(rig, simulator):
    spec = rig.spec(POOL)
    await rig.swap(spec, AMOUNT)
    second = await rig.swap(spec, AMOUNT)
    assert (await simulator.simulate(await rig.draft(second, spec, AMOUNT))).reason == "victim_queued"


async def test_a_victim_that_is_already_mined(rig, simulator):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    await rig.net.slot()
    assert (await simulator.simulate(await rig.draft(victim, spec, AMOUNT))).reason == "victim_gone"


async def test_a_victim_that_would_revert_anyway(rig, simulator):
    spec = rig.spec(POOL)
    head = await rig.reader.head()
    arguments = (
        spec.weth.address, spec.quote_token.address, spec.fee_pips, rig.net.people.users[0].address,
        head.timestamp_s, AMOUNT, 0, 0,
    )  # fmt: skip
    victim = await rig.swap(spec, AMOUNT, data=SWAP_ROUTER.call("exactInputSingle", arguments))
    simulation = await simulator.simulate(await rig.draft(victim, spec, AMOUNT))
    assert simulation.reason == "victim_reverts" and "Transaction too old" in simulation.detail


async def test_a_victim_whose_gas_our_ticks_exhaust(rig, simulator):
    """With this gas limit the swap works alone; with our ticks to cross it does not."""
    spec = rig.spec("WETH/USDC-0.3%")
    amount = 300 * 10**18
    alone = await rig.swap(spec, amount)
    among_ticks = await rig.draft(alone, spec, amount)
    thin = dataclasses.replace(among_ticks.plan, liquidity=among_ticks.plan.liquidity // 100)
    loose = dataclasses.replace(
        thin, burn_sqrt_price_min_x96=0, burn_sqrt_price_max_x96=2**160 - 1, bid_wei=0, min_fees_wei=0
    )
    together = await simulator.simulate(dataclasses.replace(among_ticks, plan=loose))
    assert together.ok and together.victim is not None, together
    tracer = NodeTracer(rig.nodes, rig.specs, max_per_s=1e6, timeout_s=5)
    gas_limit = alone.gas_limit
    while await tracer.observe(dataclasses.replace(alone, gas_limit=gas_limit), among_ticks.parent):
        gas_limit -= 2_000
    gas_limit += 2_000
    assert gas_limit < together.victim.gas_used
    rig.net.chain.mempool.drop([alone.hash])
    victim = await rig.swap(spec, amount, gas=gas_limit)
    simulation = await simulator.simulate(dataclasses.replace(among_ticks, plan=loose, victim=victim))
    assert simulation.reason == "victim_gas", simulation


async def test_the_head_that_moved_meanwhile(rig, simulator):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    draft = await rig.draft(victim, spec, AMOUNT)
    await rig.nodes.call("eth_blockNumber")
    rig.net.chain.mempool.drop([victim.hash])
    await rig.net.slot()
    assert (await simulator.simulate(draft)).reason == "parent_moved"


async def test_altered_bytes_are_seen_without_the_node(rig, simulator):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    victim = dataclasses.replace(victim, rpc_body={**victim.rpc_body, "gas": hex(victim.gas_limit + 1)})
    assert (await simulator.simulate(await rig.draft(victim, spec, AMOUNT))).reason == "raw_mismatch"


class SlowNode:
    async def call(self, method, params=(), *, timeout_s=None, only=None):
        await asyncio.sleep(3600)

    async def call_many(self, requests, *, timeout_s=None):
        await asyncio.sleep(3600)


class FailingNode:
    def __init__(self, answer) -> None:
        self.answer = answer

    async def call(self, method, params=(), *, timeout_s=None, only=None):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def call_many(self, requests, *, timeout_s=None):
        return [await self.call(*request) for request in requests]


async def test_a_silent_node_is_a_timeout(rig):
    simulator = NodeSimulator(SlowNode(), executor=rig.executor, timeout_s=0.05)
    assert (await simulated(rig, simulator)).reason == "simulation_timeout"


@pytest.mark.parametrize(
    "answer",
    [
        NodeError("dead"),
        None,
        [],
        {},
        "0x1",
        "0x" + "f" * 9_000,
        "-0x1",
        [{"number": "0x1", "calls": []}],
        [{"number": "0x5", "calls": [1, 2, 3]}],
    ],
    ids=str,
)
async def test_a_lying_node_is_a_named_failure(rig, answer):
    simulator = NodeSimulator(FailingNode(answer), executor=rig.executor)
    assert (await simulated(rig, simulator)).reason == "simulation_failed"


class Twisting:
    """A real node whose simulations are changed on their way."""

    def __init__(self, nodes, twist) -> None:
        self.nodes = nodes
        self.twist = twist

    async def call(self, method, params=(), **limits):
        return await self.nodes.call(method, params, **limits)

    async def call_many(self, requests, **limits):
        simulated, *others = await self.nodes.call_many(requests, **limits)
        for result in simulated[0]["calls"]:
            result.update(self.twist)
        return [simulated, *others]


@pytest.mark.parametrize(
    "twist",
    [
        {"logs": [None]},
        {"logs": ["x"]},
        {"logs": []},
        {"logs": None},
        {"status": "1"},
        {"status": True},
        {"gasUsed": "0x" + "f" * 9_000},
        {"gasUsed": "-0xffffffff"},
    ],
    ids=lambda twist: str(twist)[:30],
)
async def test_nonsense_within_a_simulation_is_a_named_failure(rig, twist):
    simulator = NodeSimulator(Twisting(rig.nodes, twist), executor=rig.executor, timeout_s=5)
    assert (await simulated(rig, simulator)).reason == "simulation_failed"
