"""A pool, a trader and the executor on anvil, for reading gas from receipts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anvil_chain import AnvilChain, call_data, running_anvil
from eth_abi import encode as abi_encode
from executor_world import compiled

from jitctl.amm.tick_math import MIN_SQRT_RATIO, get_sqrt_ratio_at_tick
from jitctl.contracts import calls
from jitctl.contracts.deploy import Deployer, PoolRules, SetUp, observations_needed
from jitctl.devnet import fixtures, toolchain
from jitctl.domain.values import Address, Hash32, address

ETH = 10**18
WINDOW_S = 1_800
LIQUIDITY = 10**24
VICTIM_IN = 10 * ETH
_MINT = "mint(address,address,int24,int24,uint128)"


class GasScene:
    """WETH is token1 and the other token an ordinary one of 18 decimals; the price is 1."""

    def __init__(self, chain: AnvilChain, deployer: Deployer) -> None:
        self.chain = chain
        me = address(chain.account.address)
        chain.sync_nonce()
        self.weth = chain.create(_hex(toolchain.artifact("weth", "WETH9")["bytecode"]))
        self.factory = chain.create(_hex(toolchain.artifact("v3-core", "UniswapV3Factory")["bytecode"]))
        self.trader = chain.create(compiled("Trader"))
        token = None
        while token is None or token > self.weth:
            arguments = abi_encode(["string", "string", "uint8", "uint256"], ["Token", "TOK", 18, 0])
            token = chain.create(_hex(fixtures.fixture("TestToken")["bytecode"]) + arguments)
        chain.send(self.factory, call_data("createPool(address,address,uint24)", token, self.weth, 500))
        found = chain.w3.eth.call(
            {
                "to": chain.w3.to_checksum_address(self.factory),
                "data": call_data("getPool(address,address,uint24)", token, self.weth, 500),
            }
        )
        self.pool = address("0x" + bytes(found)[-20:].hex())
        self.tick_spacing = 10
        chain.send(self.pool, call_data("initialize(uint160)", get_sqrt_ratio_at_tick(0)))
        chain.send(self.weth, call_data("deposit()"), value=100_000 * ETH)
        chain.rpc("evm_setAutomine", True)
        self.executor = deployer.deploy(me, self.weth, self.factory)
        rules = PoolRules(self.pool, 200, 1_000, WINDOW_S, 100_000 * ETH, 9_000)
        deployer.set_up(self.executor, SetUp((me,), me, (rules,), 10 * ETH))
        deployer.raise_cardinality(self.pool, observations_needed(WINDOW_S, 12.0))
        chain.rpc("evm_setAutomine", False)
        chain.sync_nonce()
        for holder in (self.trader, self.executor):
            chain.send(self.weth, call_data("transfer(address,uint256)", holder, 20_000 * ETH))
            chain.send(token, call_data("mint(address,uint256)", holder, 20_000 * ETH))
        self._provide(-887_270, 887_270, 10**22)
        self._fill_history()

    def _fill_history(self) -> None:
        """Write an observation a block for more than the window, as in a busy pool."""
        self.chain.rpc("anvil_setBlockTimestampInterval", 12)
        for turn in range(WINDOW_S // 12 + 10):
            self.chain.send(self.trader, self._swap_data(turn % 2 == 0, ETH))
        self.settle()

    def settle(self) -> None:
        """Bring the price back to 1."""
        if self._sqrt_price() != get_sqrt_ratio_at_tick(0):
            down = self._sqrt_price() > get_sqrt_ratio_at_tick(0)
            self.chain.send(self.trader, self._swap_data(down, 1_000 * ETH, get_sqrt_ratio_at_tick(0)))

    def provide(self, lower: int, upper: int) -> None:
        """Somebody else's liquidity."""
        self._provide(lower, upper, 10**18)

    def bundle(self, lower: int, upper: int) -> tuple[int, int, int]:
        """Return the gas of our mint, of the victim's swap after it, and of our burn, in one block."""
        self.settle()
        head = self.chain.w3.eth.get_block("latest")
        parent = Hash32(head["hash"].to_0x_hex())
        ceiling = 2**160 - 1
        mint = calls.mint(
            self.pool, lower, upper, LIQUIDITY, 2**128, 2**128, head["number"] + 1, parent, 0, ceiling
        )
        burn = calls.burn(self.pool, 1, 0, ceiling, 10**14)
        mint_gas, victim_gas, burn_gas = self._in_one_block(
            (self.executor, mint), (self.trader, self._victim()), (self.executor, burn)
        )
        return mint_gas, victim_gas, burn_gas

    def without_us(self) -> int:
        """Return the gas of the victim's swap alone in its block; nothing stays changed."""
        self.settle()
        snapshot = self.chain.rpc("evm_snapshot")
        (gas,) = self._in_one_block((self.trader, self._victim()))
        self._back_to(snapshot)
        return gas

    def unguarded(self, lower: int, upper: int) -> int:
        """Return the gas of both legs of a contract that checks and keeps nothing; nothing stays changed."""
        self.settle()
        snapshot = self.chain.rpc("evm_snapshot")
        mint = call_data(_MINT, self.pool, self.trader, lower, upper, LIQUIDITY)
        burn = call_data("burn(address,int24,int24,uint128)", self.pool, lower, upper, LIQUIDITY)
        mint_gas, _, burn_gas = self._in_one_block(
            (self.trader, mint), (self.trader, self._victim()), (self.trader, burn)
        )
        self._back_to(snapshot)
        return mint_gas + burn_gas

    def _in_one_block(self, *transactions: tuple[Address, bytes]) -> list[int]:
        hashes = [self.chain.queue(to, data) for to, data in transactions]
        self.chain.mine()
        receipts = [self.chain.receipt(tx_hash) for tx_hash in hashes]
        assert [receipt["status"] for receipt in receipts] == [1] * len(hashes)
        assert len({receipt["blockNumber"] for receipt in receipts}) == 1
        return [int(receipt["gasUsed"]) for receipt in receipts]

    def _back_to(self, snapshot: str) -> None:
        self.chain.rpc("evm_revert", snapshot)
        self.chain.sync_nonce()

    def _victim(self) -> bytes:
        return self._swap_data(True, VICTIM_IN)

    def _provide(self, lower: int, upper: int, liquidity: int) -> None:
        signature = "mint(address,address,int24,int24,uint128)"
        self.chain.send(self.trader, call_data(signature, self.pool, self.trader, lower, upper, liquidity))

    def _swap_data(self, zero_for_one: bool, amount: int, limit: int | None = None) -> bytes:
        limit = limit or (MIN_SQRT_RATIO + 1 if zero_for_one else 2**159)
        return call_data("swap(address,bool,int256,uint160)", self.pool, zero_for_one, amount, limit)

    def _sqrt_price(self) -> int:
        to = self.chain.w3.to_checksum_address(self.pool)
        words = bytes(self.chain.w3.eth.call({"to": to, "data": call_data("slot0()")}))
        return int.from_bytes(words[:32], "big")


@contextmanager
def anvil_scene() -> Iterator[GasScene]:
    with running_anvil(mining=False) as chain:
        yield GasScene(chain, Deployer(chain.w3, chain.account, poll_s=0.01))


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
