"""A real node's answers, passed on by a server that changes some: each tale is one way to be wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import ClientSession, web

from jitctl.contracts import calls

OPEN_POSITION = "0x" + calls.SELECTORS["openPosition"].hex()
RESERVED = "0x" + calls.SELECTORS["reserved"].hex()
POSITIONS = "0x514ea4bf"
FALSE_HASH = "0x" + "fa15e" * 12 + "0000"
GWEI = 10**9

SILENT = ("hang", "hang_on_call", "drip", "hang_on_block")
ODD = (
    "other_chain", "other_hash", "reorg", "stale", "future", "huge_head", "words_on_call", "short_call",
    "error", "html", "no_code", "null_block", "other_number", "redirect", "rate_limited", "list_reply",
    "one_pool_fails",
)  # fmt: skip
INVENTING = ("invents_all", "invents_reserve", "invents_leftover")


class ForgedNode:
    """`tale` may be changed at any time; `asked` counts what arrived."""

    def __init__(self, upstream: str, tale: str, executor: str) -> None:
        self.upstream, self.tale, self.executor = upstream, tale, executor
        self.asked: list[str] = []
        self._blocks_told = 0

    async def start(self) -> None:
        self._session = ClientSession()
        app = web.Application()
        app.router.add_post("/", self._post)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        method = body["method"]
        self.asked.append(method)
        match self.tale:
            case "hang":
                await asyncio.Event().wait()
            case "hang_on_call" if method == "eth_call":
                await asyncio.Event().wait()
            case "hang_on_block" if method == "eth_getBlockByNumber":
                await asyncio.Event().wait()
            case "drip" if method != "eth_chainId":
                return await self._drip(request)
            case "html":
                return web.Response(text="<html>sign in first</html>", content_type="text/html")
            case "redirect":
                return web.Response(status=302, headers={"Location": self.upstream})
            case "rate_limited":
                return web.Response(status=429, headers={"Retry-After": "1"})
            case "list_reply":
                return web.json_response([])
        reply = await self._upstream(self._asked_upstream(body))
        if "result" in reply:
            reply = self._told(method, body.get("params", []), reply)
        return web.json_response(reply)

    async def _upstream(self, body: Any) -> Any:
        async with self._session.post(self.upstream, json=body) as response:
            return json.loads(await response.read())

    def _asked_upstream(self, body: Any) -> Any:
        """A block of our own making is the real one of that number upstream."""
        if self.tale != "other_hash" or FALSE_HASH not in json.dumps(body):
            return body
        return json.loads(json.dumps(body).replace(FALSE_HASH, self._true_hash))

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    def _told(self, method: str, params: list[Any], reply: dict[str, Any]) -> dict[str, Any]:
        result = reply["result"]
        data = params[0].get("data", "") if method == "eth_call" else ""
        match (self.tale, method):
            case ("other_chain", "eth_chainId"):
                result = "0x1"
            case ("other_hash", "eth_getBlockByNumber"):
                self._true_hash = result["hash"]
                result = {**result, "hash": FALSE_HASH}
            case ("reorg", "eth_getBlockByNumber"):
                self._blocks_told += 1
                if self._blocks_told % 2 == 0:
                    result = {**result, "hash": FALSE_HASH}
            case ("stale", "eth_getBlockByNumber"):
                result = {**result, "timestamp": hex(int(result["timestamp"], 16) - 3600)}
            case ("future", "eth_getBlockByNumber"):
                result = {**result, "timestamp": hex(int(result["timestamp"], 16) + 3600)}
            case ("huge_head", "eth_blockNumber"):
                result = "0x7fffffffffffffff"
            case ("null_block", "eth_getBlockByNumber"):
                result = None
            case ("other_number", "eth_getBlockByNumber"):
                result = {**result, "number": hex(int(result["number"], 16) - 1)}
            case ("words_on_call", "eth_call"):
                result = {"not": "hex"}
            case ("short_call", "eth_call"):
                result = "0x"
            case ("no_code", "eth_getCode"):
                result = "0x"
            case ("error", "eth_call"):
                return {**_without(reply, "result"), "error": {"code": -32000, "message": "header not found"}}
            case ("one_pool_fails", "eth_call") if data.startswith(OPEN_POSITION):
                return {**_without(reply, "result"), "error": {"code": 3, "message": "execution reverted"}}
            case ("hides_all" | "hides_flag", "eth_call") if data.startswith(OPEN_POSITION):
                result = "0x" + "0" * 64 + result[66:]
            case ("hides_all", "eth_call") if data.startswith((RESERVED, POSITIONS)):
                result = "0x" + "0" * (len(result) - 2)
            case ("invents_all", "eth_call") if data.startswith(OPEN_POSITION):
                result = _words(1, 2**256 - 10, 10, 1, 1, 1, 1, 1)
            case ("invents_all" | "invents_reserve", "eth_call") if data.startswith(RESERVED):
                result = _words(GWEI)
            case ("invents_leftover", "eth_call") if data.startswith(OPEN_POSITION):
                result = _words(0, 2**256 - 10, 10, 1, 1, 1, 1, 1)
            case ("invents_leftover", "eth_call") if data.startswith(POSITIONS):
                result = _words(5, 0, 0, 0, 0)
        return {**reply, "result": result}


def _words(*values: int) -> str:
    return "0x" + b"".join(value.to_bytes(32, "big") for value in values).hex()


def _without(reply: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != key}
