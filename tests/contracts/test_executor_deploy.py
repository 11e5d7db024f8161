"""Deployment and set-up through web3 on a real node, and the gas of both legs there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anvil_chain import running_anvil
from eth_account import Account
from gas_scene import WINDOW_S, GasScene
from web3 import IPCProvider, Web3

from jitctl.contracts.deploy import Deployer, PoolRules, SetUp, observations_needed
from jitctl.domain.values import Address, address
from jitctl.errors import NodeError

FLOOR_GAS = 2 * 21_000
CEILING_GAS = 575_000
"""Well above what the benchmark measures for fresh ticks: a sudden growth fails here."""


@pytest.fixture(scope="module")
def scene() -> Iterator[GasScene]:
    with running_anvil(mining=False) as chain:
        yield GasScene(chain, Deployer(chain.w3, chain.account, poll_s=0.01))


@pytest.fixture
def deployer(scene: GasScene) -> Iterator[Deployer]:
    """A deployer whose transactions are mined at once."""
    scene.chain.rpc("evm_setAutomine", True)
    yield Deployer(scene.chain.w3, scene.chain.account, poll_s=0.01)
    scene.chain.rpc("evm_setAutomine", False)
    scene.chain.sync_nonce()


def slot0_cardinality_next(scene: GasScene) -> int:
    to = Web3.to_checksum_address(scene.pool)
    words = bytes(scene.chain.w3.eth.call({"to": to, "data": Web3.keccak(text="slot0()")[:4]}))
    return int.from_bytes(words[128:160], "big")


def test_a_set_up_executor_runs_a_bundle_on_a_real_node(scene: GasScene) -> None:
    scene.bundle(-20, 20)  # The first one ever also fills the executor's own slots.
    mint, victim, burn = scene.bundle(-30, 30)
    assert FLOOR_GAS < mint + burn < CEILING_GAS
    assert victim < scene.without_us() * 2


def test_the_code_is_checked(scene: GasScene, deployer: Deployer) -> None:
    assert deployer.is_executor(scene.executor, scene.weth, scene.factory)
    assert not deployer.is_executor(scene.executor, scene.factory, scene.weth)
    assert not deployer.is_executor(scene.trader, scene.weth, scene.factory)
    assert not deployer.is_executor(Address("0x" + "99" * 20), scene.weth, scene.factory)


def test_cardinality_is_raised_in_steps_and_only_if_needed(scene: GasScene, deployer: Deployer) -> None:
    before = slot0_cardinality_next(scene)
    assert before == observations_needed(WINDOW_S, 12.0)
    deployer.raise_cardinality(scene.pool, before + 350)
    assert slot0_cardinality_next(scene) == before + 350
    nonce = scene.chain.w3.eth.get_transaction_count(scene.chain.account.address)
    deployer.raise_cardinality(scene.pool, 10)
    assert scene.chain.w3.eth.get_transaction_count(scene.chain.account.address) == nonce


@pytest.mark.parametrize(("window_s", "slot_s", "observations"), [(1_800, 12.0, 170), (1_801, 12.0, 171)])
def test_a_window_needs_one_observation_a_block(window_s: int, slot_s: float, observations: int) -> None:
    assert observations_needed(window_s, slot_s) == observations


def test_set_up_can_be_run_again_and_only_by_the_owner(scene: GasScene, deployer: Deployer) -> None:
    me = address(scene.chain.account.address)
    rules = PoolRules(scene.pool, 200, 1_000, WINDOW_S, 10**23, 9_000)
    plan = SetUp((me, Address("0x" + "12" * 20)), me, (rules,), 10**19)
    deployer.set_up(scene.executor, plan)
    deployer.set_up(scene.executor, plan)
    other = Account.create()
    scene.chain.rpc("anvil_setBalance", other.address, hex(10**20))
    with pytest.raises(NodeError, match="not owner"):
        Deployer(scene.chain.w3, other, poll_s=0.01).set_up(scene.executor, plan)


def test_what_is_no_pool_is_said(scene: GasScene, deployer: Deployer) -> None:
    with pytest.raises(NodeError):
        deployer.raise_cardinality(scene.trader, 10)


def test_a_node_that_is_gone_is_a_node_error() -> None:
    gone = Deployer(Web3(IPCProvider("/nonexistent/ipc", timeout=1)), Account.create())
    with pytest.raises(NodeError):
        gone.deploy(Address("0x" + "01" * 20), Address("0x" + "02" * 20), Address("0x" + "03" * 20))
