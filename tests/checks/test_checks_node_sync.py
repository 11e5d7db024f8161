"""Node sync against nodes of every kind: each state has its finding, its exit code and its remedy."""

from __future__ import annotations

import asyncio
import time

import pytest

from jitctl.checks.node_sync import node_sync
from tests.chain.fake_node import FakeNode

PATIENT_S = 30.0
NOW_S = 1_800_000_000.0
HEAD = 1000
METHOD_MISSING = {"rpc_error": {"code": -32601, "message": "the method does not exist"}}


def header(number, age_s=6, fork="0", **changes):
    return {
        "number": hex(number), "hash": "0x" + fork + f"{number:063x}", "parentHash": "0x" + "0" * 64,
        "timestamp": hex(int(NOW_S) - age_s), "baseFeePerGas": "0x7", "gasLimit": hex(30_000_000),
        "gasUsed": "0x0", "miner": "0x" + "00" * 20, **changes,
    }  # fmt: skip


def well(number=HEAD, **kind):
    """Return what a healthy node answers."""

    def block(tag, _full):
        return header(number if tag == "latest" else int(tag, 16), **kind)

    return {"eth_getBlockByNumber": block, "eth_syncing": False, "net_peerCount": "0x19"}


async def look(scene, first, second=None, *, timeout_s=PATIENT_S):
    """Return the report on a trading node that answers so, and on a verify node."""
    async with FakeNode() as one, FakeNode() as two:
        one.answers, two.answers = well() | first, well() | (second or {})
        config = scene.asking([one.endpoint.http_url], [two.endpoint.http_url] if second is not None else [])
        return await node_sync(config, wall_s=lambda: NOW_S, timeout_s=timeout_s)


def findings(report, result):
    return [each.name for each in report.checks if each.result == result]


async def test_healthy_nodes_pass_every_check(scene):
    report = await look(scene, {}, {})
    names = ["reachable", "chain_id", "syncing", "head", "peers"]
    assert (report.result, findings(report, "pass")) == (
        "pass",
        [f"{where}.{name}" for where in ("nodes.door0", "verify_nodes.second0") for name in names]
        + ["lag", "same_block"],
    )
    assert report.config_hash == scene.config.hash


STATES = {
    "another chain": ({"eth_chainId": "0x1"}, "fail", "chain_id", "chain id 1, not 31337"),
    "syncing": (
        {"eth_syncing": {"currentBlock": "0x64", "highestBlock": "0x3e8"}}, "fail", "syncing",
        "still syncing: block 100 of 1000, 900 to go",
    ),
    "syncing, not saying how far": ({"eth_syncing": {"stages": []}}, "fail", "syncing", "block unknown of"),
    "a head of 3 slots": (well(age_s=36), "pass", "head", "block 1000, 36 s old"),
    "a head of more than 3": (well(age_s=37), "warn", "head", "block 1000, 37 s old"),
    "a head of 10 slots": (well(age_s=120), "warn", "head", "block 1000, 120 s old"),
    "a head of more than 10": (well(age_s=121), "fail", "head", "block 1000, 121 s old"),
    "a head in the far future": (well(age_s=-121), "fail", "head", "121 s in the future"),
    "a time beyond all": (well(timestamp="0x7fffffffffffffff"), "fail", "head", "in the future"),
    "no peers": ({"net_peerCount": "0x0"}, "warn", "peers", "no peers"),
    "peers not told": ({"net_peerCount": METHOD_MISSING}, "pass", "peers", "does not tell"),
    "no chain id": ({"eth_chainId": METHOD_MISSING}, "unknown", "chain_id", "does not exist"),
    "a chain id that is no number": ({"eth_chainId": "main"}, "unknown", "chain_id", "not a quantity"),
    "a chain id of 300 digits": ({"eth_chainId": "0x" + "9" * 300}, "unknown", "chain_id", "not a quantity"),
    "a number for a hex text": ({"eth_chainId": 31337}, "unknown", "chain_id", "not a quantity"),
    "syncing is a word": ({"eth_syncing": "no"}, "unknown", "syncing", "neither false nor"),
    "syncing is null": ({"eth_syncing": None}, "unknown", "syncing", "neither false nor"),
    "syncing is 0": ({"eth_syncing": 0}, "unknown", "syncing", "neither false nor"),
    "no block": ({"eth_getBlockByNumber": None}, "unknown", "head", "not a block"),
    "a list for a block": ({"eth_getBlockByNumber": [1]}, "unknown", "head", "not a block"),
    "a block without a time": ({"eth_getBlockByNumber": {"number": "0x1"}}, "unknown", "head", "KeyError"),
    "a head beyond 2^63": (well(2**200), "unknown", "head", "not a quantity"),
    "a hash that is none": (well(hash="0xgg"), "unknown", "head", "not a hash"),
    "negative peers": ({"net_peerCount": "-0x1"}, "unknown", "peers", "not a quantity"),
    "the terminal is steered": ({"eth_chainId": "\x1b[2J" * 9}, "unknown", "chain_id", "not a quantity"),
}  # fmt: skip


@pytest.mark.parametrize("what", STATES)
async def test_each_state_has_its_finding_and_a_remedy(scene, what):
    answers, result, check, detail = STATES[what]
    report = await look(scene, answers)
    (found,) = [each for each in report.checks if each.name == f"nodes.door0.{check}"]
    assert (found.result, detail in found.detail) == (result, True), found
    assert bool(found.remedy) == (result != "pass")
    assert report.result == result
    assert [each.name for each in report.checks if each.result != "pass" and each is not found] == []


@pytest.mark.parametrize(
    ("blocks", "result"), [(0, "pass"), (1, "pass"), (2, "warn"), (3, "warn"), (4, "fail")]
)
async def test_the_lag_between_nodes(scene, blocks, result):
    report = await look(scene, {}, well(HEAD - blocks))
    assert report.result == result
    assert findings(report, result)[-1:] == (["same_block"] if result == "pass" else ["lag"])


async def test_another_hash_at_the_same_height_fails(scene):
    for number in (HEAD, HEAD - 1):
        report = await look(scene, {}, well(number, fork="f"))
        assert findings(report, "fail") == ["same_block"]
    # A node of another chain, or one that nobody can compare with, says nothing about a fork.
    report = await look(scene, {}, well(fork="f") | {"eth_chainId": "0x1"})
    assert findings(report, "fail") == ["verify_nodes.second0.chain_id"]


async def test_a_lying_head_is_not_fine_and_hides_nothing(scene):
    report = await look(scene, {}, well(2**62))
    assert (report.result, findings(report, "fail")) == ("fail", ["lag"])


HOSTILE = {
    "html": b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<html>hi</html",
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x00\xa5 nonsense\r\n\r\n",
    "half a reply": b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"jsonrpc":"2.0","id":1,',
    "nothing at all": b"",
    "deep brackets": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"[" * 5000,
    "a gzip that is none": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    "an error of no shape": b'HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{"id":1,"error":[["\\ud800"],{}]}',
    "too many requests": b"HTTP/1.1 429 Slow Down\r\nRetry-After: nan\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_is_no_node_is_unknown(scene, what, scheme):
    async def serve(reader, writer):
        await reader.read(65536)
        writer.write(HOSTILE[what])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/key-5ecret"
        report = await node_sync(scene.asking([url], []), wall_s=lambda: NOW_S, timeout_s=PATIENT_S)
    assert report.result == "unknown"
    assert "5ecret" not in str(report)
    assert all(each.remedy for each in report.checks if each.result != "pass")


async def test_nodes_that_hang_or_drip_take_the_limit_and_no_more(scene):
    hung, dripping = await scene.forge("hang"), await scene.forge("drip")
    healthy = await scene.forge()
    config = scene.asking([hung.url, healthy.url], [dripping.url, "http://127.0.0.1:1/"])
    begun_s = time.monotonic()
    report = await node_sync(config, wall_s=scene.wall_s, timeout_s=0.5)
    assert time.monotonic() - begun_s < 20.0
    assert report.result == "unknown"
    assert {"nodes.door0.reachable", "verify_nodes.second1.reachable"} <= set(findings(report, "unknown"))
    await scene.mend()


@pytest.mark.runbook("DAY-2", "START-1", "TRB-8")
async def test_the_verb_on_a_devnet_ends_with_0_1_and_8(flat):
    await flat.net.slot(int(time.time()))
    verb = "check-node-sync"
    code, body, err = await flat.jitctl(verb)
    assert (code, body["result"], err) == (0, "pass", "")
    assert {check["name"] for check in body["checks"]} >= {"nodes.door.head", "lag", "same_block"}
    flat.lay("node/second", "lag", 5)
    assert (await flat.jitctl(verb))[0] == 1
    flat.lay("node/second", "lag", 2)
    assert (await flat.jitctl(verb))[0] == 0
    assert (await flat.jitctl(verb, "--strict"))[0] == 10
    flat.lay("node/second", "garbage")
    assert (await flat.jitctl(verb))[0] == 8
    flat.lay("node", "wrong_chain", 5)
    code, body, _ = await flat.jitctl(verb)
    assert (code, body["result"]) == (1, "fail")
