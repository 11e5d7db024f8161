"""Readers that will not let the API be: so many requests a second, until told to stop.

`python -m tests.bench.api_flood SOCKET PORT PER_S` asks nobody but this machine's own daemon. It begins at
each line `on` of its standard input, answers the line `off` with a JSON object of what was served since, and
ends when its input closes. A request goes to the next of six readers in turn: a kept or a fresh connection,
through the Unix socket or TCP; status, health or metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections import Counter

from jitctl.daemon import event_loop

PATHS = ("/api/status", "/health", "/metrics")
READERS = 16
"""Requests under way at a time, fewer than a door's connections."""
BURST_S = 0.005

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Flood:
    def __init__(self, socket: str, port: int, per_s: float) -> None:
        self._socket = socket
        self._port = port
        self._per_s = per_s
        self._due: asyncio.Queue[int] = asyncio.Queue()
        self._kept: dict[str, list[Stream]] = {"unix": [], "tcp": []}
        self._statuses: Counter[str] = Counter()
        self._times_ms: list[float] = []
        self._asked = 0

    async def run(self, seconds_since: float) -> None:
        """Ask on time, whether or not what was asked before has been answered."""
        self._statuses.clear()
        self._times_ms.clear()
        self._asked = 0
        while True:
            due = int((time.monotonic() - seconds_since) * self._per_s)
            for number in range(self._asked, due):
                self._due.put_nowait(number)
            self._asked = max(self._asked, due)
            await asyncio.sleep(BURST_S)

    async def read(self) -> None:
        """Be one of the readers, for ever."""
        while True:
            number = await self._due.get()
            began = time.perf_counter()
            try:
                status = await self._ask(number)
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                status = type(error).__name__
            self._times_ms.append((time.perf_counter() - began) * 1000)
            self._statuses[status] += 1

    async def _ask(self, number: int) -> str:
        door, fresh = ("unix", "tcp")[number % 2], number // 2 % 2 == 1
        path = PATHS[number % 3]
        while True:
            kept = None if fresh or not self._kept[door] else self._kept[door].pop()
            reader, writer = kept or await self._open(door)
            try:
                close = "Connection: close\r\n" if fresh else ""
                host = f"127.0.0.1:{self._port}"
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{close}\r\n".encode())
                status = await _reply(reader)
            except (OSError, asyncio.IncompleteReadError):
                writer.close()
                if kept is None:
                    raise
                continue  # the daemon closes a connection that was idle too long
            if fresh:
                writer.close()
            else:
                self._kept[door].append((reader, writer))
            return status

    async def _open(self, door: str) -> Stream:
        if door == "unix":
            return await asyncio.open_unix_connection(self._socket)
        return await asyncio.open_connection("127.0.0.1", self._port)

    def told(self, seconds: float) -> dict[str, object]:
        """Return what was served in the seconds since `run` began, and forget what still waits."""
        while not self._due.empty():
            self._due.get_nowait()
        times = sorted(self._times_ms) or [0.0]
        return {
            "asked": self._asked, "answered": self._statuses["200"], "statuses": dict(self._statuses),
            "seconds": seconds, "p50Ms": statistics.median(times), "p99Ms": times[int(len(times) * 0.99)],
        }  # fmt: skip


async def _reply(reader: asyncio.StreamReader) -> str:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    await reader.readexactly(length)
    return head[9:12].decode()


async def main(socket: str, port: str, per_s: str) -> None:
    flood = Flood(socket, int(port), float(per_s))
    readers = [asyncio.create_task(flood.read()) for _ in range(READERS)]
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    flooding: asyncio.Task[None] | None = None
    began_s = 0.0
    while line := (await commands.readline()).strip():
        if flooding is not None:
            flooding.cancel()
            flooding = None
        if line == b"on":
            began_s = time.monotonic()
            flooding = asyncio.create_task(flood.run(began_s))
        else:
            print(json.dumps(flood.told(time.monotonic() - began_s)), flush=True)
    for task in readers:
        task.cancel()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        event_loop.run(main(*sys.argv[1:]))
