"""Those who talk to the front door in tests: people, searchers, subscribers."""

from __future__ import annotations

import asyncio

import aiohttp
import orjson
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils import keccak, to_checksum_address

from jitctl.devnet.door_client import DoorError

GWEI = 10**9
SINK = "0x" + "11" * 20


class Person:
    """Someone with a key who signs plain transactions; the nonce counts up by itself."""

    def __init__(self, door, key, nonce=0):
        self.door, self.key, self.nonce = door, key, nonce
        self.address = Account.from_key(key).address.lower()

    def sign(
        self, *, nonce=None, to=SINK, value=1, tip=GWEI, max_fee=5 * GWEI, gas=21_000, data="0x", **extra
    ):
        if nonce is None:
            nonce, self.nonce = self.nonce, self.nonce + 1
        body = {
            "chainId": 31337,
            "nonce": nonce,
            "to": to_checksum_address(to),
            "value": value,
            "gas": gas,
            "data": data,
        }
        body |= extra
        if "gasPrice" not in body:
            body |= {"type": body.get("type", 2), "maxFeePerGas": max_fee, "maxPriorityFeePerGas": tip}
        return "0x" + bytes(Account.sign_transaction(body, self.key).raw_transaction).hex()

    async def send(self, **fields):
        return await self.door.call("eth_sendRawTransaction", self.sign(**fields))


def hash_of(raw):
    return "0x" + keccak(hexstr=raw).hex()


class Searcher:
    """Sends signed requests to the relay; `post` shows status and body as they are."""

    def __init__(self, url, key):
        self.url, self.key = url, key
        self.address = Account.from_key(key).address

    def signature(self, body):
        message = encode_defunct(text="0x" + keccak(body).hex())
        return f"{self.address}:0x{bytes(Account.sign_message(message, self.key).signature).hex()}"

    async def post(self, method, params, header=None, timeout_s=10.0):
        body = orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": [params]})
        headers = {"Content-Type": "application/json"}
        if header != "":
            headers["X-Flashbots-Signature"] = header or self.signature(body)
        limit = aiohttp.ClientTimeout(total=timeout_s)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(self.url, data=body, headers=headers) as response,
        ):
            return response.status, await response.read()

    async def call(self, method, **params):
        _, reply = await self.post(method, params)
        reply = orjson.loads(reply)
        if "error" in reply:
            raise DoorError(reply["error"]["message"], reply["error"]["code"])
        return reply["result"]

    async def bundle(self, txs, block, **more):
        return (await self.call("eth_sendBundle", txs=txs, blockNumber=hex(block), **more))["bundleHash"]


class Socket:
    """A WebSocket subscriber that keeps what it hears, by subscription."""

    def __init__(self, ws):
        self.ws, self.heard, self.names, self._ids = ws, [], {}, 0
        self._replies = {}
        self._news = asyncio.Event()
        self.closed = False
        self._task = asyncio.create_task(self._listen())

    async def _listen(self):
        async for message in self.ws:
            body = orjson.loads(message.data)
            if "method" in body:
                params = body["params"]
                self.heard.append(
                    (self.names.get(params["subscription"], params["subscription"]), params["result"])
                )
            elif body["id"] in self._replies:
                self._replies[body["id"]].set_result(body)
            self._wake()
        self.closed = True
        self._wake()

    def _wake(self):
        self._news.set()
        self._news = asyncio.Event()

    async def call(self, method, *params):
        self._ids += 1
        future = self._replies[self._ids] = asyncio.get_running_loop().create_future()
        await self.ws.send_bytes(
            orjson.dumps({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        )
        reply = await asyncio.wait_for(future, 10)
        if "error" in reply:
            raise DoorError(reply["error"]["message"], reply["error"]["code"])
        return reply["result"]

    async def subscribe(self, kind, *params):
        subscription = await self.call("eth_subscribe", kind, *params)
        self.names[subscription] = kind
        return subscription

    def of(self, kind):
        return [result for name, result in self.heard if name == kind]

    async def until(self, condition):
        """Wait until `condition()` holds, looking again whenever something is heard."""
        async with asyncio.timeout(10):
            while not condition():
                news = self._news
                if condition():
                    return
                await news.wait()

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.ws.close()


async def receipt(door, tx_hash):
    return await door.call("eth_getTransactionReceipt", tx_hash)
