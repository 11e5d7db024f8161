"""What calldata is decoded to, against what the published routers do with it on a real EVM."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from router_programs import FAR_S, OTHER, Program, random_program
from router_world import USER, PoolSwap, Ran, RouterWorld
from strategy_cases import TX_HASH

from jitctl.domain.chain import PendingTx
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import ZERO_ADDRESS
from jitctl.strategy.decode import RouterKind, decode
from jitctl.strategy.walk import Walk

FULL = bool(os.environ.get("JITCTL_FULL"))
PROGRAMS = 400


@pytest.fixture(scope="module")
def world() -> RouterWorld:
    return RouterWorld()


def decoded(world: RouterWorld, program: Program) -> SwapTx | None:
    router, calldata, value_wei = program
    tx = PendingTx(TX_HASH, USER, router, 0, value_wei, calldata, 5_000_000, 2, 1, 1, {}, 0)
    return decode(tx, world.known)


def foreseen(world: RouterWorld, program: Program) -> Ran | None:
    """What we think it does, None where we leave it to a simulation."""
    swap_tx = decoded(world, program)
    if swap_tx is None:
        return None
    walk = Walk(world.view, swap_tx)
    if walk.failure:
        return Ran(False, [])
    return Ran(True, [PoolSwap(visit.pool, *visit.result[:4]) for visit in walk.visits])


@pytest.mark.parametrize("block", range(30 if FULL else 2))
@pytest.mark.parametrize("kind", list(RouterKind))
def test_random_programs_do_what_was_foreseen(world: RouterWorld, kind: RouterKind, block: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(block * PROGRAMS, (block + 1) * PROGRAMS):
        program = random_program(world, kind, random.Random(seed))
        expected, real = foreseen(world, program), world.run(*program)
        if expected is None:
            # Left to the slower path: rare for what works, and nothing is lost on what does not.
            seen["unread, works" if real.swaps else "unread, fails"] += 1
        elif expected.succeeded and real.succeeded:
            # An exact output's pools report from the inside out.
            assert sorted(expected.swaps) == sorted(real.swaps), f"{kind} seed {seed}"
            seen["same"] += 1
        else:
            assert not real.succeeded, f"{kind} seed {seed} works, {decoded(world, program)}"
            seen["fails" if not expected.succeeded else "fails unforeseen"] += 1
    assert seen["same"] > PROGRAMS / 8, seen
    assert seen["unread, works"] < PROGRAMS / 100, seen
    assert seen["fails unforeseen"] < PROGRAMS / 40, seen


class TestFound:
    """Calls that were read wrongly once, the smallest of each kind."""

    def v3(self, world: RouterWorld, value_wei: int, *calls: str) -> Program:
        abi = world.abis[RouterKind.V3]
        data = abi.call("multicall(bytes[])", [bytes.fromhex(call[2:]) for call in calls])
        return Program(world.routers[RouterKind.V3], bytes.fromhex(data[2:]), value_wei)

    def holds(self, world: RouterWorld, program: Program, succeeds: bool) -> None:
        expected, real = foreseen(world, program), world.run(*program)
        assert expected is not None
        assert real.succeeded is succeeds
        assert expected.succeeded is succeeds
        assert sorted(expected.swaps) == sorted(real.swaps)

    def test_the_routers_own_address_is_the_router(self, world):
        call, router = world.abis[RouterKind.V3].call, world.routers[RouterKind.V3]
        swap = call("exactInputSingle", (world.six, world.weth, 500, router, FAR_S, 10**9, 0, 0))
        self.holds(world, self.v3(world, 0, swap, call("unwrapWETH9", 10**17, USER)), True)

    def test_ether_in_the_router_pays_for_the_middle_of_a_path(self, world):
        """The WETH that the first pool gave stays in the router, and can be swept."""
        call = world.abis[RouterKind.V3].call
        path = b"".join(
            bytes.fromhex(part)
            for part in (world.six[2:], "0001f4", world.weth[2:], "0001f4", world.eighteen[2:])
        )
        swap = call("exactInput", (path, USER, FAR_S, 10**9, 0))
        sweep = call("sweepToken", world.weth, 10**17, OTHER)
        self.holds(world, self.v3(world, 10**18, swap, sweep), True)

    def test_an_exact_output_cannot_come_back_to_a_pool_that_is_not_paid_yet(self, world):
        call = world.abis[RouterKind.V3].call
        there = bytes.fromhex(world.weth[2:] + "0001f4" + world.six[2:])
        path = there + bytes.fromhex("0001f4" + world.weth[2:])
        self.holds(world, self.v3(world, 0, call("exactOutput", (path, USER, FAR_S, 10**15, 10**19))), False)
        back = call("exactInput", (path, USER, FAR_S, 10**15, 0))
        self.holds(world, self.v3(world, 0, back), True)

    def test_more_is_wrapped_than_was_sent(self, world):
        abi, router = world.abis[RouterKind.ROUTER02], world.routers[RouterKind.ROUTER02]
        struct = (world.weth, world.six, 500, USER, 0, 0, 0)
        calls = [abi.call("wrapETH", 10**18), abi.call("exactInputSingle", struct)]
        data = abi.call("multicall(bytes[])", [bytes.fromhex(call[2:]) for call in calls])
        program = Program(router, bytes.fromhex(data[2:]), 10**18 - 1)
        assert not world.run(*program).succeeded
        assert decoded(world, program) is None
        self.holds(world, program._replace(value_wei=10**18), True)

    def test_a_refund_leaves_nothing_to_wrap(self, world):
        abi, router = world.abis[RouterKind.ROUTER02], world.routers[RouterKind.ROUTER02]
        struct = (world.weth, world.six, 500, USER, 0, 0, 0)
        calls = [abi.call("refundETH"), abi.call("wrapETH", 1), abi.call("exactInputSingle", struct)]
        data = abi.call("multicall(bytes[])", [bytes.fromhex(call[2:]) for call in calls])
        program = Program(router, bytes.fromhex(data[2:]), 10**18)
        assert not world.run(*program).succeeded
        assert decoded(world, program) is None

    def test_a_sweep_to_nobody_is_no_sweep_to_the_router(self, world):
        call = world.abis[RouterKind.V3].call
        swap = call("exactInputSingle", (world.weth, world.six, 500, ZERO_ADDRESS, FAR_S, 10**17, 0, 0))
        self.holds(world, self.v3(world, 0, swap, call("sweepToken", world.six, 10**6, OTHER)), True)
