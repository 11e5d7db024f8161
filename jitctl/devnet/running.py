"""A devnet as a process of its own: serve until told to end, find it again, end it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jitctl.devnet.manifest import FILE_NAME, Manifest
from jitctl.errors import DaemonNotRunning, JitError, NodeError, TimedOut
from jitctl.safety.process_identity import ProcessIdentity

if TYPE_CHECKING:
    from jitctl.devnet.network import Devnet

# What serves or trades is imported where it is used: asking for the status must not load an EVM's tools.

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
STATUS_TIMEOUT_S = 3.0
LOG_FILE = "devnet.log"
_POLL_S = 0.05
_LOG_TAIL_LINES = 8


def serve(
    folder: Path,
    *,
    slot_seconds: float | None,
    seed: int,
    port: int,
    http_port: int,
    swaps_per_slot: int,
    say: Callable[[str], None],
    ready: Callable[[Manifest], None],
) -> None:
    """Run a devnet until SIGINT or SIGTERM; `ready` is called once it answers. devnet.json goes with it."""
    from jitctl.devnet import toolchain
    from jitctl.devnet.network import Devnet

    toolchain.ensure(say)
    asyncio.run(
        _serve(Devnet(folder, slot_seconds, seed, port=port, http_port=http_port), swaps_per_slot, ready)
    )


async def _serve(net: Devnet, swaps_per_slot: int, ready: Callable[[Manifest], None]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with net:
        try:
            ready(net.manifest)
            trading = asyncio.create_task(_trade(net, swaps_per_slot))
            await ended.wait()
            trading.cancel()
            await asyncio.gather(trading, return_exceptions=True)
        finally:
            (net.folder / FILE_NAME).unlink(missing_ok=True)


async def _trade(net: Devnet, swaps_per_slot: int) -> None:
    """Let users trade in every slot; what the pool refuses is just not traded."""
    if swaps_per_slot == 0:
        return
    from jitctl.devnet.traffic import Traffic

    async with Traffic(net.manifest.rpc_url, net.manifest, net.seed) as traffic:
        while True:
            for _ in range(swaps_per_slot):
                with contextlib.suppress(NodeError, TimedOut):
                    await traffic.random_swap()
            with contextlib.suppress(NodeError, TimedOut):
                await traffic.background()
            await net.chain.next_block()


def start_detached(folder: Path, arguments: list[str]) -> Manifest:
    """Start `jitctl devnet up` as a process of its own; return once it answers.

    Raises `JitError` with the log's last lines when it ends instead, `TimedOut` when it does not get ready.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / LOG_FILE
    with log_path.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "jitctl", "devnet", "up", "--dir", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(JitError):
            manifest = Manifest.load(folder)
            if manifest.data["process"]["pid"] == child.pid:
                return manifest
        if child.poll() is not None:
            tail = log_path.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            raise JitError("the devnet ended at once: " + " / ".join(tail), hint=f"its log: {log_path}")
        time.sleep(_POLL_S)
    child.terminate()
    raise TimedOut(f"the devnet was not ready in {START_TIMEOUT_S:g} s", hint=f"its log: {log_path}")


def find(folder: Path) -> Manifest | None:
    """Return the manifest of the devnet that runs in `folder`, None if none does."""
    with contextlib.suppress(JitError):
        manifest = Manifest.load(folder)
        process = ProcessIdentity.from_dict(manifest.data.get("process"))
        if process is not None and process.is_alive():
            return manifest
    return None


def require(folder: Path) -> Manifest:
    """Return the manifest of the devnet that runs in `folder`; raises `DaemonNotRunning` if none does."""
    manifest = find(folder)
    if manifest is None:
        raise DaemonNotRunning(
            f"no devnet runs in {folder}", hint=f"start one: jitctl devnet up --dir {folder} --detach"
        )
    return manifest


def stop(folder: Path) -> int | None:
    """End the devnet of `folder`; return its pid, None if there was none. Raises `TimedOut`."""
    manifest = find(folder)
    process = None if manifest is None else ProcessIdentity.from_dict(manifest.data["process"])
    if process is None:
        return None
    if not process.kill(signum=signal.SIGTERM, wait_s=STOP_TIMEOUT_S):
        # anvil asked the kernel to end it with its parent, so nothing outlives this either.
        if not process.kill(wait_s=STOP_TIMEOUT_S):
            raise TimedOut(f"the devnet (pid {process.pid}) does not end")
        (folder / FILE_NAME).unlink(missing_ok=True)
    return process.pid


def status(folder: Path) -> dict[str, Any]:
    """Return what runs in `folder` and how its chain stands; raises `DaemonNotRunning`, `NodeError`."""
    manifest = require(folder)
    chain = asyncio.run(_status(manifest))
    return {
        "running": True,
        "dir": str(folder),
        "pid": manifest.data["process"]["pid"],
        "configDir": manifest.data["configDir"],
        "rpcUrl": manifest.rpc_url,
        "wsUrl": manifest.data["wsUrl"],
        "relayUrl": manifest.data["relayUrl"],
        "slotSeconds": manifest.data["slotSeconds"],
        "seed": manifest.data["seed"],
        **chain,
    }


def swap(folder: Path, **trade: Any) -> dict[str, Any]:
    """Have a user of the running devnet trade (arguments of `Traffic.swap`); return what was sent."""
    return asyncio.run(_swap(require(folder), trade))


async def _status(manifest: Manifest) -> dict[str, Any]:
    from jitctl.devnet.door_client import DoorClient

    async with DoorClient(manifest.rpc_url, manifest.admin_url, timeout_s=STATUS_TIMEOUT_S) as door:
        chain: dict[str, Any] = await door.admin("devnet_status")
        return chain


async def _swap(manifest: Manifest, trade: dict[str, Any]) -> dict[str, Any]:
    from jitctl.devnet.door_client import DoorError
    from jitctl.devnet.traffic import Traffic

    seed = time.time_ns()
    async with Traffic(manifest.rpc_url, manifest, seed) as traffic:
        try:
            await traffic.swap(**trade)
        except DoorError as error:
            raise JitError(f"the trade was not taken: {error.message}") from error
    sent = traffic.sent[-1]
    return {
        "hash": sent.hash,
        "kind": str(sent.kind),
        "router": sent.router,
        "pool": sent.pools[0],
        "user": sent.trade.user,
        "exactIn": sent.trade.exact_in,
        "amount": str(sent.trade.amount),
        "limitAmount": str(sent.trade.limit_amount),
        "deadline": sent.trade.deadline_s,
    }
