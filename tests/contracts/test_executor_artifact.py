"""The committed artifact is what the sources compile to, and the hand-laid calldata is its ABI's."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import decode as abi_decode
from eth_hash.auto import keccak
from executor_world import OWNER, World

from jitctl.contracts import artifact, build, calls
from jitctl.domain.values import Address, Hash32

POOL = Address("0x" + "ab" * 20)
WHO = Address("0x" + "cd" * 20)
HASH = Hash32("0x" + "9f" * 32)
FROZEN = {
    "mint(address,int24,int24,uint128,uint256,uint256,uint256,bytes32,uint160,uint160)",
    "burn(address,uint256,uint160,uint160,uint256)",
    "close(address)", "sweep(address,int24,int24)", "halt()", "unhalt()",
    "setOperator(address,bool)", "setGuardian(address)", "setBudget(uint256)",
    "setPool(address,bool,uint24,uint24,uint32,uint256,uint16)",
    "withdraw(address,uint256,address)", "withdrawEth(uint256,address)",
    "transferOwnership(address)", "acceptOwnership()",
    "uniswapV3MintCallback(uint256,uint256,bytes)",
    "owner()", "pendingOwner()", "guardian()", "isOperator(address)", "halted()", "pools(address)",
    "budget()",
    "spent24h()", "reserved()", "openPosition(address)", "weth()", "factory()",
}  # fmt: skip
FROZEN_EVENTS = {
    "Minted(address,int24,int24,uint128,uint256,uint256)",
    "Burned(address,uint256,uint256,uint256,uint256,uint256,uint256,bool)",
    "Closed(address,address,uint256,uint256,uint256)",
    "Swept(address,address,uint256,uint256)",
    "LossRecorded(address,uint256,uint256)",
    "Halted(address)", "Unhalted(address)", "OperatorSet(address,bool)", "GuardianSet(address)",
    "PoolSet(address,bool,uint24,uint24,uint32,uint256,uint16)", "BudgetSet(uint256)",
    "OwnershipOffered(address)", "OwnershipTaken(address)", "Withdrawn(address,uint256,address)",
}  # fmt: skip


def signatures(kind: str) -> dict[str, list[str]]:
    found = {}
    for entry in artifact.executor_abi():
        if entry["type"] == kind:
            types = [item["type"] for item in entry["inputs"]]
            found[f"{entry['name']}({','.join(types)})"] = types
    return found


def test_recompiling_gives_the_committed_artifact() -> None:
    assert build.ARTIFACT_PATH.read_text() == build.render(build.compile_executor())


def test_the_code_on_chain_is_the_artifacts_and_fits() -> None:
    world = World()
    code = bytes(world.evm.get_code(world.executor)).rstrip(b"\0")
    expected = artifact.runtime_code(world.weth, world.factory)
    assert code == expected.rstrip(b"\0")
    assert len(expected) <= 24_576
    template = bytes.fromhex(artifact.load()["runtimeCode"][2:])
    assert artifact.load()["runtimeCodeHash"] == "0x" + keccak(template).hex()


def test_names_that_others_depend_on() -> None:
    assert set(signatures("function")) == FROZEN
    assert set(signatures("event")) == FROZEN_EVENTS


def test_selectors_are_the_abis() -> None:
    known = {signature.split("(")[0]: keccak(signature.encode())[:4] for signature in signatures("function")}
    assert all(known[name] == selector for name, selector in calls.SELECTORS.items())


@pytest.mark.parametrize(
    ("name", "data", "arguments"),
    [
        (
            "mint",
            calls.mint(POOL, -887_270, 10, 2**128 - 1, 2**255, 7, 21_000_000, HASH, 42, 2**160 - 1),
            (POOL, -887_270, 10, 2**128 - 1, 2**255, 7, 21_000_000, bytes.fromhex(HASH[2:]), 42, 2**160 - 1),
        ),
        ("burn", calls.burn(POOL, 5, 6, 2**160 - 1, 10**18), (POOL, 5, 6, 2**160 - 1, 10**18)),
        ("close", calls.close(POOL), (POOL,)),
        ("sweep", calls.sweep(POOL, -60, -10), (POOL, -60, -10)),
        ("halt", calls.halt(), ()),
        ("unhalt", calls.unhalt(), ()),
        ("setOperator", calls.set_operator(WHO, True), (WHO, True)),
        ("setGuardian", calls.set_guardian(WHO), (WHO,)),
        ("setPool", calls.set_pool(POOL, True, 1, 2, 3, 4, 5), (POOL, True, 1, 2, 3, 4, 5)),
        ("setBudget", calls.set_budget(10**20), (10**20,)),
        ("openPosition", calls.open_position(POOL), (POOL,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_calldata_is_the_abis(name: str, data: bytes, arguments: tuple[Any, ...]) -> None:
    (types,) = [
        types for signature, types in signatures("function").items() if signature.startswith(name + "(")
    ]
    assert data[:4] == calls.SELECTORS[name]
    assert abi_decode(types, data[4:]) == arguments
    assert len(data) == 4 + 32 * len(types)


def test_the_constructor_takes_owner_weth_and_factory() -> None:
    world = World()
    assert world.view("owner()", "address") == OWNER
    assert world.view("weth()", "address") == world.weth
    assert world.view("factory()", "address") == world.factory
