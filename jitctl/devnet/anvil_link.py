"""JSON-RPC to anvil over its Unix socket: many requests in flight, answers by id, replies left as bytes.

anvil frames each reply as one line that opens with `{"jsonrpc":"2.0","id":N`, so a proxied reply is given
its caller's id by splicing, without being parsed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson

from jitctl.errors import NodeError

REPLY_LIMIT_BYTES = 256 * 1024 * 1024
_HEAD = b'{"jsonrpc":"2.0","id":'


class AnvilError(NodeError):
    """anvil answered with a JSON-RPC error, kept as it came in `error`."""

    code = "node"

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        super().__init__(f"{method}: {error.get('message', error)}")
        self.error = error


class AnvilLink:
    """One connection to anvil; `request` parses, `forward` does not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._next_id = 0
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, path: Path) -> AnvilLink:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=REPLY_LIMIT_BYTES)
        return cls(reader, writer)

    async def request(self, method: str, *params: Any) -> Any:
        """Return the result; raises `AnvilError` on an error reply, `NodeError` when anvil is gone."""
        reply = orjson.loads(_HEAD + b"0" + await self.forward(method, orjson.dumps(params)))
        if "error" in reply:
            raise AnvilError(method, reply["error"])
        return reply["result"]

    async def forward(self, method: str, params: bytes) -> bytes:
        """Send a request whose parameters are JSON already; return the reply's bytes after its id."""
        if self._task.done():
            raise NodeError("anvil is gone")
        self._next_id += 1
        request_id = self._next_id
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            self._writer.write(
                b'%b%d,"method":"%b","params":%b}\n' % (_HEAD, request_id, method.encode(), params)
            )
            return await future
        finally:
            self._waiting.pop(request_id, None)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                digits, _, _ = line[len(_HEAD) : len(_HEAD) + 20].partition(b",")
                future = self._waiting.get(int(digits)) if line.startswith(_HEAD) else None
                if future is not None and not future.done():
                    future.set_result(line[len(_HEAD) + len(digits) : -1])
        except (OSError, ValueError):
            pass  # a broken connection ends like a closed one: everyone who waits is told
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(NodeError("anvil is gone"))
