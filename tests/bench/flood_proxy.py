"""A door before the door: passes everything on, and floods whoever subscribes to pending transactions.

`python -m tests.bench.flood_proxy WS_URL COUNT PER_S SWAP` prints its port as JSON when it listens, and a
line when the flood is over; it ends when its standard input closes. SWAP is the JSON body of a real swap:
one transaction in fifty is like it, with a sender and hash of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.bench.feed_peers import bodies

SWAP_EVERY = 50
BURST_S = 0.005


class Proxy:
    def __init__(self, upstream: str, count: int, per_s: float, swap: dict) -> None:
        self._upstream = upstream
        self._count = count
        self._per_s = per_s
        self._swap = swap
        self._others = [orjson.dumps(body) for body in bodies(5_000, 0)]
        self._rng = random.Random(3)

    async def handle(self, client: ServerConnection) -> None:
        wanted: set[int] = set()
        async with connect(self._upstream, compression=None, max_size=2**26, proxy=None) as door:
            tasks: list[asyncio.Task[None]] = []
            tasks.append(asyncio.create_task(self._down(door, client, wanted, tasks)))
            # The bot leaves without a goodbye.
            with contextlib.suppress(ConnectionClosed):
                async for message in client:
                    if "newPendingTransactions" in message:
                        wanted.add(orjson.loads(message)["id"])
                    await door.send(message, text=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _down(
        self,
        door: ClientConnection,
        client: ServerConnection,
        wanted: set[int],
        tasks: list[asyncio.Task[None]],
    ) -> None:
        async for message in door:
            await client.send(message, text=True)
            if wanted:
                reply = orjson.loads(message)
                if isinstance(reply, dict) and reply.get("id") in wanted:
                    wanted.discard(reply["id"])
                    tasks.append(asyncio.create_task(self._flood(client, reply["result"])))

    async def _flood(self, client: ServerConnection, subscription: str) -> None:
        head = (
            b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"%b","result":'
            % subscription.encode()
        )
        begun_s, sent = time.monotonic(), 0
        while sent < self._count:
            due = min(self._count, int((time.monotonic() - begun_s) * self._per_s))
            for index in range(sent, due):
                body = self._body(index) if index % SWAP_EVERY == 0 else self._others[index % 5_000]
                await client.send(head + body + b"}}", text=True)
            sent = max(sent, due)
            await asyncio.sleep(BURST_S)
        print(json.dumps({"sent": sent, "seconds": time.monotonic() - begun_s}), flush=True)

    def _body(self, index: int) -> bytes:
        sender, tx_hash = self._rng.randbytes(20).hex(), self._rng.randbytes(32).hex()
        return orjson.dumps(self._swap | {"from": "0x" + sender, "hash": "0x" + tx_hash, "nonce": hex(index)})


async def main(upstream: str, count: str, per_s: str, swap: str) -> None:
    proxy = Proxy(upstream, int(count), float(per_s), json.loads(swap))
    async with serve(proxy.handle, "127.0.0.1", 0, compression=None, max_size=2**26) as server:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
