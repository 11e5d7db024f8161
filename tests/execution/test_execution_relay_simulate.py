"""The fallback simulator against the devnet's relay, and relays that answer nonsense."""

from __future__ import annotations

import dataclasses

import pytest

from jitctl.devnet.faults import Fault
from jitctl.execution.bundle import BundleSigner
from jitctl.execution.relay import HttpRelay, RelayEndpoint
from jitctl.execution.relay_simulate import RelaySimulator
from jitctl.execution.relays import bundle_hash
from jitctl.execution.simulate import NodeSimulator
from tests.chain.devnet_rig import DevnetRig
from tests.execution.fake_relay import FakeRelay, raw, reply
from tests.execution.relay_identity import identity

POOL = "WETH/USDC-0.05%"
AMOUNT = 20 * 10**18


def signer_of(rig: DevnetRig) -> BundleSigner:
    return BundleSigner(rig.wallet(), chain_id=rig.nodes.chain_id, executor=rig.executor)


async def simulated(rig: DevnetRig, relay: HttpRelay | None = None, **changes):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    draft = await rig.draft(victim, spec, AMOUNT)
    plan = dataclasses.replace(draft.plan, **{k: v for k, v in changes.items() if hasattr(draft.plan, k)})
    draft = dataclasses.replace(
        draft, plan=plan, **{k: v for k, v in changes.items() if not hasattr(plan, k)}
    )
    relay = relay or HttpRelay(RelayEndpoint("door", rig.net.manifest.data["relayUrl"], identity(rig), 5))
    simulator = RelaySimulator(rig.nodes, relay, signer_of(rig), timeout_s=5)
    simulation = await simulator.simulate(draft)
    assert simulator.counters[simulation.reason or "ok"] == 1
    await relay.close()
    return simulation, draft


async def test_gas_is_that_of_our_own_simulation(rig: DevnetRig):
    simulation, draft = await simulated(rig)
    assert simulation.ok and simulation.amounts is None, simulation
    own = await NodeSimulator(rig.nodes, executor=rig.executor, timeout_s=5).simulate(draft)
    assert (simulation.mint, simulation.victim, simulation.burn) == (own.mint, own.victim, own.burn)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount0_max": 0, "amount1_max": 0}, "mint_reverts"),
        ({"min_fees_wei": 10**21}, "burn_reverts"),
        ({"nonce": 7}, "nonce_mismatch"),
    ],
    ids=str,
)
async def test_failures_have_their_names(rig: DevnetRig, changes, reason):
    simulation, _ = await simulated(rig, **changes)
    assert (simulation.ok, simulation.reason) == (False, reason)


@pytest.mark.parametrize(
    ("fault", "reason"), [("429", "simulation_failed"), ("garbage", "simulation_failed")]
)
async def test_a_relay_that_fails_is_a_named_failure(rig: DevnetRig, fault, reason):
    rig.net.door.views.get("relay").lay(Fault(fault))
    simulation, _ = await simulated(rig)
    assert simulation.reason == reason


async def test_a_silent_relay_is_a_timeout(rig: DevnetRig):
    async with FakeRelay() as fake:
        fake.silent = True
        simulation, _ = await simulated(rig, HttpRelay(fake.endpoint(0.1)))
        assert simulation.reason == "simulation_timeout"


LIES = [
    None, [], {}, {"bundleHash": "0x00", "results": []}, {"bundleHash": None}, 5,
]  # fmt: skip


@pytest.mark.parametrize("result", LIES, ids=str)
async def test_a_relay_that_simulates_something_else_is_not_believed(rig: DevnetRig, result):
    async with FakeRelay() as fake:
        fake.answer = reply(result)
        simulation, _ = await simulated(rig, HttpRelay(fake.endpoint()))
        assert simulation.reason == "simulation_failed"


@pytest.mark.parametrize(
    "rows",
    [
        lambda hashes: [{"txHash": each, "gasUsed": 0} for each in hashes],
        lambda hashes: [{"txHash": each} for each in hashes],
        lambda hashes: [{"txHash": each, "gasUsed": 5} for each in hashes[:2]],
        lambda hashes: [{"txHash": each, "gasUsed": 5} for each in hashes[::-1]],
        lambda hashes: [{"txHash": each, "gasUsed": "x"} for each in hashes],
    ],
    ids=range(5),
)
async def test_results_of_the_wrong_shape_are_not_believed(rig: DevnetRig, rows):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    draft = await rig.draft(victim, spec, AMOUNT)
    bundle = signer_of(rig).sign(draft)
    async with FakeRelay() as fake:
        fake.answer = reply({"bundleHash": bundle_hash(bundle), "results": rows(bundle.tx_hashes)})
        relay = HttpRelay(fake.endpoint())
        simulation = await RelaySimulator(rig.nodes, relay, signer_of(rig), timeout_s=5).simulate(draft)
        assert simulation.reason == "simulation_failed"
        await relay.close()


async def test_a_victim_that_used_all_its_gas_lacked_it(rig: DevnetRig):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    draft = await rig.draft(victim, spec, AMOUNT)
    bundle = signer_of(rig).sign(draft)
    rows = [{"txHash": each, "gasUsed": 5} for each in bundle.tx_hashes]
    rows[1] |= {"error": "execution reverted", "gasUsed": victim.gas_limit}
    async with FakeRelay() as fake:
        fake.answer = reply({"bundleHash": bundle_hash(bundle), "results": rows})
        relay = HttpRelay(fake.endpoint())
        simulation = await RelaySimulator(rig.nodes, relay, signer_of(rig), timeout_s=5).simulate(draft)
        assert simulation.reason == "victim_gas"
        fake.answer = raw(500)
        assert (
            await RelaySimulator(rig.nodes, relay, signer_of(rig)).simulate(draft)
        ).reason == "simulation_failed"
        await relay.close()
