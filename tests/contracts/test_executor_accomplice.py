"""Contracts as operator, swapper and fee recipient: all in one transaction, and reentry everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi import encode as abi_encode
from executor_world import (
    ANY_MAX,
    ETH,
    GUARDIAN,
    OPERATOR,
    OWNER,
    STRANGER,
    ExecutorPool,
    Reverted,
    World,
    compiled,
    selector,
)

from jitctl.amm.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, get_sqrt_ratio_at_tick
from jitctl.contracts import calls
from jitctl.domain.values import Address

LIQUIDITY = 10**23
Call = tuple[Address, bytes]


def mint_data(pool: ExecutorPool, lower: int, upper: int, liquidity: int = LIQUIDITY) -> bytes:
    world = pool.world
    return calls.mint(
        pool.address, lower, upper, liquidity, 2**128, 2**128, world.number, world.parent_hash, 0, ANY_MAX
    )


class Accomplice:
    def __init__(self, world: World) -> None:
        self.world = world
        self.address = world.deploy(compiled("Accomplice"))
        world.owner_calls(calls.set_operator(self.address, True))
        world.give_weth(self.address, 1 << 90)

    def fund(self, pool: ExecutorPool) -> None:
        self.world.give(pool.token, self.address, 1 << 90)

    def arm(self, *armed: Call) -> None:
        data = selector("arm((address,bytes)[])") + abi_encode(["(address,bytes)[]"], [armed])
        self.world.call(STRANGER, self.address, data)

    def run(self, *steps: Call) -> None:
        data = selector("run((address,bytes)[])") + abi_encode(["(address,bytes)[]"], [steps])
        self.world.call(STRANGER, self.address, data)

    def swap_to(self, pool: ExecutorPool, tick: int) -> Call:
        target = get_sqrt_ratio_at_tick(tick) + 1
        return self.swap(pool, target < pool.sqrt_price, 1 << 80, target)

    def swap(self, pool: ExecutorPool, down: bool, amount: int, limit: int | None = None) -> Call:
        limit = limit or (MIN_SQRT_RATIO + 1 if down else MAX_SQRT_RATIO - 1)
        arguments = abi_encode(["address", "bool", "int256", "uint160"], [pool.address, down, amount, limit])
        return self.address, selector("swap(address,bool,int256,uint160)") + arguments

    @property
    def failed(self) -> int:
        failed: int = self.world.read(self.address, "failed()", "uint256")
        return failed


def encoded(signature: str, *arguments: Any) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return selector(signature) + abi_encode(types, arguments)


REENTRIES: dict[str, Callable[[ExecutorPool, ExecutorPool], bytes]] = {
    "mint": lambda pool, other: mint_data(pool, -10, 10),
    "burn": lambda pool, other: calls.burn(other.address, 0, 0, ANY_MAX, 0),
    "burn_again": lambda pool, other: calls.burn(pool.address, 0, 0, ANY_MAX, 0),
    "close": lambda pool, other: calls.close(other.address),
    "sweep": lambda pool, other: calls.sweep(pool.address, -10, 10),
    "callback": lambda pool, other: encoded("uniswapV3MintCallback(uint256,uint256,bytes)", 1, 1, b""),
    "halt": lambda pool, other: calls.halt(),
    "unhalt": lambda pool, other: calls.unhalt(),
    "withdraw": lambda pool, other: encoded(
        "withdraw(address,uint256,address)", pool.world.weth, 1, STRANGER
    ),
    "withdraw_eth": lambda pool, other: encoded("withdrawEth(uint256,address)", 0, STRANGER),
    "budget": lambda pool, other: calls.set_budget(2**50),
    "ownership": lambda pool, other: encoded("transferOwnership(address)", STRANGER),
}


@pytest.fixture
def accomplice(pool: ExecutorPool) -> Accomplice:
    accomplice = Accomplice(pool.world)
    accomplice.fund(pool)
    return accomplice


def test_a_whole_attack_in_one_transaction_stays_within_the_reserve(
    pool: ExecutorPool, accomplice: Accomplice
) -> None:
    """Raise, mint, drop, burn, and once more, with nothing between them."""
    world, executor = pool.world, pool.world.executor
    raise_, drop = accomplice.swap_to(pool, 195), accomplice.swap(pool, True, 1 << 80, 1 << 96)
    open_ = (executor, mint_data(pool, 100, 190, 10**22))
    close = (executor, calls.burn(pool.address, 0, 0, ANY_MAX, 0))
    before = sum(pool.balances())
    accomplice.run(raise_, open_)
    reserve = world.reserved
    accomplice.run(drop, close)
    first = before - sum(pool.balances())
    assert 0 < first <= world.spent <= reserve
    accomplice.run(raise_, open_, drop, close, raise_, open_, drop, close)
    assert first * 2 < before - sum(pool.balances()) <= world.spent <= 3 * reserve


@pytest.mark.parametrize("name", ["mint", "burn", "close", "sweep"])
def test_inside_a_pools_own_swap_nothing_moves_there(
    pool: ExecutorPool, accomplice: Accomplice, name: str
) -> None:
    if name in ("burn", "close"):
        pool.mint(-10, 10, LIQUIDITY)
    if name == "sweep":
        pool.provide(-10, 10, LIQUIDITY, pool.world.executor)
    data = {
        "mint": mint_data(pool, -10, 10),
        "burn": calls.burn(pool.address, 0, 0, ANY_MAX, 0),
        "close": calls.close(pool.address),
        "sweep": calls.sweep(pool.address, -10, 10),
    }[name]
    before, position = pool.balances(), pool.position()
    accomplice.arm((pool.world.executor, data))
    accomplice.run(accomplice.swap(pool, True, ETH))
    assert accomplice.failed == 1
    assert pool.balances() == before and pool.position() == position


def test_inside_another_pools_swap_it_is_as_outside(pool: ExecutorPool, accomplice: Accomplice) -> None:
    world = pool.world
    other = world.new_pool()
    accomplice.fund(other)
    before = sum(pool.balances())
    accomplice.arm(
        (world.executor, mint_data(pool, -10, 10)),
        accomplice.swap(pool, True, ETH),
        (world.executor, calls.burn(pool.address, 0, 0, ANY_MAX, 0)),
    )
    accomplice.run(accomplice.swap(other, True, ETH))
    # The inner swap's own callback runs what is armed as well: there the pool is locked, and nothing moves.
    assert not pool.position()[0] and world.reserved == 0
    assert sum(pool.balances()) >= before - 4


class TestTip:
    """The fee recipient is a contract that has every role."""

    @pytest.fixture
    def scene(self, pool: ExecutorPool) -> ExecutorPool:
        self.other = pool.world.new_pool()
        self.other.mint(-10, 10, LIQUIDITY // 10)
        pool.mint(-10, 10, LIQUIDITY)
        pool.swap(True, 10 * ETH)
        return pool

    def hire(self, pool: ExecutorPool, data: bytes, *, insist: bool) -> None:
        """Make a contract that calls the executor with `data` when paid everything that one can be."""
        world = pool.world
        arguments = abi_encode(["address", "bytes", "bool"], [world.executor, data, insist])
        builder = world.deploy(compiled("GreedyBuilder") + arguments)
        world.owner_calls(
            calls.set_operator(builder, True),
            calls.set_guardian(builder),
            selector("transferOwnership(address)") + abi_encode(["address"], [builder]),
        )
        world.send(STRANGER, builder, "own()")
        world.set_coinbase(builder)

    @pytest.mark.parametrize("insist", [False, True], ids=["shrugs", "insists"])
    @pytest.mark.parametrize("name", REENTRIES)
    def test_it_enters_nothing(self, scene: ExecutorPool, name: str, insist: bool) -> None:
        world = scene.world
        self.hire(scene, REENTRIES[name](scene, self.other), insist=insist)
        held = sum(scene.balances())
        if insist:
            with pytest.raises(Reverted, match="tip refused"):
                scene.burn(tip=10**12)
            assert scene.position()[0] and sum(scene.balances()) == held
            return
        burned = scene.burn(tip=10**12)
        assert burned["tipWei"] == 10**12 == world.evm.get_balance(world.coinbase)
        (paid,) = [log for log in world.evm.result.logs if log.address.lower() == world.coinbase]
        assert bytes(paid.data[1]) == abi_encode(["uint256", "bool"], [10**12, False])
        assert sum(scene.balances()) - held == burned["collected0"] + burned["collected1"] - 10**12
        assert self.other.position()[0] and not scene.position()[0] and not world.halted

    def test_it_burns_only_the_gas_of_the_tip(self, scene: ExecutorPool) -> None:
        world = scene.world
        self.hire(scene, b"", insist=False)
        with pytest.raises(Reverted, match="tip refused"):
            scene.burn(tip=10**12)
        wasted = world.evm.result.gas_used
        checkpoint = world.evm.snapshot()
        scene.burn()
        assert wasted - world.gas_used < 100_000
        world.evm.revert(checkpoint)
        scene.close(sender=OPERATOR)
        assert not scene.position()[0]

    @pytest.mark.parametrize("recipient", ["executor", "weth", "pool"])
    def test_our_own_contracts_are_no_fee_recipients(self, scene: ExecutorPool, recipient: str) -> None:
        """WETH takes it as a deposit of ours; the others refuse, and nothing else happens."""
        world = scene.world
        where = {"executor": world.executor, "weth": world.weth, "pool": scene.address}[recipient]
        world.set_coinbase(where)
        if recipient == "weth":
            held = sum(scene.balances())
            burned = scene.burn(tip=10**12)
            assert sum(scene.balances()) - held == burned["collected0"] + burned["collected1"]
        else:
            with pytest.raises(Reverted, match="tip refused"):
                scene.burn(tip=10**12)


def test_ether_sent_with_a_call_is_refused(pool: ExecutorPool) -> None:
    world = pool.world
    word = bytes(32)
    for sender, data in (
        (OPERATOR, mint_data(pool, -10, 10)),
        (OPERATOR, calls.burn(pool.address, 0, 0, ANY_MAX, 0)),
        (OPERATOR, calls.close(pool.address)),
        (OPERATOR, calls.sweep(pool.address, -10, 10)),
        (GUARDIAN, calls.halt()),
        (OWNER, calls.unhalt()),
        (OWNER, calls.set_budget(ETH)),
        (OWNER, selector("withdraw(address,uint256,address)") + word * 3),
        (OWNER, selector("acceptOwnership()")),
    ):
        with pytest.raises(Reverted):
            world.call(sender, world.executor, data, value=1)
    assert world.evm.get_balance(world.executor) == 0


def test_forced_ether_pays_no_tips(pool: ExecutorPool) -> None:
    world = pool.world
    world.evm.set_balance(world.executor, ETH)
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(True, 10 * ETH)
    burned = pool.burn(tip=10**12)
    assert burned["tipWei"] == 10**12 and world.evm.get_balance(world.executor) == ETH


def test_another_operator_closes_in_the_same_block_under_the_same_conditions(pool: ExecutorPool) -> None:
    world = pool.world
    world.owner_calls(calls.set_operator(STRANGER, True))
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(True, 10 * ETH)
    with pytest.raises(Reverted, match="fees below minimum"):
        pool.burn(sender=STRANGER, min_fees=ETH)
    assert pool.burn(sender=STRANGER, min_fees=1)["sameBlock"]


def test_the_owner_may_withdraw_everything_while_a_position_is_open(pool: ExecutorPool) -> None:
    world = pool.world
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(not pool.weth_is_token0, 10 * ETH)
    for token in (world.weth, pool.token):
        held = world.balance(token, world.executor)
        world.send(OWNER, world.executor, "withdraw(address,uint256,address)", token, held, OWNER)
    burned = pool.burn(min_fees=1, tip=10**12)
    assert burned["lossWei"] == 0
    assert sum(pool.balances()) == burned["collected0"] + burned["collected1"] - 10**12


@pytest.mark.parametrize("end", [-20_000, -210, -195, -100, 0, 95, 101, 195, 20_000])
@pytest.mark.parametrize("begin", [-190, 0, 190])
def test_a_close_sandwiched_in_public_loses_at_most_the_reserve(
    pool: ExecutorPool, begin: int, end: int
) -> None:
    """The whole position is traded through, to any price and back, before and after the closing."""
    world = pool.world
    pool.move_to(begin)
    before = sum(pool.balances())
    pool.mint(-200, 200, 10**22)
    reserve = world.reserved
    world.next_block()
    pool.move_to(end)
    closed = pool.close(sender=GUARDIAN)
    pool.move_to(0)
    lost = before - sum(pool.balances())
    assert lost <= closed["lossWei"] <= reserve and world.spent <= reserve
