"""The bare WebSocket client where its connection breaks in the middle of a call."""

from __future__ import annotations

import asyncio
import gc

import pytest
import websockets

from jitctl.chain.ws import WsRpc
from jitctl.errors import NodeError


class Breaking:
    """A connection that closes while a request is being sent, as one that is reset does."""

    def __init__(self) -> None:
        self._reset = asyncio.Event()
        self.transport = self

    async def recv(self, decode: bool = False) -> bytes:
        await self._reset.wait()
        raise websockets.ConnectionClosedError(None, None)

    async def send(self, frame: bytes, text: bool = False) -> None:
        self._reset.set()
        for _ in range(5):
            await asyncio.sleep(0)
        raise websockets.ConnectionClosedError(None, None)

    def abort(self) -> None:
        """Nothing is left to abort."""

    async def close(self) -> None:
        """It is closed."""


@pytest.mark.parametrize("together", [False, True])
async def test_a_socket_reset_while_sending_leaves_no_exception_behind(together):
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    ws = WsRpc("node", Breaking())
    with pytest.raises(NodeError):
        await (ws.call_many([("eth_chainId", [])] * 3) if together else ws.call("eth_chainId"))
    await ws.close()
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
