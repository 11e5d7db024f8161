"""The EVM behind the front door: one private anvil process that ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Self

from jitctl.devnet import toolchain
from jitctl.devnet.anvil_link import AnvilLink
from jitctl.errors import ToolchainError

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
SLOTS_IN_AN_EPOCH = 4
"""anvil calls the block two epochs back `finalized` and one epoch back `safe`: depths 8 and 4."""
_POLL_S = 0.005
_PR_SET_PDEATHSIG = 1


class Anvil:
    """A running anvil that mines only when told, in the order of arrival; `link` talks to it.

    Its pool never holds a transaction outside the building of a block, its HTTP port is a random one that
    nobody is told, and its files live in a temporary directory that goes with it.
    """

    def __init__(self, process: asyncio.subprocess.Process, link: AnvilLink, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.link = link

    @classmethod
    async def start(
        cls, *, chain_id: int, genesis_timestamp_s: int, gas_limit: int, base_fee_wei: int
    ) -> Self:
        """Start the pinned binary; raises `ToolchainError` when it does not come up."""
        binary = toolchain.anvil_path()
        folder = Path(tempfile.mkdtemp(prefix="jitctl-anvil-"))
        socket = folder / "anvil.ipc"
        arguments = [
            "--quiet", "--no-mining", "--order", "fifo", "--port", "0", "--ipc", str(socket),
            "--cache-path", str(folder), "--accounts", "1", "--disable-pool-balance-checks",
            "--slots-in-an-epoch", str(SLOTS_IN_AN_EPOCH), "--chain-id", str(chain_id),
            "--timestamp", str(genesis_timestamp_s), "--gas-limit", str(gas_limit),
            "--block-base-fee-per-gas", str(base_fee_wei),
        ]  # fmt: skip
        log = folder / "stderr.log"
        try:
            with log.open("wb") as stderr:
                process = await asyncio.create_subprocess_exec(
                    str(binary),
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=stderr,
                    preexec_fn=_end_with_parent if sys.platform == "linux" else None,
                    start_new_session=True,
                )
            link = await _connect(process, socket)
        except (OSError, TimeoutError) as error:
            tail = log.read_text(errors="replace").strip()[-300:] if log.exists() else ""
            shutil.rmtree(folder, ignore_errors=True)
            raise ToolchainError(
                f"anvil did not start: {tail or error}", hint=f"try running it by hand: {binary}"
            ) from error
        return cls(process, link, folder)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def stop(self) -> None:
        """End the process and remove its files; safe to repeat."""
        await self.link.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


async def _connect(process: asyncio.subprocess.Process, socket: Path) -> AnvilLink:
    async with asyncio.timeout(START_TIMEOUT_S):
        while process.returncode is None:
            with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
                return await AnvilLink.connect(socket)
            await asyncio.sleep(_POLL_S)
    raise OSError(f"it ended with code {process.returncode}")


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _end_with_parent() -> None:
    """In the child, before exec: have the kernel end it when the parent dies, even by SIGKILL."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
