"""The mint callback pays one pool once; hostile and odd tokens end in a named outcome."""

from __future__ import annotations

import pytest
from eth_abi import encode as abi_encode
from executor_world import (
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

from jitctl.contracts import calls
from jitctl.domain.values import Address

LIQUIDITY = 10**22


def callback(amount0: int, amount1: int) -> bytes:
    arguments = abi_encode(["uint256", "uint256", "bytes"], [amount0, amount1, b""])
    return selector("uniswapV3MintCallback(uint256,uint256,bytes)") + arguments


@pytest.mark.parametrize("sender", [STRANGER, OPERATOR, OWNER], ids=["stranger", "operator", "owner"])
@pytest.mark.parametrize("position_open", [False, True])
def test_a_callback_out_of_the_blue_pays_nothing(
    pool: ExecutorPool, sender: Address, position_open: bool
) -> None:
    if position_open:
        pool.mint(-10, 10, LIQUIDITY)
    before = pool.balances()
    for amounts in ((ETH, ETH), (0, 0)):
        with pytest.raises(Reverted, match="unexpected callback"):
            pool.world.call(sender, pool.world.executor, callback(*amounts))
    assert pool.balances() == before


class TestHostileToken:
    """A token calls back into the executor while the executor pays with it."""

    @pytest.fixture
    def scene(self, world: World) -> ExecutorPool:
        token = world.deploy(compiled("HookToken"))
        return world.new_pool(token=token, weth_is_token0=world.weth < token)

    def arm(self, pool: ExecutorPool, target: Address, data: bytes) -> None:
        pool.world.send(OWNER, pool.token, "arm(address,bytes)", target, data)

    @pytest.mark.parametrize("amounts", [(0, 0), (ETH, ETH)], ids=["nothing", "more"])
    def test_its_own_callback_is_refused(self, scene: ExecutorPool, amounts: tuple[int, int]) -> None:
        self.arm(scene, scene.world.executor, callback(*amounts))
        with pytest.raises(Reverted, match="token transfer failed"):
            scene.mint(-10, 10, LIQUIDITY)

    @pytest.mark.parametrize("name", ["mint", "burn", "close", "sweep", "halt", "withdraw", "setBudget"])
    def test_no_function_is_entered_again_whatever_its_role(self, scene: ExecutorPool, name: str) -> None:
        world = scene.world
        world.owner_calls(
            calls.set_operator(scene.token, True),
            calls.set_guardian(scene.token),
            selector("transferOwnership(address)") + abi_encode(["address"], [scene.token]),
        )
        accept = selector("acceptOwnership()")
        world.send(STRANGER, scene.token, "act(address,bytes)", world.executor, accept)
        assert world.view("owner()", "address") == scene.token
        data = {
            "mint": calls.mint(
                scene.address, -20, 20, 1, 2**128, 2**128, world.number, world.parent_hash, 0, 2**160 - 1
            ),
            "burn": calls.burn(scene.address, 0, 0, 2**160 - 1, 0),
            "close": calls.close(scene.address),
            "sweep": calls.sweep(scene.address, -20, 20),
            "halt": calls.halt(),
            "withdraw": selector("withdraw(address,uint256,address)")
            + abi_encode(["address", "uint256", "address"], [world.weth, ETH, STRANGER]),
            "setBudget": calls.set_budget(1),
        }[name]
        self.arm(scene, world.executor, data)
        with pytest.raises(Reverted, match="token transfer failed"):
            scene.mint(-10, 10, LIQUIDITY)
        # The same on the way back: the pool's own name for a transfer that failed.
        self.arm(scene, Address("0x" + "00" * 20), b"")
        scene.mint(-10, 10, LIQUIDITY)
        self.arm(scene, world.executor, data)
        with pytest.raises(Reverted, match="TF"):
            scene.burn()
        assert scene.position()[0]

    def test_the_pool_is_locked_too(self, scene: ExecutorPool) -> None:
        world = scene.world
        signature = "swap(address,bool,int256,uint160)"
        swap = selector(signature) + abi_encode(
            ["address", "bool", "int256", "uint160"], [scene.address, True, ETH, 4295128740]
        )
        self.arm(scene, world.trader, swap)
        with pytest.raises(Reverted, match="token transfer failed"):
            scene.mint(-10, 10, LIQUIDITY)


def test_a_token_that_returns_nothing_works(world: World) -> None:
    token = world.new_token(silent=True, decimals=6)
    pool = world.new_pool(token=token, weth_is_token0=world.weth < token)
    pool.mint(-10, 10, LIQUIDITY)
    pool.swap(True, ETH)
    assert pool.burn(min_fees=1, tip=10**12)["lossWei"] == 0
    withdraw = selector("withdraw(address,uint256,address)")
    world.call(
        OWNER, world.executor, withdraw + abi_encode(["address", "uint256", "address"], [token, 5, STRANGER])
    )
    assert world.balance(token, STRANGER) == 5


@pytest.mark.parametrize("weth_is_token0", [False, True])
def test_a_token_that_takes_a_fee_reverts_by_the_pools_own_name(world: World, weth_is_token0: bool) -> None:
    token = world.new_token(fee_bps=100)
    while (world.weth < token) != weth_is_token0:
        token = world.new_token(fee_bps=100)
    world.send(OWNER, token, "setExempt(address,bool)", world.trader, True)
    pool = world.new_pool(token=token, weth_is_token0=weth_is_token0)
    with pytest.raises(Reverted, match="M1" if weth_is_token0 else "M0"):
        pool.mint(-10, 10, LIQUIDITY)
    assert not pool.position()[0] and world.reserved == 0


class TestTokenThatTaxesOneWay:
    """It is paid in untaxed, so a mint goes well; what the pool pays out arrives short."""

    @pytest.fixture(params=[False, True], ids=["weth_is_token1", "weth_is_token0"])
    def scene(self, request: pytest.FixtureRequest, world: World) -> ExecutorPool:
        token = world.deploy(compiled("TaxToken"))
        while (world.weth < token) != request.param:
            token = world.deploy(compiled("TaxToken"))
        return world.new_pool(token=token, weth_is_token0=request.param)

    def tax(self, pool: ExecutorPool, bps: int) -> None:
        pool.world.send(OWNER, pool.token, "tax(address,uint256)", pool.address, bps)

    @pytest.mark.parametrize("how", ["burn", "burn_later", "close"])
    def test_what_did_not_arrive_is_a_loss_and_no_fee(self, scene: ExecutorPool, how: str) -> None:
        world = scene.world
        before = sum(scene.balances())
        minted = scene.mint(-10, 10, 10**23)
        token_side = 1 if scene.weth_is_token0 else 0
        scene.swap(token_side == 0, 10 * ETH)
        self.tax(scene, 100)
        if how == "burn_later":
            world.next_block()
        if how == "burn":
            with pytest.raises(Reverted, match="tip over share"):
                scene.burn(tip=1)
        closed = scene.close(sender=GUARDIAN) if how == "close" else scene.burn()
        lost = before - sum(scene.balances())
        assert lost > minted[f"amount{token_side}"] // 101
        assert lost <= closed["lossWei"] <= world.spent
        # Later, the price that the victim left behind counts as well.
        assert closed["lossWei"] <= lost + 4 or how == "burn_later"
        assert closed["collected0"] + closed["collected1"] == sum(minted[f"amount{n}"] for n in (0, 1)) - lost

    def test_the_budget_ends_it(self, scene: ExecutorPool) -> None:
        world = scene.world
        self.tax(scene, 10)
        before, taxed = sum(scene.balances()), []
        for _ in range(500):
            held = sum(scene.balances())
            try:
                scene.mint(-10, 10, 10**23)
            except Reverted as refused:
                assert str(refused) in ("loss budget", "halted")
                break
            scene.burn()
            taxed.append(held - sum(scene.balances()))
            world.next_block()
        assert 5 < len(taxed) < 500
        budget = world.view("budget()", "uint256")
        assert budget * 0.9 < before - sum(scene.balances()) < budget + taxed[0]


def test_a_blocked_executor_is_a_named_outcome_and_closes_when_it_is_released(pool: ExecutorPool) -> None:
    world = pool.world

    def block(yes: bool) -> None:
        world.send(OWNER, pool.token, "setBlocked(address,bool)", world.executor, yes)

    block(True)
    with pytest.raises(Reverted, match="token transfer failed"):
        pool.mint(-10, 10, LIQUIDITY)
    block(False)
    pool.mint(-10, 10, LIQUIDITY)
    block(True)
    with pytest.raises(Reverted, match="TF"):
        pool.burn()
    world.next_block()
    with pytest.raises(Reverted, match="TF"):
        pool.close(sender=GUARDIAN)
    assert pool.position()[0]
    block(False)
    pool.close(sender=GUARDIAN)
    assert not pool.position()[0]


def test_what_the_executor_has_not_it_does_not_pay(world: World) -> None:
    pool = world.new_pool()
    world.send(OWNER, world.executor, "withdraw(address,uint256,address)", world.weth, 2_000 * ETH, OWNER)
    with pytest.raises(Reverted, match="token transfer failed"):
        pool.mint(-10, 10, LIQUIDITY)


def test_there_is_nothing_that_approves() -> None:
    from jitctl.contracts import artifact

    code = bytes.fromhex(artifact.load()["runtimeCode"][2:])
    for signature in ("approve(address,uint256)", "transferFrom(address,address,uint256)"):
        assert selector(signature) not in code
