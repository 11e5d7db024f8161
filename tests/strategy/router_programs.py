"""Random transactions for the routers, built from their published ABIs: what people send, and what nobody
should: sweeps in between, ether that does not match, recipients of every kind, paths that come back."""

from __future__ import annotations

import random
from typing import NamedTuple

from eth_abi import encode
from router_world import USER, RouterWorld

from jitctl.domain.values import ZERO_ADDRESS, Address
from jitctl.strategy.decode import RouterKind

OTHER = Address("0x" + "77" * 20)
FLAG_SENDER, FLAG_ROUTER = Address("0x" + "00" * 19 + "01"), Address("0x" + "00" * 19 + "02")
ALL = 1 << 255
FAR_S = 1 << 40


class Program(NamedTuple):
    router: Address
    calldata: bytes
    value_wei: int


def random_program(world: RouterWorld, kind: RouterKind, rng: random.Random) -> Program:
    if kind is RouterKind.UNIVERSAL:
        return _Universal(world, rng).program()
    return _Periphery(world, kind, rng).program()


class _Trades:
    def __init__(self, world: RouterWorld, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.value_wei = 0

    def path(self, hops: int) -> tuple[list[Address], list[int]]:
        rng, tokens = self.rng, list(self.world.units)
        path = [rng.choice(tokens)]
        fees = []
        for _ in range(hops):
            path.append(rng.choice([token for token in tokens if token != path[-1]]))
            pair = set(path[-2:])
            pools = self.world.specs.values()
            fees.append(
                rng.choice(
                    [one.fee_pips for one in pools if {one.token0.address, one.token1.address} == pair]
                )
            )
        return path, fees

    def amount(self, token: Address) -> int:
        return int(self.world.units[token] * 10 ** self.rng.uniform(-3, 2.3))

    def limit(self, amount: int, fixed: Address, other: Address, exact_in: bool) -> int:
        """Mostly none; else around what the swap will come to."""
        if self.rng.random() < 0.7:
            return 0 if exact_in else 1 << 127
        around = amount * self.world.units[other] // self.world.units[fixed]
        return int(around * self.rng.uniform(0.9, 1.1))

    @staticmethod
    def packed(path: list[Address], fees: list[int], exact_in: bool) -> bytes:
        if not exact_in:
            path, fees = path[::-1], fees[::-1]
        packed = bytes.fromhex(path[0][2:])
        for fee_pips, token in zip(fees, path[1:], strict=True):
            packed += fee_pips.to_bytes(3, "big") + bytes.fromhex(token[2:])
        return packed


class _Periphery(_Trades):
    """SwapRouter and SwapRouter02: swaps, and payments before, between and after them."""

    def __init__(self, world: RouterWorld, kind: RouterKind, rng: random.Random) -> None:
        super().__init__(world, rng)
        self.v3 = kind is RouterKind.V3
        self.abi, self.router = world.abis[kind], world.routers[kind]

    def program(self) -> Program:
        rng = self.rng
        calls = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            if rng.random() < 0.25:
                calls.append(self.payment())
            calls.append(self.swap())
            if rng.random() < 0.5:
                calls.append(self.payment())
        if rng.random() < 0.15:
            self.value_wei += 10**18
        blobs = [bytes.fromhex(call[2:]) for call in calls]
        if len(blobs) > 1 and rng.random() < 0.2:
            blobs[0] = bytes.fromhex(self.abi.call("multicall(bytes[])", blobs[:1])[2:])
        if len(blobs) == 1 and rng.random() < 0.5:
            return Program(self.router, blobs[0], self.value_wei)
        if self.v3 or rng.random() < 0.5:
            data = self.abi.call("multicall(bytes[])", blobs)
        else:
            data = self.abi.call("multicall(uint256,bytes[])", FAR_S, blobs)
        return Program(self.router, bytes.fromhex(data[2:]), self.value_wei)

    def swap(self) -> str:
        rng = self.rng
        exact_in = rng.random() < 0.6
        path, fees = self.path(rng.choice((1, 1, 1, 2, 3)))
        fixed, other = (path[0], path[-1]) if exact_in else (path[-1], path[0])
        amount = 0 if exact_in and not self.v3 and rng.random() < 0.3 else self.amount(fixed)
        limit = self.limit(amount, fixed, other, exact_in)
        if path[0] == self.world.weth and rng.random() < 0.5:
            self.value_wei += int(amount * rng.choice((1, 1, 0.5, 2)))
        flags = (ZERO_ADDRESS, ZERO_ADDRESS) if self.v3 else (FLAG_ROUTER, FLAG_SENDER)
        recipient = rng.choice((USER, USER, self.router, OTHER, *flags))
        deadline = (FAR_S,) if self.v3 else ()
        name = "exactInput" if exact_in else "exactOutput"
        if len(fees) == 1 and rng.random() < 0.6:
            struct = (*path, fees[0], recipient, *deadline, amount, limit, self.price_limit(path, fees[0]))
            return self.abi.call(f"{name}Single", struct)
        tail = bytes(rng.choice((0, 0, 0, 7, 22)))
        return self.abi.call(
            name, (self.packed(path, fees, exact_in) + tail, recipient, *deadline, amount, limit)
        )

    def price_limit(self, path: list[Address], fee_pips: int) -> int:
        address = self.world.view.pool_at(path[0], path[1], fee_pips)
        if self.rng.random() < 0.8 or address is None:
            return 0
        away = (-1 if path[0] < path[1] else 1) * 10 ** self.rng.uniform(-4, -1.5)
        return int(self.world.pools[address].sqrt_price_x96 * (1 + away))

    def payment(self) -> str:
        rng, call = self.rng, self.abi.call
        token = rng.choice(list(self.world.units))
        some = rng.choice((0, 0, 1, int(self.world.units[token] * 10 ** rng.uniform(-3, 0))))
        wei, bips = rng.choice((0, 0, 1, 10**15, 10**17)), rng.randint(1, 100)
        to = rng.choice((USER, OTHER))
        choices = [
            lambda: call("unwrapWETH9(uint256,address)", wei, to),
            lambda: call("sweepToken(address,uint256,address)", token, some, to),
            lambda: call("refundETH"),
            lambda: call("unwrapWETH9WithFee(uint256,address,uint256,address)", wei, to, bips, OTHER),
            lambda: call(
                "sweepTokenWithFee(address,uint256,address,uint256,address)", token, some, to, bips, OTHER
            ),
        ]
        if not self.v3:
            choices += 2 * [
                lambda: call("wrapETH", int(10 ** rng.uniform(15, 18))),
                lambda: call("pull", token, self.amount(token)),
                lambda: call("unwrapWETH9(uint256)", wei),
                lambda: call("sweepToken(address,uint256)", token, some),
            ]
        return rng.choice(choices)()


class _Universal(_Trades):
    def program(self) -> Program:
        commands, inputs = self.plan(0)
        if self.rng.random() < 0.3:
            self.value_wei += 10**18
        abi, router = self.world.abis[RouterKind.UNIVERSAL], self.world.routers[RouterKind.UNIVERSAL]
        data = abi.call("execute(bytes,bytes[],uint256)", commands, inputs, FAR_S)
        return Program(router, bytes.fromhex(data[2:]), self.value_wei)

    def plan(self, depth: int) -> tuple[bytes, list[bytes]]:
        commands, inputs = bytearray(), []
        for _ in range(self.rng.choice((1, 2, 3, 4))):
            command, types, arguments = self.command(depth)
            # A sub-plan that may fail is out of what calldata can tell; the flag means nothing to a swap.
            flag = 0x80 if command == 0x00 and self.rng.random() < 0.3 else 0
            commands.append(command | flag)
            inputs.append(encode(types, arguments))
        return bytes(commands), inputs

    def command(self, depth: int) -> tuple[int, list[str], tuple]:
        rng, router = self.rng, self.world.routers[RouterKind.UNIVERSAL]
        to = rng.choice((FLAG_SENDER, FLAG_ROUTER, FLAG_ROUTER, USER, OTHER, router))
        away = rng.choice((FLAG_SENDER, USER, OTHER))
        token = rng.choice(list(self.world.units))
        payable = rng.choice((token, token, token, ZERO_ADDRESS))
        payee = away if payable == ZERO_ADDRESS else to
        kind = rng.random()
        if kind < 0.5:
            return self.swap(to)
        if kind < 0.62:
            wei = rng.choice((ALL, ALL, int(10 ** rng.uniform(15, 19))))
            self.value_wei += int(10 ** rng.uniform(15, 19)) if wei == ALL else rng.choice((wei, wei, 0))
            return 0x0B, ["address", "uint256"], (to, wei)
        if kind < 0.72:
            return 0x0C, ["address", "uint256"], (away, rng.choice((0, 0, 1, 10**16)))
        triple = ["address", "address", "uint256"]
        if kind < 0.8:
            return 0x04, triple, (payable, payee, rng.choice((0, 0, 1, 10**6, 10**16)))
        if kind < 0.85:
            return 0x05, triple, (payable, payee, rng.choice((ALL, 0, 1, 10**6, 10**15)))
        if kind < 0.9:
            return 0x06, triple, (payable, payee, rng.choice((0, 1, 25, 5_000, 10_000)))
        if kind < 0.96 or depth == 2:
            return 0x02, ["address", "address", "uint160"], (token, to, int(10 ** rng.uniform(6, 18)))
        return 0x21, ["bytes", "bytes[]"], self.plan(depth + 1)

    def swap(self, to: Address) -> tuple[int, list[str], tuple]:
        rng = self.rng
        exact_in = rng.random() < 0.65
        path, fees = self.path(rng.choice((1, 1, 2, 3)))
        fixed, other = (path[0], path[-1]) if exact_in else (path[-1], path[0])
        amount = self.amount(fixed)
        limit = self.limit(amount, fixed, other, exact_in)
        if exact_in and rng.random() < 0.3:
            amount = ALL
        types = ["address", "uint256", "uint256", "bytes", "bool"]
        arguments = (to, amount, limit, self.packed(path, fees, exact_in), rng.random() < 0.6)
        return (0x00 if exact_in else 0x01), types, arguments
