"""Deploys the real Uniswap v3 and its routers, the tokens, price feeds and pools with their liquidity."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from jitctl.devnet import market
from jitctl.devnet.anvil_link import AnvilLink
from jitctl.devnet.calldata import Interface, pool_address
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.genesis import DEPLOYER, Genesis
from jitctl.devnet.market import POOLS, TICK_SPACING, TOKEN_PLANS, TOKENS, PoolPlan
from jitctl.devnet.toolchain import artifact
from jitctl.domain.values import ZERO_ADDRESS, Address, PoolSpec, Token, address
from jitctl.errors import ToolchainError

PERMIT2 = address("0x000000000022D473030F116dDEE9F6B43aC78BA3")
FEED_DECIMALS = 8
OBSERVATION_CARDINALITY = 120
ROUTERS = ("v3", "swapRouter02", "universal")
_PLENTY_USD = 10**10
_UNSUPPORTED = Address("0x" + "00" * 19 + "01")


@dataclass(frozen=True, slots=True)
class Uniswap:
    """Where everything is. `pools` are watched (WETH on one side); `other_pools` serve as hops."""

    factory: Address
    weth: Address
    permit2: Address
    routers: dict[str, Address]
    position_manager: Address
    quoter: Address
    tokens: dict[str, Token]
    pools: tuple[PoolSpec, ...]
    other_pools: tuple[PoolSpec, ...]
    price_feeds: dict[str, Address]
    liquidity_provider: Address
    gas_burner: Address

    def pool(self, name: str) -> PoolSpec:
        """Return a pool by name or address; KeyError if there is none."""
        for spec in (*self.pools, *self.other_pools):
            if name in (spec.name, spec.address):
                return spec
        raise KeyError(name)


async def deploy(link: AnvilLink, genesis: Genesis, rng: random.Random) -> Uniswap:
    """Queue the whole set-up on `genesis`; nothing is on chain before its `mine`."""
    await link.request("anvil_setCode", PERMIT2, permit2_code())
    tokens = {plan.symbol: _deploy_token(genesis, plan) for plan in TOKENS}
    weth = tokens["WETH"].address
    factory = genesis.create("factory", artifact("v3-core", "UniswapV3Factory")["bytecode"])
    init_code_hash = keccak(hexstr=artifact("v3-core", "UniswapV3Pool")["bytecode"])
    position_manager = _create(
        genesis, "v3-periphery", "NonfungiblePositionManager", factory, weth, ZERO_ADDRESS
    )
    quoter = _create(genesis, "v3-periphery", "QuoterV2", factory, weth)
    routers = _deploy_routers(genesis, factory, weth, position_manager, init_code_hash)
    feeds = {plan.symbol: _deploy_feed(genesis, plan) for plan in TOKENS}
    provider = genesis.create("liquidity provider", fixture("LiquidityProvider")["bytecode"])
    burner = genesis.create("gas burner", fixture("GasBurner")["bytecode"])
    for plan in TOKENS:
        amount = _PLENTY_USD // plan.usd * 10**plan.decimals
        give(genesis, tokens[plan.symbol], provider, amount)
        if plan.fee_bps:
            # A pool checks what it receives, so nobody could provide a token that takes a fee.
            data = Interface(fixture("TestToken")["abi"]).call("setExempt", provider, True)
            genesis.call("exempt the provider", tokens[plan.symbol].address, data)
    specs = {
        plan: _open_pool(genesis, plan, tokens, factory, init_code_hash, provider, rng) for plan in POOLS
    }
    return Uniswap(
        factory=factory,
        weth=weth,
        permit2=PERMIT2,
        routers=routers,
        position_manager=position_manager,
        quoter=quoter,
        tokens=tokens,
        pools=tuple(spec for plan, spec in specs.items() if plan.watched),
        other_pools=tuple(spec for plan, spec in specs.items() if not plan.watched),
        price_feeds=feeds,
        liquidity_provider=provider,
        gas_burner=burner,
    )


def permit2_code() -> str:
    """Return Permit2's runtime code with the two immutables that it has on mainnet.

    The published code was compiled for chain 31337 and for another address, and would answer with that
    signing domain here. With mainnet's values it computes the domain anew, as on every other chain.
    """
    code: str = artifact("permit2", "Permit2")["deployedBytecode"]
    types = keccak(text="EIP712Domain(string name,uint256 chainId,address verifyingContract)")
    domain = keccak(
        encode(["bytes32", "bytes32", "uint256", "address"], [types, keccak(text="Permit2"), 1, PERMIT2])
    )
    patched, found = re.subn(
        # CHAINID, PUSH32 cached chain id, SUB, PUSH2 elsewhere, JUMPI, PUSH32 cached separator
        r"(467f)[0-9a-f]{64}(0361[0-9a-f]{4}577f)[0-9a-f]{64}",
        lambda match: f"{match[1]}{1:064x}{match[2]}{domain.hex()}",
        code,
    )
    if found != 1:
        raise ToolchainError("Permit2's code does not look as expected")
    return patched


def give(genesis: Genesis, token: Token, receiver: Address, amount: int) -> None:
    """Queue that `receiver` gets `amount` base units: minted, or wrapped by the deployer if it is WETH."""
    if token.symbol == "WETH":
        weth = Interface(artifact("weth", "WETH9")["abi"])
        genesis.call("wrap", token.address, weth.call("deposit"), wei=amount)
        genesis.call("give WETH", token.address, weth.call("transfer", receiver, amount))
    else:
        data = Interface(fixture("TestToken")["abi"]).call("mint", receiver, amount)
        genesis.call(f"give {token.symbol}", token.address, data)


def _create(genesis: Genesis, package: str, contract: str, *args: object) -> Address:
    code = artifact(package, contract)
    return genesis.create(contract, Interface(code["abi"]).creation(code["bytecode"], *args))


def _deploy_token(genesis: Genesis, plan: market.TokenPlan) -> Token:
    if plan.kind == "weth":
        return Token(plan.symbol, _create(genesis, "weth", "WETH9"), plan.decimals)
    code = fixture(plan.kind)
    args: list[object] = [plan.name, plan.symbol, plan.decimals]
    if plan.kind == "TestToken":
        args.append(plan.fee_bps)
    created = genesis.create(plan.symbol, Interface(code["abi"]).creation(code["bytecode"], *args))
    return Token(plan.symbol, created, plan.decimals)


def _deploy_feed(genesis: Genesis, plan: market.TokenPlan) -> Address:
    code = fixture("PriceFeed")
    symbol = "ETH" if plan.symbol == "WETH" else plan.symbol
    creation = Interface(code["abi"]).creation(
        code["bytecode"], f"{symbol} / USD", plan.usd * 10**FEED_DECIMALS
    )
    return genesis.create(f"{plan.symbol} feed", creation)


def _deploy_routers(
    genesis: Genesis, factory: Address, weth: Address, position_manager: Address, init_code_hash: bytes
) -> dict[str, Address]:
    universal = (
        PERMIT2, weth, _UNSUPPORTED, factory, bytes(32), init_code_hash,
        _UNSUPPORTED, position_manager, _UNSUPPORTED, _UNSUPPORTED,
    )  # fmt: skip
    return {
        "v3": _create(genesis, "v3-periphery", "SwapRouter", factory, weth),
        "swapRouter02": _create(
            genesis, "swap-router", "SwapRouter02", ZERO_ADDRESS, factory, position_manager, weth
        ),
        "universal": _create(genesis, "universal-router", "UniversalRouter", universal),
    }


def _open_pool(
    genesis: Genesis,
    plan: PoolPlan,
    tokens: dict[str, Token],
    factory: Address,
    init_code_hash: bytes,
    provider: Address,
    rng: random.Random,
) -> PoolSpec:
    name = market.pool_name(plan)
    token0, token1 = sorted((tokens[plan.token_a], tokens[plan.token_b]), key=lambda token: token.address)
    plan0, plan1 = TOKEN_PLANS[token0.symbol], TOKEN_PLANS[token1.symbol]
    pool = pool_address(factory, token0.address, token1.address, plan.fee_pips, init_code_hash)
    factory_abi = Interface(artifact("v3-core", "UniswapV3Factory")["abi"])
    pool_abi = Interface(artifact("v3-core", "UniswapV3Pool")["abi"])
    provider_abi = Interface(fixture("LiquidityProvider")["abi"])
    create = factory_abi.call("createPool", token0.address, token1.address, plan.fee_pips)
    genesis.call(f"create {name}", factory, create)
    start = market.start_sqrt_price_x96(plan0, plan1)
    genesis.call(f"initialize {name}", pool, pool_abi.call("initialize", start))
    grow = pool_abi.call("increaseObservationCardinalityNext", OBSERVATION_CARDINALITY)
    genesis.call(f"observations of {name}", pool, grow)
    rows = list(market.positions(plan, plan0, plan1, rng))
    for start_at in range(0, len(rows), 60):
        batch = rows[start_at : start_at + 60]
        genesis.call(f"liquidity of {name}", provider, provider_abi.call("provide", pool, batch))
    if plan.protocol_fee:
        fee = pool_abi.call("setFeeProtocol", plan.protocol_fee, plan.protocol_fee)
        genesis.call(f"protocol fee of {name}", pool, fee, sender=DEPLOYER)
    return PoolSpec(
        name=name,
        address=pool,
        token0=token0,
        token1=token1,
        fee_pips=plan.fee_pips,
        tick_spacing=TICK_SPACING[plan.fee_pips],
        weth_is_token0=token0.symbol == "WETH",
    )
