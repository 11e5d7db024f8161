"""The three published routers over real pools on a real EVM, and the same pools as our snapshots."""

from __future__ import annotations

import random
from math import log, sqrt
from typing import NamedTuple

import pyrevm
from eth_hash.auto import keccak
from strategy_cases import head

from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.devnet.calldata import Interface
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.toolchain import artifact
from jitctl.devnet.uniswap import PERMIT2, permit2_code
from jitctl.domain.values import ZERO_ADDRESS, Address, PoolSpec, Token
from jitctl.strategy.decode import RouterKind, Routers
from jitctl.strategy.market import MarketView

USER = Address("0x" + "a1" * 20)
UNSUPPORTED = Address("0x" + "00" * 19 + "01")
SWAP_TOPIC = keccak(b"Swap(address,address,int256,int256,uint160,uint128,int24)")
SPACINGS = {500: 10, 3000: 60, 10000: 200}
MAX = (1 << 256) - 1
ABIS = {
    RouterKind.V3: ("v3-periphery", "SwapRouter"),
    RouterKind.ROUTER02: ("swap-router", "SwapRouter02"),
    RouterKind.UNIVERSAL: ("universal-router", "UniversalRouter"),
}


class PoolSwap(NamedTuple):
    """What a Swap event says, without whose it was."""

    pool: Address
    amount0: int
    amount1: int
    sqrt_price_x96: int
    tick: int


class Ran(NamedTuple):
    succeeded: bool
    swaps: list[PoolSwap]


class RouterWorld:
    """WETH, a token of 6 and one of 18 decimals, six pools, and a user who has approved everything."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="CANCUN", gas_limit=1 << 60)
        self.evm.set_balance(USER, 10**30)
        self.weth = self._create("weth", "WETH9")
        self.six, self.eighteen = self._token("SIX", 6), self._token("EIGHTEEN", 18)
        self.units = {self.weth: 10**18, self.six: 3_000 * 10**6, self.eighteen: 3_000 * 10**18}
        self.factory = self._create("v3-core", "UniswapV3Factory")
        self.evm.insert_account_info(
            PERMIT2, pyrevm.AccountInfo(nonce=1, code=bytes.fromhex(permit2_code()[2:]))
        )
        self.abis = {kind: Interface(artifact(*names)["abi"]) for kind, names in ABIS.items()}
        self.routers = self._deploy_routers()
        self.known = Routers({address: kind for kind, address in self.routers.items()}, self.weth)
        self.provider = self._deploy(fixture("LiquidityProvider"))
        self._fund()
        self.specs: dict[Address, PoolSpec] = {}
        self.pools: dict[Address, Pool] = {}
        rng = random.Random(5)
        for one, two, fee_pips in (
            (self.weth, self.six, 500),
            (self.weth, self.six, 3000),
            (self.weth, self.eighteen, 500),
            (self.weth, self.eighteen, 3000),
            (self.six, self.eighteen, 500),
            (self.six, self.eighteen, 10000),
        ):
            self._open(*sorted((one, two)), fee_pips, rng)
        self.view = MarketView.of(head(), self.specs, self.pools)

    def run(self, router: Address, calldata: bytes, value_wei: int) -> Ran:
        """Send a transaction, read what it did, and undo it."""
        before = self.evm.snapshot()
        try:
            self.evm.message_call(USER, router, calldata, value=value_wei)
        except RuntimeError:
            return Ran(False, [])
        else:
            return Ran(True, [self._swap(log_) for log_ in self.evm.result.logs if self._is_swap(log_)])
        finally:
            self.evm.revert(before)

    def _is_swap(self, log_: pyrevm.Log) -> bool:
        return bytes.fromhex(log_.topics[0].removeprefix("0x")) == SWAP_TOPIC

    def _swap(self, log_: pyrevm.Log) -> PoolSwap:
        data = bytes(log_.data[1])
        words = [int.from_bytes(data[at : at + 32], "big", signed=True) for at in range(0, len(data), 32)]
        return PoolSwap(Address(log_.address.lower()), words[0], words[1], words[2], words[4])

    def _deploy(self, code: dict, *arguments: object) -> Address:
        creation = Interface(code["abi"]).creation(code["bytecode"], *arguments)
        return Address(self.evm.deploy(USER, bytes.fromhex(creation.removeprefix("0x"))).lower())

    def _create(self, package: str, name: str, *arguments: object) -> Address:
        return self._deploy(artifact(package, name), *arguments)

    def _token(self, symbol: str, decimals: int) -> Address:
        return self._deploy(fixture("TestToken"), symbol, symbol, decimals, 0)

    def _send(self, to: Address, abi: Interface, name: str, *arguments: object, value_wei: int = 0) -> None:
        self.evm.message_call(USER, to, bytes.fromhex(abi.call(name, *arguments)[2:]), value=value_wei)

    def _deploy_routers(self) -> dict[RouterKind, Address]:
        factory, weth = self.factory, self.weth
        manager = self._create("v3-periphery", "NonfungiblePositionManager", factory, weth, ZERO_ADDRESS)
        init_code_hash = keccak(bytes.fromhex(artifact("v3-core", "UniswapV3Pool")["bytecode"][2:]))
        universal = (
            PERMIT2, weth, UNSUPPORTED, factory, bytes(32), init_code_hash,
            UNSUPPORTED, manager, UNSUPPORTED, UNSUPPORTED,
        )  # fmt: skip
        arguments = {
            RouterKind.V3: (factory, weth),
            RouterKind.ROUTER02: (ZERO_ADDRESS, factory, manager, weth),
            RouterKind.UNIVERSAL: (universal,),
        }
        return {kind: self._create(*ABIS[kind], *arguments[kind]) for kind in ABIS}

    def _fund(self) -> None:
        token_abi = Interface(fixture("TestToken")["abi"])
        permit2_abi = Interface(artifact("permit2", "Permit2")["abi"])
        universal = self.routers[RouterKind.UNIVERSAL]
        self._send(self.weth, Interface(artifact("weth", "WETH9")["abi"]), "deposit", value_wei=10**28)
        for token in (self.six, self.eighteen):
            self._send(token, token_abi, "mint", USER, 10**33)
        for token in self.units:
            self._send(token, token_abi, "transfer", self.provider, 10**27 if token == self.weth else 10**32)
            for spender in (self.routers[RouterKind.V3], self.routers[RouterKind.ROUTER02], PERMIT2):
                self._send(token, token_abi, "approve", spender, MAX)
            forever = (1 << 160) - 1, (1 << 48) - 1
            self._send(PERMIT2, permit2_abi, "approve", token, universal, *forever)

    def _open(self, token0: Address, token1: Address, fee_pips: int, rng: random.Random) -> None:
        factory_abi = Interface(artifact("v3-core", "UniswapV3Factory")["abi"])
        pool_abi = Interface(artifact("v3-core", "UniswapV3Pool")["abi"])
        create = bytes.fromhex(factory_abi.call("createPool", token0, token1, fee_pips)[2:])
        address = Address("0x" + self.evm.message_call(USER, self.factory, create)[-20:].hex())
        tick = int(log(self.units[token1] / self.units[token0]) / log(1.0001))
        sqrt_price_x96 = get_sqrt_ratio_at_tick(tick) + 12_345
        self._send(address, pool_abi, "initialize", sqrt_price_x96)
        spacing = SPACINGS[fee_pips]
        centre = tick // spacing
        depth = int(100 * sqrt(self.units[token0] * self.units[token1]))
        rows = [((centre - 500) * spacing, (centre + 500) * spacing, depth)]
        for _ in range(12):
            lower = centre + rng.randint(-30, 30)
            upper = lower + rng.randint(1, 30)
            rows.append((lower * spacing, upper * spacing, int(depth * rng.uniform(0.1, 3))))
        self._send(self.provider, Interface(fixture("LiquidityProvider")["abi"]), "provide", address, rows)
        ticks: dict[int, tuple[int, int]] = {}
        for lower, upper, amount in rows:
            for at, net in ((lower, amount), (upper, -amount)):
                gross, before = ticks.get(at, (0, 0))
                ticks[at] = (gross + amount, before + net)
        self.pools[address] = Pool.from_state(
            fee_pips=fee_pips,
            tick_spacing=spacing,
            sqrt_price_x96=sqrt_price_x96,
            tick=tick,
            liquidity=sum(net for at, (_, net) in ticks.items() if at <= tick),
            ticks=ticks,
        )
        tokens = (Token("T0", token0, 18), Token("T1", token1, 18))
        self.specs[address] = PoolSpec(
            f"{fee_pips}", address, *tokens, fee_pips, spacing, token0 == self.weth
        )
