"""An installation that passes every check, and what tests do to it."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from jitctl.checks.preflight.bounds import Bounds
from jitctl.checks.preflight.context import Host
from jitctl.checks.preflight.names import NAMES
from jitctl.checks.preflight.runner import preflight
from jitctl.config.load import load
from jitctl.control.schema import CheckReport, Finding
from jitctl.devnet.faults import Fault
from jitctl.devnet.toolchain import artifact
from tests.chain.devnet_rig import DevnetRig
from tests.devnet.jit_by_hand import EXECUTOR, MAX_SQRT

HEALTHY = dict.fromkeys(NAMES, "pass") | {"pending-feed": "warn"}
"""Nobody trades while the checks run, so that no pending transaction arrives."""
ASKED_OF_THE_EXECUTOR = {
    "executor-halted", "operators", "guardian", "pool-rules", "loss-budget", "allowances", "capital",
}  # fmt: skip
ASKED_OF_THE_NODE = ASKED_OF_THE_EXECUTOR | {
    "pending-feed", "simulate", "executor-code", "gas-money", "pools", "price-marks",
}  # fmt: skip
PATIENT = Bounds(check_s=60.0, listen_s=0.05)
"""Only tests about time are about time."""
GIB = 1 << 30
DEAD = "127.0.0.1:1"


def disk(free: int = 100 * GIB, inodes: float = 0.9) -> Callable[[Path], os.statvfs_result]:
    """Return a `statvfs` of a disk of 200 GiB with so much free, and so large a share of the inodes."""
    blocks, files = 200 * GIB // 4096, 1_000_000
    left = (4096, 4096, blocks, free // 4096, free // 4096, files)
    return lambda _path: os.statvfs_result((*left, int(files * inodes), int(files * inodes), 0, 255))


class ReadyBot:
    """The devnet's configuration and keys, copied so that a test may change them."""

    def __init__(self, rig: DevnetRig, folder: Path) -> None:
        self.rig, self.net, self.folder = rig, rig.net, folder
        for name in ("config", "keys"):
            shutil.copytree(rig.net.folder / name, folder / name)
        self.host = Host(wall_s=self.wall_s, statvfs=disk(), descriptor_limit=lambda: 65_536)

    def wall_s(self) -> float:
        """Return a second after the newest block: blocks are built by hand here, not by the clock."""
        return float(int(self.net.chain.head.block["timestamp"], 16) + 1)

    # -- breaking things

    def edit(self, stem: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change a configuration file."""
        path = self.folder / "config" / f"{stem}.toml"
        data = tomllib.loads(path.read_text())
        change(data)
        path.write_text(tomli_w.dumps(data))

    def without(self, stem: str) -> None:
        """Remove a configuration file that need not be there."""
        (self.folder / "config" / f"{stem}.toml").unlink()

    def with_host(self, **changes: Any) -> None:
        self.host = replace(self.host, **changes)

    def lay(self, view: str, kind: str, value: int = 0, *methods: str) -> None:
        self.net.door.views.get(view).lay(Fault(kind, value, frozenset(methods) or None))

    async def as_owner(self, *calls: tuple[str, Any]) -> None:
        """Have the executor's owner make calls, all in the next block."""
        owner = self.net.people.owner
        nonce = await self.rig.reader.nonce(owner.address)
        for at, (name, *arguments) in enumerate(calls):
            await self._send(owner.private_key, nonce + at, EXECUTOR.call(name, *arguments))
        await self.net.slot()

    async def lone_mint(self, pool_name: str) -> None:
        """Have an operator's mint mined without its burn."""
        pool, operator, head = (
            self.net.uniswap.pool(pool_name),
            self.net.people.operators[0],
            self.net.chain.head,
        )
        slot0 = await self.net.read(pool.address, artifact("v3-core", "UniswapV3Pool")["abi"], "slot0")
        lower = slot0[1] // pool.tick_spacing * pool.tick_spacing
        data = EXECUTOR.call(
            "mint", pool.address, lower, lower + pool.tick_spacing, 10**15, 2**100, 2**100,
            head.number + 1, bytes.fromhex(head.block["hash"][2:]), 0, MAX_SQRT,
        )  # fmt: skip
        await self._send(operator.private_key, await self.rig.reader.nonce(operator.address), data)
        await self.net.slot()

    async def _send(self, key: str, nonce: int, data: str) -> None:
        fields = {
            "to": self.rig._checksum(self.net.executor),
            "data": data,
            "value": 0,
            "gas": 900_000,
            "nonce": nonce,
            "chainId": self.net.manifest.chain_id,
            "type": 2,
            "maxFeePerGas": 50 * 10**9,
            "maxPriorityFeePerGas": 10**8,
        }
        await self.rig.send(fields, key)

    # -- asking

    async def report(
        self, *, only: Sequence[str] = (), skip: Sequence[str] = (), bounds: Bounds = PATIENT
    ) -> CheckReport:
        config = load(self.folder / "config")
        return await preflight(config, only=only, skip=skip, host=self.host, bounds=bounds)

    async def finding(self, name: str, *, bounds: Bounds = PATIENT) -> Finding:
        (found,) = (await self.report(only=[name], bounds=bounds)).checks
        return found

    async def noticed(self) -> dict[str, str]:
        """Return what differs from a healthy bot; whatever is wrong must say what to do."""
        checks = (await self.report()).checks
        for each in checks:
            assert each.detail, each
            assert each.result == "pass" or each.remedy, each
        return {each.name: each.result for each in checks if each.result != HEALTHY[each.name]}
