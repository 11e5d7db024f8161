"""The executor on a real EVM (revm, through pyrevm) among the published Uniswap v3 and WETH9 contracts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyrevm
from eth_abi import decode as abi_decode
from eth_abi import encode as abi_encode
from eth_hash.auto import keccak

from jitctl.amm.tick_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, get_sqrt_ratio_at_tick
from jitctl.contracts import artifact, calls
from jitctl.contracts.build import compile_source
from jitctl.devnet import fixtures, toolchain
from jitctl.domain.values import Address, Hash32, address

HERE = Path(__file__).parent
ETH = 10**18
ANY_MIN, ANY_MAX = 0, 2**160 - 1
SLOT_S = 12
TX_GAS = 30_000_000

OWNER = Address("0x" + "a0" * 20)
GUARDIAN = Address("0x" + "a1" * 20)
OPERATOR = Address("0x" + "a2" * 20)
STRANGER = Address("0x" + "a3" * 20)
BUILDER = Address("0x" + "b0" * 20)


class Reverted(Exception):
    """The call reverted; the message is the contract's reason, or empty."""


@cache
def selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


@cache
def compiled(name: str) -> bytes:
    """Creation code of a contract of these tests."""
    return bytes.fromhex(compile_source(HERE / f"{name}.vy")["bytecode"][2:])


@cache
def event_topics() -> dict[str, tuple[str, list[dict[str, Any]]]]:
    events = {}
    for entry in artifact.executor_abi():
        if entry["type"] == "event":
            signature = f"{entry['name']}({','.join(item['type'] for item in entry['inputs'])})"
            events["0x" + keccak(signature.encode()).hex()] = (entry["name"], entry["inputs"])
    return events


@dataclass(frozen=True)
class Rules:
    """Generous defaults, so that a test tightens only what it is about."""

    allowed: bool = True
    max_spot_ticks: int = 200
    max_range_ticks: int = 1_000
    twap_window_s: int = 1_800
    max_notional_wei: int = 10_000 * ETH
    max_tip_bps: int = 9_000


class World:
    """One chain with WETH9, a factory, a trader with deep pockets, and the executor with its capital."""

    def __init__(self, *, budget_wei: int = 10 * ETH, capital_weth: int = 2_000 * ETH) -> None:
        self.evm = pyrevm.EVM(spec_id="CANCUN", gas_limit=1 << 60)
        self.number = 1_000
        self.timestamp_s = 1_700_000_000
        self.coinbase = BUILDER
        self._set_block()
        for account in (OWNER, GUARDIAN, OPERATOR, STRANGER):
            self.evm.set_balance(account, 1 << 110)
        self.gas_used = 0
        self.weth = self.deploy(bytes.fromhex(toolchain.artifact("weth", "WETH9")["bytecode"][2:]))
        factory = toolchain.artifact("v3-core", "UniswapV3Factory")["bytecode"]
        self.factory = self.deploy(bytes.fromhex(factory[2:]))
        self.trader = self.deploy(compiled("Trader"))
        self.executor = self.deploy(artifact.creation_code(OWNER, self.weth, self.factory))
        self.give_weth(self.trader, 1 << 100)
        self.give_weth(self.executor, capital_weth)
        self.owner_calls(
            calls.set_operator(OPERATOR, True), calls.set_guardian(GUARDIAN), calls.set_budget(budget_wei)
        )

    # The chain

    def _set_block(self) -> None:
        self.evm.set_block_env(
            pyrevm.BlockEnv(
                number=self.number,
                timestamp=self.timestamp_s,
                coinbase=self.coinbase,
                basefee=0,
                gas_limit=1 << 60,
            )
        )

    def next_block(self, blocks: int = 1, *, seconds: int | None = None) -> None:
        """Go on by `blocks` slots, or by one block `seconds` later."""
        self.number += blocks if seconds is None else 1
        self.timestamp_s += blocks * SLOT_S if seconds is None else seconds
        self._set_block()

    def set_coinbase(self, account: Address) -> None:
        self.coinbase = account
        self._set_block()

    @property
    def parent_hash(self) -> Hash32:
        return Hash32("0x" + self.evm.block_hash(self.number - 1).hex())

    def deploy(self, code: bytes) -> Address:
        return address(self.evm.deploy(OWNER, code))

    def call(self, sender: Address, to: Address, data: bytes, *, value: int = 0) -> bytes:
        """One transaction; `gas_used` is its gas afterwards."""
        try:
            result = self.evm.message_call(sender, to, data, value=value, gas=TX_GAS)
        except RuntimeError as error:
            raise Reverted(_reason(str(error))) from None
        finally:
            self.evm.reset_transient_storage()
        self.gas_used = self.evm.result.gas_used
        return bytes(result)

    def send(self, sender: Address, to: Address, signature: str, *arguments: Any) -> bytes:
        types = signature[signature.index("(") + 1 : -1]
        return self.call(sender, to, selector(signature) + abi_encode(_types(types), arguments))

    def read(self, to: Address, signature: str, outputs: str, *arguments: Any) -> Any:
        """A view's answer: one value, or a tuple."""
        answer = abi_decode(_types(outputs), self.send(STRANGER, to, signature, *arguments))
        return answer[0] if len(answer) == 1 else answer

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The executor's events of the last call, in order."""
        found = []
        for log in self.evm.result.logs:
            if log.address.lower() != self.executor:
                continue
            name, inputs = event_topics()["0x" + log.topics[0].removeprefix("0x")]
            indexed = [item for item in inputs if item["indexed"]]
            plain = [item for item in inputs if not item["indexed"]]
            values = {
                item["name"]: abi_decode([item["type"]], bytes.fromhex(topic.removeprefix("0x")))[0]
                for item, topic in zip(indexed, log.topics[1:], strict=True)
            }
            data = log.data[1] if isinstance(log.data, tuple) else log.data
            decoded = abi_decode([item["type"] for item in plain], bytes(data))
            values |= {item["name"]: value for item, value in zip(plain, decoded, strict=True)}
            found.append((name, values))
        return found

    # Money

    def give_weth(self, to: Address, amount: int) -> None:
        self.evm.set_balance(OWNER, self.evm.get_balance(OWNER) + amount)
        self.call(OWNER, self.weth, selector("deposit()"), value=amount)
        self.send(OWNER, self.weth, "transfer(address,uint256)", to, amount)

    def new_token(self, *, fee_bps: int = 0, silent: bool = False, decimals: int = 18) -> Address:
        if silent:
            code = fixtures.fixture("SilentToken")["bytecode"]
            arguments = abi_encode(["string", "string", "uint8"], ["Silent", "SIL", decimals])
        else:
            code = fixtures.fixture("TestToken")["bytecode"]
            arguments = abi_encode(
                ["string", "string", "uint8", "uint256"], ["Token", "TOK", decimals, fee_bps]
            )
        return self.deploy(bytes.fromhex(code[2:]) + arguments)

    def give(self, token: Address, to: Address, amount: int) -> None:
        self.send(OWNER, token, "mint(address,uint256)", to, amount)

    def balance(self, token: Address, account: Address) -> int:
        balance: int = self.read(token, "balanceOf(address)", "uint256", account)
        return balance

    # The executor

    def owner_calls(self, *datas: bytes) -> None:
        for data in datas:
            self.call(OWNER, self.executor, data)

    def view(self, signature: str, outputs: str, *arguments: Any) -> Any:
        return self.read(self.executor, signature, outputs, *arguments)

    @property
    def spent(self) -> int:
        spent: int = self.view("spent24h()", "uint256")
        return spent

    @property
    def reserved(self) -> int:
        reserved: int = self.view("reserved()", "uint256")
        return reserved

    @property
    def halted(self) -> bool:
        halted: bool = self.view("halted()", "bool")
        return halted

    def new_pool(
        self,
        *,
        weth_is_token0: bool = False,
        token: Address | None = None,
        tick: int = 0,
        fee_pips: int = 500,
        depth: int = 10**22,
        rules: Rules | None = None,
        cardinality: int = 200,
    ) -> ExecutorPool:
        """An allowed pool at `tick` with full-range liquidity `depth` and a TWAP window of history."""
        while token is None or (self.weth < token) != weth_is_token0:
            token = self.new_token()
        token0, token1 = sorted((self.weth, token))
        created = self.send(
            OWNER, self.factory, "createPool(address,address,uint24)", token0, token1, fee_pips
        )
        pool = ExecutorPool(self, address("0x" + created[-20:].hex()), token, weth_is_token0)
        self.send(OWNER, pool.address, "initialize(uint160)", get_sqrt_ratio_at_tick(tick))
        self.send(OWNER, pool.address, "increaseObservationCardinalityNext(uint16)", cardinality)
        for account, amount in ((self.trader, 1 << 110), (self.executor, 1 << 92)):
            self.give(token, account, amount)
        edge = 887_272 // pool.tick_spacing * pool.tick_spacing
        if depth:
            pool.provide(-edge, edge, depth)
        rules = rules or Rules()
        pool.allow(rules)
        self.next_block(seconds=rules.twap_window_s + SLOT_S)
        return pool


class ExecutorPool:
    """One pool: the executor's actions in it, and everybody else's."""

    def __init__(self, world: World, pool: Address, token: Address, weth_is_token0: bool) -> None:
        self.world = world
        self.address = pool
        self.token = token
        self.weth_is_token0 = weth_is_token0
        self.tick_spacing: int = world.read(pool, "tickSpacing()", "int24")
        self.token0, self.token1 = sorted((world.weth, token))

    def allow(self, rules: Rules) -> None:
        self.world.owner_calls(
            calls.set_pool(
                self.address,
                rules.allowed,
                rules.max_spot_ticks,
                rules.max_range_ticks,
                rules.twap_window_s,
                rules.max_notional_wei,
                rules.max_tip_bps,
            )
        )

    # The executor's actions

    def mint(
        self,
        lower: int,
        upper: int,
        liquidity: int,
        *,
        sender: Address = OPERATOR,
        max0: int = 2**128,
        max1: int = 2**128,
        block: int | None = None,
        parent: Hash32 | None = None,
        band: tuple[int, int] = (ANY_MIN, ANY_MAX),
    ) -> dict[str, Any]:
        world = self.world
        data = calls.mint(
            self.address, lower, upper, liquidity, max0, max1,
            world.number if block is None else block, parent or world.parent_hash, *band,
        )  # fmt: skip
        world.call(sender, world.executor, data)
        return dict(world.events())["Minted"]

    def burn(
        self,
        *,
        sender: Address = OPERATOR,
        min_fees: int = 0,
        band: tuple[int, int] = (ANY_MIN, ANY_MAX),
        tip: int = 0,
    ) -> dict[str, Any]:
        world = self.world
        world.call(sender, world.executor, calls.burn(self.address, min_fees, *band, tip))
        return dict(world.events())["Burned"]

    def close(self, *, sender: Address = OPERATOR) -> dict[str, Any]:
        self.world.call(sender, self.world.executor, calls.close(self.address))
        return dict(self.world.events())["Closed"]

    def position(self) -> tuple[Any, ...]:
        outputs = "bool,int24,int24,uint128,uint256,uint256,uint256,uint256"
        position: tuple[Any, ...] = self.world.view("openPosition(address)", outputs, self.address)
        return position

    # Everybody else's

    def swap(self, zero_for_one: bool, amount: int, limit: int | None = None) -> tuple[int, int]:
        limit = limit or (MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1)
        signature = "swap(address,bool,int256,uint160)"
        data = self.world.send(
            STRANGER, self.world.trader, signature, self.address, zero_for_one, amount, limit
        )
        amount0, amount1 = abi_decode(["int256", "int256"], data)
        return amount0, amount1

    def move_to(self, tick: int) -> None:
        """Swap until the price is a hair above the tick's: the tick is then the same from both sides."""
        target = get_sqrt_ratio_at_tick(tick) + 1
        now = self.sqrt_price
        if now != target:
            self.swap(target < now, 1 << 109, target)

    def provide(self, lower: int, upper: int, liquidity: int, recipient: Address | None = None) -> None:
        world = self.world
        signature = "mint(address,address,int24,int24,uint128)"
        world.send(
            STRANGER,
            world.trader,
            signature,
            self.address,
            recipient or world.trader,
            lower,
            upper,
            liquidity,
        )

    @property
    def slot0(self) -> tuple[Any, ...]:
        outputs = "uint160,int24,uint16,uint16,uint16,uint8,bool"
        slot0: tuple[Any, ...] = self.world.read(self.address, "slot0()", outputs)
        return slot0

    @property
    def sqrt_price(self) -> int:
        price: int = self.slot0[0]
        return price

    @property
    def tick(self) -> int:
        tick: int = self.slot0[1]
        return tick

    def balances(self, account: Address | None = None) -> tuple[int, int]:
        """Token0 and token1 of the executor, or of `account`."""
        account = account or self.world.executor
        return self.world.balance(self.token0, account), self.world.balance(self.token1, account)

    def liquidity_of(self, lower: int, upper: int) -> tuple[int, int, int]:
        """Liquidity and owed tokens that the pool holds at the executor's name."""
        packed = bytes.fromhex(self.world.executor[2:]) + b"".join(
            tick.to_bytes(3, "big", signed=True) for tick in (lower, upper)
        )
        outputs = "uint128,uint256,uint256,uint128,uint128"
        words = self.world.read(self.address, "positions(bytes32)", outputs, keccak(packed))
        return words[0], words[3], words[4]


def _types(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _reason(text: str) -> str:
    """Return the Error(string) of a pyrevm exception, or its own words."""
    marker = "output: 0x"
    if marker not in text:
        return text
    data = text.split(marker)[1].split()[0].strip(",")
    if not data.startswith("08c379a0"):
        return ""
    body = bytes.fromhex(data[8:])
    length = int.from_bytes(body[32:64], "big")
    return body[64 : 64 + length].decode()
