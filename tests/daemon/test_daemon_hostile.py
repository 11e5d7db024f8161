"""Thousands of hostile requests leave a real keeper as large, as quiet and as obedient as it was."""

from __future__ import annotations

import random
import re
import select
import socket
from pathlib import Path

import pytest
from installation import JITCTL_TOML, RunningKeeper, running_keeper, write_config

GROWTH_KB = 6_000
TOKEN = "t" * 64


def hostile(rng: random.Random, address: str) -> bytes:
    """Return one request that nobody should send, whole or not."""
    text = "".join(chr(rng.randrange(33, 127)) for _ in range(rng.randrange(1, 200)))
    path = rng.choice(["/admin/pause", "/admin/stop", "/health", f"/{text}", "/openapi.json", "*", "/%00%ff"])
    method = rng.choice(["GET", "POST", "PUT", "OPTIONS", text[:8]])
    host = rng.choice([address, address, "evil.example", ""])
    body = rng.choice([b"", b"{", b"[" * 9_000, b'{"reason": 1}', rng.randbytes(500), b"x" * 70_000])
    headers = [f"Host: {host}"]
    headers += rng.choice(
        [[], [f"Authorization: Bearer {text}"], [f"Origin: {text}"], [f"X-{text[:3]}: {text}"] * 60]
    )
    headers += rng.choice(
        [[f"Content-Length: {len(body)}"], ["Transfer-Encoding: chunked"], ["Content-Length: x"]]
    )
    raw = (
        "\r\n".join([f"{method} {path} HTTP/1.{rng.randrange(3)}", *headers, "", ""]).encode("latin-1") + body
    )
    return raw[: rng.randrange(1, len(raw))] if rng.random() < 0.2 else raw


def send(keeper: RunningKeeper, raw: bytes, unix: bool) -> int:
    """Send bytes and hang up; return the status, 0 where there was no answer."""
    address: str | tuple[str, int] = str(keeper.socket)
    if not unix:
        name, port = keeper.http.removeprefix("http://").split(":")
        address = (name, int(port))
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as link:
        link.settimeout(30)
        link.connect(address)
        try:
            link.sendall(raw)
            link.shutdown(socket.SHUT_WR)
            answer = link.recv(65_536)
        except OSError:
            return 0
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/") else 0


def rss_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize(
    "count", [1_500, pytest.param(20_000, marks=[pytest.mark.soak, pytest.mark.timeout(3_600)])]
)
def test_the_keeper_neither_grows_nor_fails(tmp_path, rng, count):
    write_config(tmp_path, jitctl=f'{JITCTL_TOML}token_file = "http.token"\n')
    (tmp_path / "http.token").write_text(TOKEN)
    (tmp_path / "http.token").chmod(0o600)
    with running_keeper(tmp_path) as keeper:
        address = keeper.http.removeprefix("http://")
        pid = keeper.process.pid

        def flood(number: int) -> set[int]:
            # On the socket we are an administrator: whatever is well-formed there would be done.
            return {send(keeper, hostile(rng, address), unix=False) for _ in range(number)} | {
                send(keeper, b"GET /admin/pause HTTP/1.1\r\nHost: x\r\n\r\n" + rng.randbytes(300), unix=True)
                for _ in range(number // 10)
            }

        # What is imported and allocated once is so after this.
        flood(500)
        before_kb, open_before = rss_kb(pid), descriptors(pid)
        statuses = flood(count)
        grown_kb = rss_kb(pid) - before_kb
        print(f"{count} hostile requests: {grown_kb:+} kB of {before_kb}; statuses {sorted(statuses)}")
        assert grown_kb < GROWTH_KB
        assert max(statuses) < 500
        assert descriptors(pid) <= open_before + 5
        assert keeper.client().call("status")["state"] == "RUNNING"
        assert [line for line in keeper.log() if line["event"] == "request_failed"] == []
        assert keeper.client().call("pause")["changed"] is True
        assert keeper.process.stderr is not None
        # What uvicorn or asyncio say of bad requests would fill the start-up log.
        assert select.select([keeper.process.stderr], [], [], 0)[0] == []
