"""What the users of a devnet read from its front door, and how their transactions get there."""

from __future__ import annotations

from jitctl.devnet.calldata import Interface
from jitctl.devnet.door_client import DoorClient, DoorError
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.manifest import Manifest
from jitctl.devnet.router_calls import Trade
from jitctl.devnet.toolchain import artifact
from jitctl.devnet.user_wallet import Order, sign_order
from jitctl.domain.values import Address, Hash32, PoolSpec, address
from jitctl.errors import TimedOut

FEED_UNIT = 10**8
FALLBACK_GAS = 400_000
MAX_BLOCKS_WAITED = 20


class UserLink:
    """The users' side of one door; users are numbered as in the manifest. Everything raises `DoorError`."""

    def __init__(self, door_url: str, devnet: Manifest) -> None:
        self._door = DoorClient(door_url, devnet.admin_url)
        self._devnet = devnet
        self._users = devnet.users
        self._pool_abi = Interface(artifact("v3-core", "UniswapV3Pool")["abi"])
        self._quoter_abi = Interface(artifact("v3-periphery", "QuoterV2")["abi"])
        self._feed_abi = Interface(fixture("PriceFeed")["abi"])

    async def close(self) -> None:
        await self._door.close()

    async def call(self, to: Address, data: str) -> str:
        """Return what a contract answers at the head, in hex."""
        return str(await self._door.call("eth_call", {"to": to, "data": data}, "latest"))

    async def quote(self, trade: Trade) -> int:
        """Return what comes out of a trade, or what it takes, in base units."""
        name = "quoteExactInput" if trade.exact_in else "quoteExactOutput"
        data = self._quoter_abi.call(name, trade.packed_path(), trade.amount)
        reply = await self.call(self._devnet.at("quoter"), data)
        return int(self._quoter_abi.result(name, reply, 2)[0])

    async def estimate(self, trade: Trade, to: Address, data: str) -> int:
        """Return how much gas the trade takes; a guess for one that fails, as people send it all the same."""
        call = {"from": trade.user, "to": to, "data": data, "value": hex(trade.value_wei)}
        try:
            return int(await self._door.call("eth_estimateGas", call), 16)
        except DoorError:
            return FALLBACK_GAS

    async def sqrt_price_x96(self, pool: PoolSpec) -> int:
        reply = await self.call(pool.address, self._pool_abi.call("slot0"))
        return int(self._pool_abi.result("slot0", reply)[0])

    async def feed(self, symbol: str) -> int:
        """Return a token's price in USD, with 8 decimals."""
        feed = address(self._devnet.data["priceFeeds"][symbol])
        return int(await self.call(feed, self._feed_abi.call("latestAnswer")), 16)

    async def usd(self, symbol: str) -> float:
        return await self.feed(symbol) / FEED_UNIT

    async def head_time_s(self) -> int:
        return int((await self._head())["timestamp"], 16)

    async def base_fee(self) -> int:
        """Return the head's base fee in wei."""
        return int((await self._head())["baseFeePerGas"], 16)

    async def nonce(self, user: int, at: str = "pending") -> int:
        return int(await self._door.call("eth_getTransactionCount", self._users[user][0], at), 16)

    async def submit(self, user: int, order: Order) -> Hash32:
        """Sign an order with the user's key, send it, and return its hash."""
        raw = sign_order(self._users[user][1], self._devnet.chain_id, order)
        return Hash32(await self._door.call("eth_sendRawTransaction", raw))

    async def until_mined(self, tx_hash: Hash32) -> None:
        """Wait for a block with the transaction; where slots are manual, build it. Raises `TimedOut`."""
        for _ in range(MAX_BLOCKS_WAITED):
            if await self._door.call("eth_getTransactionReceipt", tx_hash) is not None:
                return
            manual = self._devnet.data["slotSeconds"] is None
            await self._door.admin("devnet_slot" if manual else "devnet_nextBlock")
        raise TimedOut(f"{tx_hash} is not mined after {MAX_BLOCKS_WAITED} blocks")

    async def _head(self) -> dict[str, str]:
        head: dict[str, str] = await self._door.call("eth_getBlockByNumber", "latest", False)
        return head
