"""Roles, settings and withdrawals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from executor_world import ETH, GUARDIAN, OPERATOR, OWNER, STRANGER, ExecutorPool, Reverted, Rules, World

from jitctl.contracts import calls
from jitctl.domain.values import Address

OTHERS = [STRANGER, OPERATOR, GUARDIAN]
NAMES = ["stranger", "operator", "guardian"]
OWNERS_ONLY: list[tuple[str, tuple[Any, ...]]] = [
    ("unhalt()", ()),
    ("setOperator(address,bool)", (STRANGER, True)),
    ("setGuardian(address)", (STRANGER,)),
    ("setBudget(uint256)", (10**30,)),
    ("setPool(address,bool,uint24,uint24,uint32,uint256,uint16)", (STRANGER, True, 1, 1, 60, 1, 1)),
    ("withdraw(address,uint256,address)", (STRANGER, 1, STRANGER)),
    ("withdrawEth(uint256,address)", (1, STRANGER)),
    ("transferOwnership(address)", (STRANGER,)),
]


@pytest.mark.parametrize("sender", OTHERS, ids=NAMES)
@pytest.mark.parametrize(("signature", "arguments"), OWNERS_ONLY, ids=lambda value: str(value).split("(")[0])
def test_what_is_the_owners_is_nobody_elses(
    world: World, sender: Address, signature: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(Reverted, match="not owner"):
        world.send(sender, world.executor, signature, *arguments)


@pytest.mark.parametrize("sender", [GUARDIAN, OWNER], ids=["guardian", "owner"])
def test_guardian_and_owner_halt_and_the_owner_resumes(world: World, sender: Address) -> None:
    world.call(sender, world.executor, calls.halt())
    assert world.events() == [("Halted", {"by": sender})] and world.halted
    world.call(sender, world.executor, calls.halt())
    world.owner_calls(calls.unhalt())
    assert not world.halted


@pytest.mark.parametrize("sender", [STRANGER, OPERATOR], ids=["stranger", "operator"])
def test_others_do_not_halt(world: World, sender: Address) -> None:
    with pytest.raises(Reverted, match="not guardian"):
        world.call(sender, world.executor, calls.halt())


def test_the_guardian_halts_and_closes_and_takes_nothing(pool: ExecutorPool) -> None:
    world = pool.world
    pool.mint(-10, 10, 10**22)
    before = pool.balances(GUARDIAN)
    world.call(GUARDIAN, world.executor, calls.halt())
    pool.close(sender=GUARDIAN)
    for token in (world.weth, pool.token):
        with pytest.raises(Reverted, match="not owner"):
            world.send(GUARDIAN, world.executor, "withdraw(address,uint256,address)", token, 1, GUARDIAN)
    assert pool.balances(GUARDIAN) == before


def test_the_owner_withdraws_everything(pool: ExecutorPool) -> None:
    world = pool.world
    for token in (world.weth, pool.token):
        held = world.balance(token, world.executor)
        world.send(OWNER, world.executor, "withdraw(address,uint256,address)", token, held, STRANGER)
        assert world.balance(token, world.executor) == 0 and world.balance(token, STRANGER) == held
    with pytest.raises(Reverted, match="zero address"):
        world.send(
            OWNER, world.executor, "withdraw(address,uint256,address)", world.weth, 0, "0x" + "00" * 20
        )


def test_ether_comes_only_from_weth_and_forced_ether_goes_to_the_owner(world: World) -> None:
    for sender in (STRANGER, OWNER):
        with pytest.raises(Reverted, match="only WETH"):
            world.call(sender, world.executor, b"", value=1)
    world.evm.set_balance(world.executor, ETH)
    before = world.evm.get_balance(STRANGER)
    world.send(OWNER, world.executor, "withdrawEth(uint256,address)", ETH, STRANGER)
    assert world.evm.get_balance(STRANGER) - before == ETH


def test_ownership_changes_hands_in_two_steps(world: World) -> None:
    with pytest.raises(Reverted, match="not offered"):
        world.send(STRANGER, world.executor, "acceptOwnership()")
    world.send(OWNER, world.executor, "transferOwnership(address)", STRANGER)
    assert world.view("owner()", "address") == OWNER
    with pytest.raises(Reverted, match="not offered"):
        world.send(OPERATOR, world.executor, "acceptOwnership()")
    world.send(STRANGER, world.executor, "acceptOwnership()")
    assert world.view("owner()", "address") == STRANGER
    assert world.view("pendingOwner()", "address") == "0x" + "00" * 20
    with pytest.raises(Reverted, match="not owner"):
        world.send(OWNER, world.executor, "setBudget(uint256)", 1)
    with pytest.raises(Reverted, match="not offered"):
        world.send(STRANGER, world.executor, "acceptOwnership()")


def test_the_zero_address_never_accepts(world: World) -> None:
    with pytest.raises(Reverted, match="not offered"):
        world.send(STRANGER, world.executor, "acceptOwnership()")


def test_rules_are_kept_and_shown(pool: ExecutorPool) -> None:
    rules = Rules(True, 123, 4_567, 86_400, 2**128 - 1, 9_999)
    pool.allow(rules)
    outputs = "bool,uint24,uint24,uint32,uint256,uint16,bool"
    shown = pool.world.view("pools(address)", outputs, pool.address)
    assert shown == (True, 123, 4_567, 86_400, 2**128 - 1, 9_999, pool.weth_is_token0)
    pool.allow(replace(rules, allowed=False))
    assert not pool.world.view("pools(address)", outputs, pool.address)[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"max_spot_ticks": 20_001}, "too many ticks"),
        ({"max_range_ticks": 20_001}, "too many ticks"),
        ({"twap_window_s": 59}, "window out of range"),
        ({"twap_window_s": 7 * 86_400 + 1}, "window out of range"),
        ({"max_notional_wei": 2**128}, "notional too large"),
        ({"max_tip_bps": 10_001}, "share over one"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, dict) else "",
)
def test_rules_out_of_bounds_are_refused(pool: ExecutorPool, change: dict[str, int], reason: str) -> None:
    with pytest.raises(Reverted, match=reason):
        pool.allow(replace(Rules(), **change))


def test_only_pools_of_the_factory_with_weth_are_allowed(world: World) -> None:
    signature = "createPool(address,address,uint24)"
    created = world.send(OWNER, world.factory, signature, world.new_token(), world.new_token(), 500)
    arguments = (True, 1, 1, 60, 1, 1)
    set_pool = "setPool(address,bool,uint24,uint24,uint32,uint256,uint16)"
    with pytest.raises(Reverted, match="no WETH side"):
        world.send(OWNER, world.executor, set_pool, "0x" + created[-20:].hex(), *arguments)
    other = World()
    foreign = other.new_pool()
    with pytest.raises(Reverted):
        world.send(OWNER, world.executor, set_pool, foreign.address, *arguments)
    with pytest.raises(Reverted):
        world.send(OWNER, world.executor, set_pool, STRANGER, *arguments)


def test_a_pool_that_only_says_so_is_not_of_the_factory(world: World) -> None:
    """A fake answers token0, token1 and fee like a real pool; the factory knows another one by them."""
    real = world.new_pool(weth_is_token0=False)
    fake = world.deploy(compiled_fake(world, real))
    with pytest.raises(Reverted, match="not of the factory"):
        world.send(
            OWNER,
            world.executor,
            "setPool(address,bool,uint24,uint24,uint32,uint256,uint16)",
            fake,
            True,
            1,
            1,
            60,
            1,
            1,
        )


def compiled_fake(world: World, real: ExecutorPool) -> bytes:
    from eth_abi import encode as abi_encode
    from executor_world import compiled

    return compiled("FakePool") + abi_encode(
        ["address", "address", "uint24"], [real.token0, real.token1, 500]
    )


def test_the_constructor_refuses_nothing_at_all() -> None:
    from jitctl.contracts import artifact

    world = World()
    zero = Address("0x" + "00" * 20)
    for arguments in ((zero, world.weth, world.factory), (OWNER, zero, OWNER), (OWNER, OWNER, zero)):
        with pytest.raises(RuntimeError):
            world.deploy(artifact.creation_code(*arguments))
