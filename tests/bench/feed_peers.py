"""The other sides of the feed benchmarks, each a process of its own: `python -m tests.bench.feed_peers NAME`.

Each prints one line of JSON when it is ready, and ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import tempfile
from pathlib import Path

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

CHAIN_ID = 31337
ROUTER = "0x" + "a1" * 20


def bodies(count: int, relevant_every: int) -> list[dict]:
    """Pending bodies of mainnet-like sizes; every `relevant_every`-th goes to the router (0: none)."""
    rng = random.Random(1)
    found = []
    for index in range(count):
        relevant = relevant_every and index % relevant_every == 0
        # A third are plain transfers, most are token calls, some are large.
        size = rng.choices((0, 68, 260, 700, 2000), (30, 35, 20, 10, 5))[0]
        found.append(
            {
                "type": "0x2", "chainId": "0x7a69", "nonce": hex(index), "gas": "0x30d40",
                "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x3b9aca00",
                "to": ROUTER if relevant else "0x" + rng.randbytes(20).hex(),
                "value": "0xde0b6b3a7640000",
                "accessList": [], "input": "0x" + rng.randbytes(size).hex(),
                "r": "0x" + rng.randbytes(32).hex(), "s": "0x" + rng.randbytes(32).hex(),
                "yParity": "0x1", "v": "0x1",
                "hash": f"0x{index:064x}", "blockHash": None, "blockNumber": None, "transactionIndex": None,
                "from": "0x" + rng.randbytes(20).hex(), "gasPrice": "0x77359400",
            }
        )  # fmt: skip
    return found


async def flood(count: int, per_s: float, relevant_every: int) -> None:
    """A node that sends `count` pending transactions to a subscriber; `per_s` 0 is as fast as it can."""
    frames = [
        orjson.dumps(
            {
                "jsonrpc": "2.0",
                "method": "eth_subscription",
                "params": {"subscription": "0x1", "result": body},
            }
        )
        for body in bodies(min(count, 5_000), relevant_every)
    ]

    async def send(socket: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for index in range(count):
            if per_s and begun + index / per_s > loop.time():
                await asyncio.sleep(begun + index / per_s - loop.time())
            await socket.send(frames[index % len(frames)], text=True)

    async def handle(socket: ServerConnection) -> None:
        sending = None
        # A client that has seen enough simply leaves.
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                request = orjson.loads(message)
                result: object = hex(CHAIN_ID)
                if request["method"] == "eth_subscribe":
                    result = "0x1" if request["params"][0] == "newPendingTransactions" else "0x2"
                await socket.send(
                    orjson.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), text=True
                )
                if result == "0x1":
                    sending = asyncio.create_task(send(socket))
        if sending is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        await _ready({"port": server.sockets[0].getsockname()[1]})


async def devnet() -> None:
    """A whole devnet that builds blocks only when told."""
    from jitctl.devnet.network import Devnet

    with tempfile.TemporaryDirectory() as folder:
        async with Devnet(Path(folder)) as net:
            await _ready({"folder": str(net.folder)})


async def _ready(told: dict) -> None:
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        if sys.argv[1] == "devnet":
            asyncio.run(devnet())
        else:
            asyncio.run(flood(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
