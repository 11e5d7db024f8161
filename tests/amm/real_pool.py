"""The published Uniswap v3 contracts on a real EVM (revm, through pyrevm), driven by a small Vyper caller."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyrevm
from eth_hash.auto import keccak
from vyper.compiler import compile_code

from jitctl.amm.pool import Pool
from jitctl.devnet import toolchain

HERE = Path(__file__).parent
OWNER = "0x" + "a1" * 20
WORD = 32


class Reverted(Exception):
    """The call reverted; the message is the contract's reason, or empty."""


class State(NamedTuple):
    sqrt_price_x96: int
    tick: int
    liquidity: int
    protocol_fees0: int
    protocol_fees1: int


class Swapped(NamedTuple):
    amount0: int
    amount1: int
    state: State


class Jitted(NamedTuple):
    minted0: int
    minted1: int
    amount0: int
    amount1: int
    liquidity_inside: int
    burned0: int
    burned1: int
    collected0: int
    collected1: int
    state: State


@cache
def selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


def encode(signature: str, *arguments: int | str | bool) -> bytes:
    """Return calldata; every argument is one word (integers, booleans, addresses)."""
    data = selector(signature)
    for argument in arguments:
        value = int(argument, 16) if isinstance(argument, str) else int(argument)
        data += value.to_bytes(WORD, "big", signed=value < 0)
    return data


def decode(data: bytes, signs: str) -> list[int]:
    """Return one integer a word; `signs` has "i" for signed and "u" for unsigned ones."""
    return [
        int.from_bytes(data[at * WORD : (at + 1) * WORD], "big", signed=sign == "i")
        for at, sign in enumerate(signs)
    ]


@cache
def _compiled(name: str) -> bytes:
    source = (HERE / f"{name}.vy").read_text()
    return bytes.fromhex(compile_code(source, output_formats=["bytecode"])["bytecode"][2:])


class RealUniswap:
    """One EVM with the factory and two accounts: `provider` has positions, `caller` is us."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="CANCUN", gas_limit=1 << 60)
        self.evm.set_balance(OWNER, 1 << 100)
        factory = toolchain.artifact("v3-core", "UniswapV3Factory")
        self.factory = self.evm.deploy(OWNER, bytes.fromhex(factory["bytecode"][2:]))
        self.caller = self.evm.deploy(OWNER, _compiled("PoolCaller"))
        self.provider = self.evm.deploy(OWNER, _compiled("PoolCaller"))
        self.send(self.factory, "enableFeeAmount(uint24,int24)", 100, 1)

    def send(self, to: str, signature: str, *arguments: int | str | bool) -> bytes:
        return self.send_raw(to, encode(signature, *arguments))

    def send_raw(self, to: str, calldata: bytes) -> bytes:
        try:
            return self.evm.message_call(OWNER, to, calldata)
        except RuntimeError as error:
            raise Reverted(_reason(str(error))) from None

    def read(self, to: str, signs: str, signature: str, *arguments: int | str | bool) -> list[int]:
        return decode(self.send(to, signature, *arguments), signs)

    def new_pool(self, fee_pips: int, sqrt_price_x96: int) -> RealPool:
        """Create a pool of two new tokens (so that any number of pools fits one factory)."""
        tokens = sorted((self.evm.deploy(OWNER, _compiled("TestToken")) for _ in range(2)), key=str.lower)
        for token in tokens:
            for account in (self.caller, self.provider):
                self.send(token, "mint(address,uint256)", account, 1 << 254)
        created = self.send(self.factory, "createPool(address,address,uint24)", *tokens, fee_pips)
        address = "0x" + created[-20:].hex()
        (spacing,) = self.read(address, "i", "tickSpacing()")
        pool = RealPool(self, address, fee_pips, spacing)
        if sqrt_price_x96:
            pool.initialize(sqrt_price_x96)
        return pool


class RealPool:
    """One real pool; the methods return what the contract returned."""

    def __init__(self, world: RealUniswap, address: str, fee_pips: int, tick_spacing: int) -> None:
        self.world = world
        self.address = address
        self.fee_pips = fee_pips
        self.tick_spacing = tick_spacing

    def initialize(self, sqrt_price_x96: int) -> None:
        self.world.send(self.address, "initialize(uint160)", sqrt_price_x96)

    def provide(self, lower: int, upper: int, amount: int) -> None:
        """Mint as the other account, whose positions are not ours even in the same range."""
        signature = "mint(address,int24,int24,uint128)"
        self.world.send(self.world.provider, signature, self.address, lower, upper, amount)

    def mint(self, lower: int, upper: int, amount: int) -> tuple[int, int]:
        return self._act("uu", "mint(address,int24,int24,uint128)", lower, upper, amount)

    def burn(self, lower: int, upper: int, amount: int) -> tuple[int, int]:
        return self._act("uu", "burn(address,int24,int24,uint128)", lower, upper, amount)

    def collect(self, lower: int, upper: int) -> tuple[int, int]:
        return self._act("uu", "collect(address,int24,int24)", lower, upper)

    def swap(self, zero_for_one: bool, amount: int, limit: int) -> Swapped:
        words = self._act("iiuiuuu", "swap(address,bool,int256,uint160)", zero_for_one, amount, limit)
        return Swapped(words[0], words[1], State(*words[2:]))

    def jit(
        self, lower: int, upper: int, liquidity: int, zero_for_one: bool, amount: int, limit: int
    ) -> Jitted:
        words = self._act(
            "uuiiuuuuu" + "uiuuu",
            "jit(address,int24,int24,uint128,bool,int256,uint160)",
            lower, upper, liquidity, zero_for_one, amount, limit,
        )  # fmt: skip
        return Jitted(*words[:9], State(*words[9:]))

    def set_fee_protocol(self, share0: int, share1: int) -> None:
        self.world.send(self.address, "setFeeProtocol(uint8,uint8)", share0, share1)

    def slot0(self) -> tuple[int, int, int]:
        """Return (sqrt price, tick, fee protocol)."""
        words = self.read("uiuuuuu", "slot0()")
        return words[0], words[1], words[5]

    def read(self, signs: str, signature: str, *arguments: int | str | bool) -> list[int]:
        return self.world.read(self.address, signs, signature, *arguments)

    def tick(self, tick: int) -> list[int]:
        """Return (gross, net, fee growth outside 0, 1, ...) of a tick."""
        return self.read("uiuuiuuu", "ticks(int24)", tick)

    def snapshot(self, ticks: Iterable[int]) -> Pool:
        """Return our snapshot of this pool, read from the contract; `ticks` are all that may be set."""
        sqrt_price_x96, tick, fee_protocol = self.slot0()
        table = {}
        for candidate in set(ticks):
            gross, net = self.tick(candidate)[:2]
            if gross:
                table[candidate] = (gross, net)
        return Pool.from_state(
            fee_pips=self.fee_pips,
            tick_spacing=self.tick_spacing,
            sqrt_price_x96=sqrt_price_x96,
            tick=tick,
            liquidity=self.read("u", "liquidity()")[0],
            fee_protocol=fee_protocol,
            ticks=table,
        )

    def _act(self, signs: str, signature: str, *arguments: int | str | bool) -> tuple[int, ...]:
        return tuple(decode(self.world.send(self.world.caller, signature, self.address, *arguments), signs))


def _reason(text: str) -> str:
    """Return the Error(string) of a pyrevm exception, or its own words."""
    marker = "output: 0x08c379a0"
    if marker not in text:
        return text
    data = bytes.fromhex(text.split(marker)[1].split()[0])
    length = int.from_bytes(data[WORD : 2 * WORD], "big")
    return data[2 * WORD : 2 * WORD + length].decode()
