"""The client against a real socket whose other end says all kinds of things."""

from __future__ import annotations

import contextlib
import json
import socket
import threading

import pytest

from jitctl import __version__
from jitctl.control.client import Client
from jitctl.control.redact import redact, redact_text
from jitctl.control.schema import EngineFigures, Status, from_wire, to_wire
from jitctl.errors import ERRORS_BY_CODE, DaemonNotRunning, JitError, Refused, TimedOut


@pytest.fixture
def daemon(tmp_path):
    """Return a function: serve these bytes to one client and return the socket's path."""
    servers = []

    def serve(raw, hold=None):
        path = tmp_path / f"s{len(servers)}.sock"
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(path))
        door.listen(1)

        def answer():
            connection, _ = door.accept()
            with connection:
                connection.recv(65536)
                if hold is not None:
                    hold.wait(10)
                with contextlib.suppress(OSError):
                    connection.sendall(raw)

        thread = threading.Thread(target=answer)
        thread.start()
        servers.append((door, thread))
        return path

    yield serve
    for door, thread in servers:
        thread.join(15)
        door.close()


def http(status, body, version=__version__, extra=""):
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Length: {len(payload)}\r\nX-Jitctl-Version: {version}\r\n{extra}\r\n"
    )
    return head.encode() + payload


def test_body_and_version(daemon):
    client = Client(daemon(http(200, {"state": "RUNNING"}, version="9.9.9")))
    assert client.call("status") == {"state": "RUNNING"}
    assert client.version_differs
    same = Client(daemon(http(200, {})))
    same.call("status")
    assert not same.version_differs


@pytest.mark.parametrize("code", sorted(ERRORS_BY_CODE))
def test_every_error_code_becomes_its_error(daemon, code):
    body = {"error": {"code": code, "message": "m", "hint": "h"}}
    with pytest.raises(ERRORS_BY_CODE[code]) as caught:
        Client(daemon(http(409, body))).call("pause")
    assert type(caught.value) is ERRORS_BY_CODE[code]
    assert (caught.value.message, caught.value.hint) == ("m", "h")


def test_code_of_a_later_version_is_a_plain_failure(daemon):
    with pytest.raises(JitError) as caught:
        Client(daemon(http(500, {"error": {"code": "new", "message": "m"}}))).call("pause")
    assert type(caught.value) is JitError


def test_down_health_is_an_answer_not_an_error(daemon):
    assert Client(daemon(http(503, {"status": "down"}))).call("health") == {"status": "down"}


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", DaemonNotRunning),
        (b"HTTP/1.1 200 OK\r\n", DaemonNotRunning),
        (b"SSH-2.0-x\r\n\r\n", DaemonNotRunning),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", DaemonNotRunning),
        (http(200, b"<html>"), JitError),
        (http(200, b"[1]"), JitError),
        (http(200, b"\xff\xfe"), JitError),
    ],
)
def test_whatever_comes_back_is_an_error_of_ours(daemon, raw, error):
    with pytest.raises(error):
        Client(daemon(raw)).call("status")


def test_nobody_there_and_nobody_listening(tmp_path):
    with pytest.raises(DaemonNotRunning):
        Client(tmp_path / "none.sock").call("status")
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(stale))
    with pytest.raises(DaemonNotRunning):
        Client(stale).call("status")


def test_silence_ends_at_the_limit(daemon):
    released = threading.Event()
    try:
        with pytest.raises(TimedOut):
            Client(daemon(b"", released), timeout_s=0.2).call("pause")
    finally:
        released.set()


def test_wire_names_and_tolerance():
    status = Status(state="PAUSED", engine=EngineFigures(pid=7, round_trip_ms=1.5), figures={"some_name": 1})
    body = to_wire(status)
    assert (body["tradingReady"], body["engine"]["roundTripMs"], body["figures"]) == (
        False,
        1.5,
        {"some_name": 1},
    )
    assert from_wire(Status, body) == status
    assert from_wire(Status, {"state": "X", "ofTheFuture": 1}) == Status(state="X")


KEY = "ab" * 32


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        (f"key 0x{KEY} end", KEY),
        (f"({KEY})", KEY),
        ("https://user:pa55@host/x", "pa55"),
        ("wss://mainnet.example/v3/0123456789abcdef0123456789abcdef", "0123456789abcdef"),
        ("https://h/?apiKey=hunter2&x=1", "hunter2"),
        ("0x02f8" + "ab" * 200, "ab" * 64),
    ],
)
def test_secrets_are_taken_out_of_text(text, gone):
    assert gone not in redact_text(text)


def test_hashes_stay_where_a_hash_belongs():
    data = {"victimHash": "0x" + KEY, "reason": "0x" + KEY, "passphrase": "x", "list": [{"privateKey": "y"}]}
    assert redact(data) == {
        "victimHash": "0x" + KEY,
        "reason": "<redacted>",
        "passphrase": "<redacted>",
        "list": [{"privateKey": "<redacted>"}],
    }


def test_refusal_keeps_its_exit_code():
    assert Refused.exit_code == 9
