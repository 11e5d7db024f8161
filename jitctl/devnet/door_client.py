"""A client of the front door: what users, tests and the devnet's verbs talk to it with."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import aiohttp
import orjson

from jitctl.errors import NodeError, TimedOut

TIMEOUT_S = 30.0


class DoorError(NodeError):
    """The door answered with a JSON-RPC error; `rpc_code` is its code."""

    code = "node"

    def __init__(self, message: str, rpc_code: int) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code


class DoorClient:
    """JSON-RPC over one keep-alive HTTP session."""

    def __init__(self, url: str, admin_url: str = "", *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._admin_url = admin_url
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result; raises `DoorError` for an error reply, `NodeError` or `TimedOut` without one."""
        return await self._post(self._url, method, list(params))

    async def admin(self, method: str, /, **params: Any) -> Any:
        """Call one of the devnet's controls, such as `devnet_slot`."""
        return await self._post(self._admin_url, method, [params])

    async def _post(self, url: str, method: str, params: list[Any]) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(url, data=body, headers=headers) as response:
                reply = orjson.loads(await response.read())
        except TimeoutError as error:
            raise TimedOut(f"the devnet did not answer {method}") from error
        except (aiohttp.ClientError, orjson.JSONDecodeError, asyncio.IncompleteReadError) as error:
            raise NodeError(f"the devnet gave no answer to {method}: {error}") from error
        if not isinstance(reply, dict) or ("error" not in reply and "result" not in reply):
            raise NodeError(f"the devnet's answer to {method} is not JSON-RPC")
        if "error" in reply:
            raise DoorError(str(reply["error"].get("message")), int(reply["error"].get("code", 0)))
        return reply["result"]
