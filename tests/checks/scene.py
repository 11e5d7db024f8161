"""A devnet some blocks old, the configuration of its bot, and any number of nodes before it that may lie."""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import tomli_w
from eth_utils import keccak

from jitctl.amm.position import position_key
from jitctl.config.load import Config, load
from jitctl.config.models import NodeConfig, VerifyNodeConfig
from jitctl.devnet.door_client import DoorClient
from jitctl.devnet.faults import Fault
from jitctl.devnet.network import Devnet
from jitctl.devnet.toolchain import artifact
from tests.checks.forged_node import ForgedNode
from tests.devnet.door_people import GWEI, Person
from tests.devnet.jit_by_hand import EXECUTOR, MAX_SQRT

POOL, OTHER_POOL = "WETH/USDC-0.05%", "WETH/DAI-0.3%"
POSITIONS_SLOT = 7
"""Where a UniswapV3Pool keeps `positions`."""
BLOCKS = 12
"""So many blocks a node can be behind."""


class Scene:
    def __init__(self, net: Devnet) -> None:
        self.net = net
        self.config = load(net.folder / "config")
        self.position: tuple[int, int, int] | None = None
        self._door: DoorClient
        self._forged: list[ForgedNode] = []

    def _write_small_config(self) -> None:
        """The verbs keep to two seconds: with two pools these are plenty on any machine."""
        config, small = self.net.folder / "config", self.net.folder / "small"
        small.mkdir()
        for name in ("jitctl.toml", "strategy.toml"):
            (small / name).write_text((config / name).read_text())
        pools = tomllib.loads((config / "pools.toml").read_text())["pools"]
        kept = [pool for pool in pools if pool["name"] in (POOL, OTHER_POOL)]
        (small / "pools.toml").write_text(tomli_w.dumps({"pools": kept}))

    async def begin(self) -> None:
        self._write_small_config()
        self._door = DoorClient(self.net.manifest.rpc_url, self.net.manifest.admin_url)
        # Small steps: the verbs go by the real clock, which the chain's time must not run away from.
        self.net.chain.step_s = 1
        for _ in range(BLOCKS):
            await self.net.slot()

    async def end(self) -> None:
        await self.mend()
        await self._door.close()

    async def mend(self) -> None:
        """Leave no fault and no forged node behind."""
        self.net.door.views.clear()
        for node in self._forged:
            await node.stop()
        self._forged.clear()

    def wall_s(self) -> float:
        """The chain's own time, a second after its newest block: its slots do not follow the clock."""
        return self.net.chain.head.timestamp_s + 1.0

    def lay(self, view: str, kind: str, value: int = 0, *methods: str) -> None:
        self.net.door.views.get(view).lay(Fault(kind, value, frozenset(methods) or None))

    # -- configurations

    def url(self, view: str = "") -> str:
        return f"http://127.0.0.1:{self.net.door.port}/" + (f"node/{view}" if view else "")

    async def forge(self, tale: str = "honest", *, upstream: str = "") -> ForgedNode:
        """Return a running node that passes the devnet's answers on, changed as `tale` says."""
        node = ForgedNode(upstream or self.url(), tale, self.net.executor)
        await node.start()
        self._forged.append(node)
        return node

    def asking(self, nodes: list[str], verify: list[str]) -> Config:
        """Return the bot's configuration with these URLs; the nodes are `door0`… and `second0`…"""
        main = self.config.main.model_copy(
            update={
                "nodes": tuple(
                    NodeConfig(name=f"door{at}", http_url=url, ws_url="ws://127.0.0.1:1")
                    for at, url in enumerate(nodes)
                ),
                "verify_nodes": tuple(
                    VerifyNodeConfig(name=f"second{at}", http_url=url) for at, url in enumerate(verify)
                ),
            }
        )
        return Config(
            main,
            self.config.pools,
            self.config.strategy,
            self.config.alerts,
            self.config.folders,
            self.config.hash,
        )

    # -- what is open

    @asynccontextmanager
    async def lone_mint(self, pool_name: str = POOL) -> AsyncIterator[None]:
        """Have an operator's mint mined without its burn; afterwards the chain is as it was before."""
        chain = self.net.chain
        snapshot = await chain.link.request("evm_snapshot")
        reach = chain.record.reach
        await self._mint(pool_name)
        try:
            yield
        finally:
            self.position = None
            async with chain.gate.building():
                await chain.link.request("evm_revert", snapshot)
                chain.record.take_back(chain.record.reach - reach)
                chain.forget_states()

    async def _mint(self, pool_name: str) -> None:
        pool = self.net.uniswap.pool(pool_name)
        slot0 = await self.net.read(pool.address, artifact("v3-core", "UniswapV3Pool")["abi"], "slot0")
        lower = slot0[1] // pool.tick_spacing * pool.tick_spacing
        upper, liquidity = lower + pool.tick_spacing, 10**15
        head = self.net.chain.head
        mint = EXECUTOR.call(
            "mint", pool.address, lower, upper, liquidity, 2**100, 2**100,
            head.number + 1, bytes.fromhex(head.block["hash"][2:]), 0, MAX_SQRT,
        )  # fmt: skip
        await self._as_operator(mint)
        self.position = (lower, upper, liquidity)

    async def close(self, pool_name: str = POOL) -> None:
        """Close the lone mint's position by a transaction of its own."""
        await self._as_operator(EXECUTOR.call("close", self.net.uniswap.pool(pool_name).address))

    async def give(self, liquidity: int, pool_name: str = POOL) -> None:
        """Leave liquidity at the executor's name in the range that its lone mint had."""
        assert self.position is not None
        key = position_key(self.net.executor, *self.position[:2])
        slot = "0x" + keccak(key + POSITIONS_SLOT.to_bytes(32, "big")).hex()
        word = "0x" + liquidity.to_bytes(32, "big").hex()
        async with self.net.chain.gate.building():
            pool = self.net.uniswap.pool(pool_name).address
            await self.net.chain.link.request("anvil_setStorageAt", pool, slot, word)
        await self.net.slot()

    async def _as_operator(self, data: str) -> None:
        operator = self.net.people.operators[0]
        nonce = int(await self._door.call("eth_getTransactionCount", operator.address, "latest"), 16)
        person = Person(self._door, operator.private_key, nonce)
        sent = await person.send(to=self.net.executor, data=data, value=0, gas=900_000, max_fee=50 * GWEI)
        await self.net.slot()
        receipt = await self._door.call("eth_getTransactionReceipt", sent)
        assert receipt["status"] == "0x1", receipt

    # -- the verbs, as an operator runs them

    async def jitctl(self, *args: str) -> tuple[int, Any, str]:
        """Run one `jitctl -o json` on two of the devnet's pools: exit code, body, stderr."""
        code, out, err = await self.jitctl_text(*args, "-o", "json")
        return code, json.loads(out), err

    async def jitctl_text(self, *args: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jitctl", *args,
            "--config-dir", str(self.net.folder / "small"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()
