"""The doors through which an operator pauses; each returns the reply and when it was there."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from jitctl.control.unix_address import short_address

Answered = tuple[dict[str, Any], float]


class _UnixHttp(http.client.HTTPConnection):
    """What `curl --unix-socket` speaks: HTTP/1.1 with keep-alive, no header of ours."""

    def __init__(self, path: Path) -> None:
        super().__init__("jit", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with short_address(self._path) as address:
            self.sock.connect(address)


async def by_client(rig) -> Answered:
    """Ask as the verbs do, without the time that a process takes to begin."""

    def ask() -> Answered:
        return rig.client.call("pause", body={"reason": "race"}), time.monotonic()

    return await asyncio.to_thread(ask)


async def by_http(rig) -> Answered:
    """Ask as the runbook's curl does."""

    def ask() -> Answered:
        link = _UnixHttp(rig.net.folder / "run" / "jitctl.sock")
        try:
            link.request("POST", "/admin/pause")
            reply = link.getresponse()
            body = reply.read()
            answered_s = time.monotonic()
            assert reply.status == 200, body
            return json.loads(body), answered_s
        finally:
            link.close()

    return await asyncio.to_thread(ask)


async def by_verb(rig) -> Answered:
    """Run the whole `jitctl pause`; the answer is there with its first byte."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jitctl", "--config-dir", str(rig.net.folder / "config"), "pause",
        "--reason", "race", "-o", "json",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    first = await process.stdout.read(1)
    answered_s = time.monotonic()
    rest = await process.stdout.read()
    assert await process.wait() == 0
    return json.loads(first + rest), answered_s
