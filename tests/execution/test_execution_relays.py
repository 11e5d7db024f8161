"""Relays over real connections: every outcome has its name, and nothing is believed unseen."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils import keccak

from jitctl.domain.bundle import RelayOutcome, SignedBundle
from jitctl.errors import ConfigError
from jitctl.execution.relay import MAX_REPLY_BYTES, RelayEndpoint
from jitctl.execution.relays import HttpRelays, bundle_hash, bundle_params
from tests.execution.fake_relay import IDENTITY, FakeRelay, raw, reply

BUNDLE = SignedBundle(
    uuid="8d2a7f0e-0000-5000-8000-000000000001",
    raw_txs=(b"\x02\x01", b"\x02\x02", b"\x02\x03"),
    tx_hashes=("0x" + "01" * 32, "0x" + "02" * 32, "0x" + "03" * 32),
    target_block=100,
)


class Time:
    def __init__(self) -> None:
        self.now_ns = 10**9

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
async def relay():
    async with FakeRelay() as fake:
        yield fake


async def submitted(relay: FakeRelay, timeout_s: float = 2.0):
    relays = HttpRelays([relay.endpoint(timeout_s)])
    (answer,) = await relays.submit(BUNDLE)
    counts = relays.counters()[relay.name]
    await relays.close()
    assert counts[answer.outcome] == 1 and sum(counts.values()) == 1
    return answer


async def test_a_bundle_is_sent_whole_and_signed(relay):
    answer = await submitted(relay)
    assert answer.outcome == RelayOutcome.ACCEPTED and answer.relay == "relay" and answer.elapsed_ms > 0
    (request,) = relay.requests
    assert request["method"] == "eth_sendBundle" and request["params"] == [
        {
            "txs": ["0x0201", "0x0202", "0x0203"],
            "blockNumber": "0x64",
            "replacementUuid": BUNDLE.uuid,
            "revertingTxHashes": [],
        }
    ]
    signer, signature = relay.signatures[0].split(":")
    message = encode_defunct(text="0x" + keccak(relay.bodies[0]).hex())
    assert Account.recover_message(message, signature=signature).lower() == signer == IDENTITY.address


def test_timestamps_are_sent_only_when_set():
    bounded = dataclasses.replace(BUNDLE, min_timestamp_s=5, max_timestamp_s=6)
    assert bundle_params(bounded) | {"minTimestamp": 5, "maxTimestamp": 6} == bundle_params(bounded)


OUTCOMES = {
    "true_hash": (reply({"bundleHash": bundle_hash(BUNDLE)}), RelayOutcome.ACCEPTED),
    "null_result": (reply(None), RelayOutcome.ACCEPTED),
    "lie": (reply({"bundleHash": "0x" + "99" * 32}), RelayOutcome.BAD_REPLY),
    "error": (reply(error={"code": -32000, "message": "bundle too cheap"}), RelayOutcome.REFUSED),
    "error_400": (reply(status=400, error={"code": 1, "message": "no"}), RelayOutcome.REFUSED),
    "error_text": (reply(error="no"), RelayOutcome.REFUSED),
    "other_id": (reply({}, id=7), RelayOutcome.BAD_REPLY),
    "no_result": (raw(200, b'{"id":1}'), RelayOutcome.BAD_REPLY),
    "500": (raw(500, b"oops"), RelayOutcome.BAD_REPLY),
    "500_json": (reply({}, status=500), RelayOutcome.BAD_REPLY),
    "not_json": (raw(200, b"<html>"), RelayOutcome.BAD_REPLY),
    "empty": (raw(200), RelayOutcome.BAD_REPLY),
    "list": (raw(200, b"[]"), RelayOutcome.BAD_REPLY),
    "redirect": (raw(307, Location="http://127.0.0.1:1/"), RelayOutcome.BAD_REPLY),
    "moved": (raw(301, Location="/elsewhere"), RelayOutcome.BAD_REPLY),
    "too_large": (raw(200, b"x" * (MAX_REPLY_BYTES + 1)), RelayOutcome.BAD_REPLY),
    "429": (raw(429), RelayOutcome.RATE_LIMITED),
}


@pytest.mark.parametrize("case", OUTCOMES)
async def test_every_answer_has_its_outcome(relay, case):
    relay.answer, outcome = OUTCOMES[case]
    answer = await submitted(relay)
    assert answer.outcome == outcome, answer
    assert len(relay.requests) == 1
    if outcome != RelayOutcome.ACCEPTED:
        assert answer.detail and len(answer.detail) < 250


async def test_a_relays_words_are_made_harmless(relay):
    relay.answer = reply(error={"code": 1, "message": "\x1b[31mred\nline" + "x" * 5000})
    answer = await submitted(relay)
    assert "\x1b" not in answer.detail and "\n" not in answer.detail and len(answer.detail) <= 200


async def test_a_silent_relay_times_out(relay):
    relay.silent = True
    assert (await submitted(relay, 0.1)).outcome == RelayOutcome.TIMED_OUT


async def test_nobody_there_is_unreachable():
    relays = HttpRelays([RelayEndpoint("gone", "http://127.0.0.1:1/", IDENTITY)])
    (answer,) = await relays.submit(BUNDLE)
    assert answer.outcome == RelayOutcome.UNREACHABLE
    await relays.close()


async def test_a_peer_that_hangs_up_is_named():
    async def hang_up(_reader, writer):
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    relays = HttpRelays([RelayEndpoint("rude", f"http://127.0.0.1:{port}/", IDENTITY)])
    (answer,) = await relays.submit(BUNDLE)
    assert answer.outcome in (RelayOutcome.BAD_REPLY, RelayOutcome.UNREACHABLE)
    await relays.close()
    server.close()


async def test_a_drip_of_bytes_does_not_outlast_the_deadline():
    async def drip(_reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    relays = HttpRelays([RelayEndpoint("slow", f"http://127.0.0.1:{port}/", IDENTITY, 0.15)])
    (answer,) = await relays.submit(BUNDLE)
    assert answer.outcome == RelayOutcome.TIMED_OUT and answer.elapsed_ms < 1000
    await relays.close()
    server.close()


async def test_retry_after_is_respected_per_method_and_nothing_is_retried(relay):
    now = Time()
    relays = HttpRelays([relay.endpoint()], monotonic_ns=now)
    relay.answer = raw(429, Retry_After="5")
    assert (await relays.submit(BUNDLE))[0].outcome == RelayOutcome.RATE_LIMITED
    relay.answer = None
    held = (await relays.submit(BUNDLE))[0]
    assert held.outcome == RelayOutcome.RATE_LIMITED and "held back" in held.detail
    assert len(relay.requests) == 1
    assert (await relays.cancel(BUNDLE.uuid))[0].outcome == RelayOutcome.ACCEPTED
    now.now_ns += 5_000_000_001
    assert (await relays.submit(BUNDLE))[0].outcome == RelayOutcome.ACCEPTED
    await relays.close()


@pytest.mark.parametrize(
    ("header", "wait_s"), [("soon", 1), ("-5", 1), ("nan", 1), ("1e9", 60), ("", 1), ("0", 1)]
)
async def test_a_strange_retry_after_is_bounded(relay, header, wait_s):
    now = Time()
    relays = HttpRelays([relay.endpoint()], monotonic_ns=now)
    relay.answer = raw(429, Retry_After=header)
    await relays.submit(BUNDLE)
    relay.answer = None
    now.now_ns += wait_s * 10**9 - 10
    assert (await relays.submit(BUNDLE))[0].outcome == RelayOutcome.RATE_LIMITED
    now.now_ns += 20
    assert (await relays.submit(BUNDLE))[0].outcome == RelayOutcome.ACCEPTED
    await relays.close()


async def test_all_relays_are_asked_at_once_and_answer_in_order():
    async with FakeRelay("a") as first, FakeRelay("b") as second, FakeRelay("c") as third:
        second.silent = True
        relays = HttpRelays([first.endpoint(), second.endpoint(0.2), third.endpoint()])
        answers = await relays.submit(BUNDLE)
        assert [answer.relay for answer in answers] == ["a", "b", "c"]
        assert [answer.outcome for answer in answers] == ["accepted", "timed_out", "accepted"]
        await relays.close()


async def test_cancelling_names_the_uuid(relay):
    relays = HttpRelays([relay.endpoint()])
    await relays.cancel(BUNDLE.uuid)
    assert relay.requests[0]["method"] == "eth_cancelBundle"
    assert relay.requests[0]["params"] == [{"replacementUuid": BUNDLE.uuid}]
    await relays.close()


async def test_connections_are_kept_warm_and_reused(relay):
    relays = HttpRelays([relay.endpoint()])
    naps = asyncio.Queue()

    async def nap(seconds: float) -> None:
        await naps.put(seconds)
        await asyncio.Event().wait()

    warming = asyncio.create_task(relays.keep_warm(nap))
    assert await naps.get() > 0
    for _ in range(3):
        await relays.submit(BUNDLE)
    assert len(relay.connections) == 1 and relays.counters()["relay"]["warmed"] == 1
    warming.cancel()
    await relays.close()


async def test_warming_a_dead_relay_is_harmless():
    relays = HttpRelays([RelayEndpoint("gone", "http://127.0.0.1:1/", IDENTITY)])
    done = asyncio.Event()

    async def nap(_seconds: float) -> None:
        done.set()
        await asyncio.Event().wait()

    warming = asyncio.create_task(relays.keep_warm(nap))
    await done.wait()
    warming.cancel()
    await relays.close()


async def test_the_proxy_of_the_environment_is_not_used(relay, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert (await submitted(relay)).outcome == RelayOutcome.ACCEPTED


async def serving(handler, tls=None):
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls)
    return server, server.sockets[0].getsockname()[1]


OK = b'{"jsonrpc":"2.0","id":1,"result":{}}'


async def answered_once(reader, writer):
    """Answers one request as if the connection would stay, and closes it."""
    await reader.readuntil(b"}]}")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(OK), OK))
    await writer.drain()
    writer.close()


async def test_a_kept_connection_that_was_closed_is_replaced():
    server, port = await serving(answered_once)
    relays = HttpRelays([RelayEndpoint("short", f"http://127.0.0.1:{port}/", IDENTITY)])
    for _ in range(4):
        assert (await relays.submit(BUNDLE))[0].outcome == RelayOutcome.ACCEPTED
    await relays.close()
    server.close()


async def test_a_relay_that_hangs_up_every_time_is_asked_twice_at_most():
    seen = []

    async def handler(reader, writer):
        seen.append(await reader.readuntil(b"}]}"))
        if len(seen) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(OK), OK))
            await reader.readuntil(b"}]}")
        writer.close()

    server, port = await serving(handler)
    relays = HttpRelays([RelayEndpoint("rude", f"http://127.0.0.1:{port}/", IDENTITY)])
    assert (await relays.submit(BUNDLE))[0].outcome == RelayOutcome.ACCEPTED
    assert (await relays.submit(BUNDLE))[0].outcome == RelayOutcome.UNREACHABLE
    assert len(seen) == 2
    await relays.close()
    server.close()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(OK), OK),
            "accepted",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\n" + OK, "accepted"),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(OK), OK),
            "accepted",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" + OK, "bad_reply"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n" + OK, "bad_reply"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "bad_reply"),
        (b"\x16\x03\x01\x00\x05hello", "bad_reply"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, "bad_reply"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}" + OK, "bad_reply"),
    ],
    ids=range(9),
)
async def test_every_form_of_http_and_of_what_is_none(answer, outcome):
    async def handler(reader, writer):
        await reader.readuntil(b"}]}")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server, port = await serving(handler)
    relays = HttpRelays([RelayEndpoint("odd", f"http://127.0.0.1:{port}/", IDENTITY)])
    assert (await relays.submit(BUNDLE))[0].outcome == outcome
    await relays.close()
    server.close()


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("self_signed.pem"))
    seen = []

    async def handler(reader, writer):
        seen.append(await reader.read(100))

    server, port = await serving(handler, tls)
    relays = HttpRelays([RelayEndpoint("forged", f"https://localhost:{port}/", IDENTITY)])
    (answer,) = await relays.submit(BUNDLE)
    assert answer.outcome == RelayOutcome.UNREACHABLE and "Cert" in answer.detail and seen == []
    await relays.close()
    server.close()


@pytest.mark.parametrize("url", ["ftp://x/", "relay.example", "", "http://"])
def test_a_url_that_is_none_is_a_configuration_error(url):
    with pytest.raises(ConfigError):
        HttpRelays([RelayEndpoint("odd", url, IDENTITY)])


async def test_a_defect_in_one_relay_leaves_no_other_still_sending():
    async with FakeRelay() as first, FakeRelay() as second:
        relays = HttpRelays([first.endpoint(2.0), second.endpoint(2.0)])
        ended = []
        send = relays._relays[1].request

        async def broken(method, params):
            raise ZeroDivisionError

        async def noted(method, params):
            answer = await send(method, params)
            ended.append(answer.outcome)
            return answer

        relays._relays[0].request, relays._relays[1].request = broken, noted
        with pytest.raises(ZeroDivisionError):
            await relays.submit(BUNDLE)
        assert ended == [RelayOutcome.ACCEPTED]
        await relays.close()
