"""A devnet with manual slots, and people who talk to its door as anyone would."""

from __future__ import annotations

import contextlib

import aiohttp
import pytest
from eth_utils import keccak

from jitctl.devnet.door_client import DoorClient
from jitctl.devnet.network import Devnet
from tests.devnet.door_people import Person, Searcher, Socket


@pytest.fixture
async def net(tmp_path):
    async with Devnet(tmp_path / "net") as running:
        yield running


@pytest.fixture
async def door(net):
    async with DoorClient(net.manifest.rpc_url, net.manifest.admin_url) as client:
        yield client


@pytest.fixture
async def people(net, door):
    """Users of the devnet; their set-up transactions are behind them."""
    found = []
    for user in net.people.users:
        nonce = int(await door.call("eth_getTransactionCount", user.address, "latest"), 16)
        found.append(Person(door, user.private_key, nonce))
    return found


@pytest.fixture
async def stranger(net, door):
    """Make funded accounts that nobody has seen before."""

    async def make(number, wei=10**20):
        key = "0x" + keccak(text=f"stranger {number}").hex()
        person = Person(door, key)
        await door.admin("devnet_anvil", method="anvil_setBalance", params=[person.address, hex(wei)])
        return person

    return make


@pytest.fixture
def searcher(net):
    return Searcher(net.manifest.data["relayUrl"], net.people.relay_identity.private_key)


@pytest.fixture
def rival(net):
    return Searcher(net.manifest.data["relayUrl"], "0x" + "77" * 32)


@pytest.fixture
async def connect(net):
    """Open WebSockets to the door (or to another path of it)."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def open_socket(path=""):
            socket = Socket(await session.ws_connect(net.manifest.data["wsUrl"] + path))
            stack.push_async_callback(socket.stop)
            return socket

        yield open_socket
