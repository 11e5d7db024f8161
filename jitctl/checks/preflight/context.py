"""What the checks of one run share: each thing is asked for once, by whichever check needs it first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import resource
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from jitctl.chain.guards import ExecutorGuards
from jitctl.chain.quantities import data
from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.chain.wallet import KeyFiles, SigningKey
from jitctl.checks.preflight.bounds import Bounds
from jitctl.checks.preflight.keystores import operator_files, plain_address
from jitctl.checks.preflight.paced_node import PacedNode
from jitctl.checks.preflight.verdict import NotAsked
from jitctl.config.domain_types import pool_specs, weth_address
from jitctl.config.endpoints import node_endpoints
from jitctl.config.load import Config
from jitctl.contracts import artifact
from jitctl.control.client import Client
from jitctl.domain.chain import Head
from jitctl.domain.guards import GuardReading
from jitctl.domain.values import Address, address
from jitctl.errors import ConfigError, DaemonNotRunning, JitError, NodeError, TimedOut

DAEMON_TIMEOUT_S = 2.0
KEYS_AT_ONCE = 2 if (os.cpu_count() or 1) > 2 else 1
"""Opening a keystore takes a processor for a second, and 256 MiB; the other checks need one too."""
_CODE_TAIL = 64
"""The executor's code ends with its two immutables, WETH and the factory, a word each."""
T = TypeVar("T")


@dataclass(frozen=True)
class Host:
    """What the machine says of itself; tests give another one."""

    wall_s: Callable[[], float] = time.time
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs
    uid: Callable[[], int] = os.geteuid
    descriptor_limit: Callable[[], int] = lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@dataclass(frozen=True)
class Believed:
    """The node that the checks ask, and the head that they ask it about."""

    name: str
    nodes: PacedNode
    reader: ChainReader
    head: Head


class Context:
    """Prerequisites raise `NotAsked` where they are missing, so that one cause is one failure."""

    def __init__(self, config: Config, host: Host, bounds: Bounds) -> None:
        self.config = config
        self.host = host
        self.bounds = bounds
        self.specs = pool_specs(config, enabled_only=True)
        self.executor_address = Address(config.main.executor.address)
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._nodes: list[PacedNode] = []
        self._opening = asyncio.Semaphore(KEYS_AT_ONCE)

    async def once(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `ask` returns, asked once a run; a check that gives up leaves it to the others."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(ask(), name=key)
        return cast(T, await asyncio.shield(self._tasks[key]))

    async def close(self) -> None:
        """End whatever is still being asked."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.gather(*(node.close() for node in self._nodes))

    # -- nodes

    def endpoints(self) -> tuple[NodeEndpoint, ...]:
        """Return the trading nodes; raises `NotAsked` where a file with a URL cannot be read."""
        try:
            return node_endpoints(self.config)
        except ConfigError as error:
            raise NotAsked(error.message, self.as_daemon_user()) from None

    async def node_named(self, endpoint: NodeEndpoint) -> Believed:
        """Return one node with its head; raises `NodeError` or `TimedOut`."""
        return await self.once(f"node {endpoint.name}", lambda: self._ask_head(endpoint))

    async def node(self) -> Believed:
        """Return the first node that answers on the right chain; raises `NotAsked`."""
        asked = [asyncio.ensure_future(self.node_named(endpoint)) for endpoint in self.endpoints()]
        try:
            for each in asked:
                with contextlib.suppress(NodeError, TimedOut):
                    return await each
            # Why not is told once, by the checks of the nodes.
            raise NotAsked("no node to ask", "see node-reachable, chain-id and node-sync")
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _ask_head(self, endpoint: NodeEndpoint) -> Believed:
        pool = NodePool([endpoint], self.config.main.chain.chain_id, timeout_s=self.bounds.node_s)
        nodes = PacedNode(pool, self.bounds.node_s)
        self._nodes.append(nodes)
        reader = ChainReader(nodes, executor=self.executor_address)
        return Believed(endpoint.name, nodes, reader, await reader.head())

    # -- the executor

    async def code(self) -> bytes:
        """Return the code at the executor's address, empty if there is none."""
        return await self.once("executor's code", self._read_code)

    async def _read_code(self) -> bytes:
        node = await self.node()
        at = {"blockHash": node.head.hash}
        answer = await node.nodes.call("eth_getCode", [self.executor_address, at])
        return data(answer, node.name, "eth_getCode")

    async def executor(self) -> Believed:
        """Return the node to ask about the executor; raises `NotAsked` unless its code is the artifact's."""
        code = await self.code()
        if not is_executor(code, weth_address(self.config)):
            raise NotAsked(f"{self.executor_address} is not our executor", "see executor-code")
        return await self.node()

    async def factory(self) -> Address:
        """Return the factory that the executor was made for; raises `NotAsked`."""
        await self.executor()
        return factory_of(await self.code())

    async def guards(self) -> GuardReading:
        """Return what the executor would check now; raises `NotAsked`, `NodeError` or `TimedOut`."""
        return await self.once("the executor's rules", self._read_guards)

    async def _read_guards(self) -> GuardReading:
        node = await self.executor()
        pools = [spec.address for spec in self.specs]
        return await ExecutorGuards(node.nodes, executor=self.executor_address).read(pools, node.head)

    # -- keys

    def daemon_uid(self) -> int:
        """Return the uid of the daemon's user: the owner of its data folder, else whoever asks.

        The owner of the nearest folder above it where it cannot be seen, for that one keeps us out; and where
        it is not there yet and root asks, who seldom is the one to run the bot.
        """
        data, caller = self.config.folders.data, self.host.uid()
        for folder in (data, *data.parents):
            try:
                return folder.stat().st_uid
            except PermissionError:
                continue
            except OSError:
                if caller != 0:
                    break
        return caller

    def as_daemon_user(self) -> str:
        """Return how to run the checks where only the daemon's user may look."""
        try:
            name = pwd.getpwuid(self.daemon_uid()).pw_name
        except KeyError:
            name = f"'#{self.daemon_uid()}'"
        return f"run it as the daemon's user: `sudo -u {name} jitctl preflight`"

    async def key(self, files: KeyFiles) -> SigningKey:
        """Return an opened key; raises `ConfigError` or `Refused` if it does not open."""
        return await self.once(f"key {files.keystore} {files.passphrase_file}", lambda: self._open(files))

    async def _open(self, files: KeyFiles) -> SigningKey:
        async with self._opening:
            return await asyncio.to_thread(SigningKey.load, files)

    async def operators(self) -> tuple[Address, ...]:
        """Return the operators' addresses in the order of configuration; raises `NotAsked`."""
        return await self.once("operators", self._read_operators)

    async def _read_operators(self) -> tuple[Address, ...]:
        return tuple([await self._operator(files) for files in operator_files(self.config)])

    async def _operator(self, files: KeyFiles) -> Address:
        try:
            found = await asyncio.to_thread(plain_address, files.keystore)
            return found or (await self.key(files)).address
        except PermissionError:
            why = f"{files.keystore} cannot be read by this user"
            raise NotAsked(why, self.as_daemon_user()) from None
        except (OSError, JitError) as error:
            raise NotAsked(str(error), "see key-permissions and keys-open") from None

    # -- the daemon

    async def daemon(self) -> dict[str, Any] | None:
        """Return the status of the daemon that runs here, None if none does; raises what its client does."""
        return await self.once("the daemon's status", self._read_daemon)

    async def _read_daemon(self) -> dict[str, Any] | None:
        client = Client(self.config.folders.socket, timeout_s=DAEMON_TIMEOUT_S)
        try:
            return await asyncio.to_thread(client.call, "status")
        except DaemonNotRunning:
            return None


def factory_of(code: bytes) -> Address:
    """Return the factory at the end of an executor's code."""
    return address("0x" + code[-20:].hex())


def is_executor(code: bytes, weth: Address) -> bool:
    """Whether code is that of an executor of this version for this WETH, whatever the factory."""
    return len(code) > _CODE_TAIL and code == artifact.runtime_code(weth, factory_of(code))
