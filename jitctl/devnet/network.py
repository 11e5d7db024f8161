"""A whole devnet: anvil, contracts, people, front door and slots, as one asynchronous context."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import Any, Self

from jitctl.devnet import uniswap
from jitctl.devnet.accounts import Cast, cast
from jitctl.devnet.anvil import Anvil
from jitctl.devnet.calldata import Interface
from jitctl.devnet.chain_record import BlockRecord
from jitctl.devnet.config_files import key_files, write_config, write_keys
from jitctl.devnet.devchain import DevChain
from jitctl.devnet.executor_setup import deploy_executor
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.front_door import FrontDoor
from jitctl.devnet.genesis import Genesis
from jitctl.devnet.manifest import Manifest
from jitctl.devnet.market import TOKEN_PLANS
from jitctl.devnet.people import settle_people
from jitctl.devnet.reorg import ReorgMode, reorg
from jitctl.devnet.slot_clock import SlotClock, step_s
from jitctl.devnet.uniswap import Uniswap
from jitctl.domain.values import Address, PoolSpec
from jitctl.safety.process_identity import ProcessIdentity

CHAIN_ID = 31337
GAS_LIMIT = 30_000_000
BASE_FEE_WEI = 10**9
HISTORY_S = 7_200
"""The pools are this old when the devnet starts, so that averages over time exist."""
HOST = "127.0.0.1"


class Devnet:
    """`async with Devnet(folder) as net`: a devnet with its files in `folder`.

    Without `slot_seconds` blocks are built only by `slot()` (or through the admin path) and chain time
    moves 12 s with each. Equal seeds give equal accounts and liquidity.
    """

    def __init__(
        self,
        folder: Path,
        slot_seconds: float | None = None,
        seed: int = 1,
        *,
        port: int = 0,
        http_port: int = 0,
        users: int = 8,
    ) -> None:
        self.folder = folder.absolute()
        self.seed = seed
        self.people: Cast = cast(seed, users=users)
        self._slot_seconds = slot_seconds
        self._port = port
        self._http_port = http_port
        self._closing = contextlib.AsyncExitStack()
        self.uniswap: Uniswap
        self.executor: Address
        self.manifest: Manifest
        self.chain: DevChain
        self.door: FrontDoor

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def slot(self, timestamp_s: int | None = None) -> BlockRecord:
        """Build the next block and announce it; return it."""
        return await self.chain.slot(timestamp_s)

    async def reorg(
        self, depth: int, *, mode: ReorgMode = ReorgMode.UNBUNDLE, blocks: int | None = None
    ) -> list[BlockRecord]:
        """Replace the newest `depth` blocks; return the new ones, oldest first."""
        return await reorg(self.chain, depth, mode=mode, blocks=blocks)

    async def read(self, to: Address, abi: list[dict[str, Any]], name: str, *args: Any) -> tuple[Any, ...]:
        """Call a view function at the head; return its results."""
        interface = Interface(abi)
        async with self.chain.gate.reading():
            call = {"to": to, "data": interface.call(name, *args)}
            data = await self.chain.link.request("eth_call", call, "latest")
        return interface.result(name, data, len(args))

    async def usd(self, symbol: str) -> int:
        """Return the token's price feed's answer (8 decimals)."""
        feed = self.uniswap.price_feeds[symbol]
        return int((await self.read(feed, fixture("PriceFeed")["abi"], "latestAnswer"))[0])

    async def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        now_s = int(time.time())
        anvil = await Anvil.start(
            chain_id=CHAIN_ID,
            genesis_timestamp_s=now_s - HISTORY_S - 1,
            gas_limit=GAS_LIMIT,
            base_fee_wei=BASE_FEE_WEI,
        )
        self._closing.push_async_callback(anvil.stop)
        deploy_block = await self._set_up(anvil, now_s)
        head = int(await anvil.link.request("eth_blockNumber"), 16)
        blocks = [
            await anvil.link.request("eth_getBlockByNumber", hex(number), False) for number in range(head + 1)
        ]
        self.chain = DevChain(
            anvil.link,
            [BlockRecord(block, (), ()) for block in blocks],
            CHAIN_ID,
            self.people.builder.address,
            step_s(self._slot_seconds),
        )
        self._closing.push_async_callback(self.chain.finish_work)
        clock = SlotClock(self.chain)
        self._closing.push_async_callback(clock.stop)
        self.door = FrontDoor(self.chain, clock.set)
        await self.door.start(HOST, self._port)
        self._closing.push_async_callback(self.door.stop)
        self._write_files(deploy_block)
        clock.set(self._slot_seconds)

    async def _set_up(self, anvil: Anvil, now_s: int) -> int:
        """Deploy everything; return the number of the block in which the executor was created."""
        genesis = Genesis(anvil.link)
        await genesis.begin()
        self.uniswap = await uniswap.deploy(anvil.link, genesis, random.Random(self.seed))
        await settle_people(genesis, self.uniswap, self.people)
        self.executor = deploy_executor(genesis, self.uniswap, self.people, step_s(self._slot_seconds))
        await genesis.mine(now_s - HISTORY_S, BASE_FEE_WEI)
        await genesis.mine(now_s - HISTORY_S // 2, BASE_FEE_WEI)
        # The marks are as fresh as the devnet.
        feed = Interface(fixture("PriceFeed")["abi"])
        for symbol, at in self.uniswap.price_feeds.items():
            usd = TOKEN_PLANS[symbol].usd * 10**uniswap.FEED_DECIMALS
            genesis.call(f"{symbol} feed", at, feed.call("set", usd))
        await genesis.mine(now_s - 1, BASE_FEE_WEI)
        await genesis.end(GAS_LIMIT)
        await genesis.mine(now_s, BASE_FEE_WEI)
        return 1

    def _write_files(self, deploy_block: int) -> None:
        named = write_keys(self.folder, self.people)
        base = f"http://{HOST}:{self.door.port}"
        urls = {
            "node": f"{base}/",
            "node_ws": f"ws://{HOST}:{self.door.port}/",
            "verify": f"{base}/node/second",
            "relay": f"{base}/relay",
        }
        config = write_config(
            self.folder,
            urls=urls,
            chain_id=CHAIN_ID,
            slot_seconds=float(step_s(self._slot_seconds)),
            executor=self.executor,
            deploy_block=deploy_block,
            factory=self.uniswap.factory,
            pools=self.uniswap.pools,
            price_feeds=self.uniswap.price_feeds,
            routers=self.uniswap.routers,
            operators=len(self.people.operators),
            http_port=self._http_port,
        )
        world = self.uniswap
        self.manifest = Manifest(
            {
                "rpcUrl": urls["node"],
                "wsUrl": urls["node_ws"],
                "relayUrl": urls["relay"],
                "verifyUrl": urls["verify"],
                "doorAdminUrl": f"{base}/admin/{self.door.admin_token}",
                "chainId": CHAIN_ID,
                "slotSeconds": self._slot_seconds,
                "seed": self.seed,
                "process": ProcessIdentity.current().as_dict(),
                "tokens": {
                    symbol: {"address": token.address, "decimals": token.decimals}
                    for symbol, token in world.tokens.items()
                },
                "pools": [_pool_row(pool) for pool in world.pools],
                "otherPools": [_pool_row(pool) for pool in world.other_pools],
                "routers": world.routers,
                "factory": world.factory,
                "permit2": world.permit2,
                "positionManager": world.position_manager,
                "quoter": world.quoter,
                "liquidityProvider": world.liquidity_provider,
                "gasBurner": world.gas_burner,
                "priceFeeds": world.price_feeds,
                "executor": self.executor,
                "deployBlock": deploy_block,
                "builder": self.people.builder.address,
                "owner": key_files(self.folder, "owner", named["owner"]),
                "guardian": key_files(self.folder, "guardian", named["guardian"]),
                "operators": [
                    key_files(self.folder, f"op{index}", account)
                    for index, account in enumerate(self.people.operators)
                ],
                "users": [
                    {"address": user.address, "privateKey": user.private_key} for user in self.people.users
                ],
                "configDir": str(config),
            }
        )
        self.manifest.save(self.folder)


def _pool_row(pool: PoolSpec) -> dict[str, Any]:
    return {
        "name": pool.name,
        "address": pool.address,
        "token0": pool.token0.address,
        "token1": pool.token1.address,
        "feePips": pool.fee_pips,
    }
