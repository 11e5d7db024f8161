"""The floor of the way to the relay: the same round trips and the same disk commit, without any logic.

`python -m tests.bench.latency_floor WS_URL RELAY_URL FOLDER` reads one JSON object a line: what to send at
the next pending notification (`simulate` parameters, `statements` of the commit, `bundle` request with its
`headers`). It answers `armed`, and after the notification the milliseconds of each stage.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect

from jitctl.daemon import event_loop

REREAD = orjson.dumps(
    {"jsonrpc": "2.0", "id": 3, "method": "eth_getBlockByNumber", "params": ["latest", False]}
)


async def main(ws_url: str, relay_url: str, folder: str) -> None:
    commands = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    db = sqlite3.connect(f"{folder}/floor.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, data TEXT)")
    relay = urlsplit(relay_url)
    async with connect(ws_url, compression=None, max_size=2**26, proxy=None) as node:
        reader, writer = await asyncio.open_connection(relay.hostname, relay.port)
        while line := await commands.readline():
            told = json.loads(line)
            simulate = orjson.dumps(
                {"jsonrpc": "2.0", "id": 2, "method": "eth_simulateV1", "params": told["simulate"]}
            )
            post = _post(relay.path, relay.netloc, told["headers"], told["bundle"].encode())
            subscription = await _ask(node, "eth_subscribe", ["newPendingTransactions", True])
            # The connection to the relay is as warm as ours is.
            writer.write(_post(relay.path, relay.netloc, {}, b"{}"))
            await _reply(reader)
            print("armed", flush=True)
            marks = [await _notified(node)]
            await node.send(simulate, text=True)
            simulated = orjson.loads(await node.recv(decode=False))
            marks.append(time.perf_counter_ns())
            await node.send(REREAD, text=True)
            orjson.loads(await node.recv(decode=False))
            marks.append(time.perf_counter_ns())
            db.execute("BEGIN IMMEDIATE")
            for text in told["statements"]:
                db.execute("INSERT INTO floor (data) VALUES (?)", (text,))
            db.execute("COMMIT")
            marks.append(time.perf_counter_ns())
            writer.write(post)
            answered = orjson.loads(await _reply(reader))
            marks.append(time.perf_counter_ns())
            ok = "result" in answered and all(
                each["status"] == "0x1" for each in simulated["result"][0]["calls"]
            )
            names = ("simulate", "parent_reread", "commit", "submit")
            stages = {name: (marks[index + 1] - marks[index]) / 1e6 for index, name in enumerate(names)}
            stages["total"] = (marks[-1] - marks[0]) / 1e6
            print(json.dumps({"ok": ok, "stages": stages}), flush=True)
            await _ask(node, "eth_unsubscribe", [subscription])
        writer.close()


def _post(path: str, host: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def _reply(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return await reader.readexactly(length)


async def _notified(node: ClientConnection) -> int:
    """Return when the next pending transaction was read from the socket, parsed as anyone must."""
    while True:
        raw = await node.recv(decode=False)
        at_ns = time.perf_counter_ns()
        if orjson.loads(raw).get("method") == "eth_subscription":
            return at_ns


async def _ask(node: ClientConnection, method: str, params: list[Any]) -> Any:
    await node.send(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), text=True)
    while True:
        message = orjson.loads(await node.recv(decode=False))
        if message.get("id") == 1:
            return message["result"]


if __name__ == "__main__":
    event_loop.run(main(*sys.argv[1:]))
