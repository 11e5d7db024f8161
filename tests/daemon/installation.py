"""A configured installation in a folder of its own, and a real keeper process over an engine double."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jitctl.control.client import Client

DOUBLE = Path(__file__).with_name("engine_double.py")
WETH = "0x" + "11" * 20
USDC = "0x" + "22" * 20

JITCTL_TOML = f"""
[chain]
chain_id = 31337

[[nodes]]
name = "door"
http_url = "http://127.0.0.1:1"
ws_url = "ws://127.0.0.1:1"

[[wallet.operators]]
keystore = "keys/op0.json"
passphrase_file = "keys/op0.pass"

[executor]
address = "0x{"33" * 20}"

[prices.feeds]
WETH = "0x{"44" * 20}"
USDC = "0x{"55" * 20}"

[http]
port = 0
"""
POOLS_TOML = f"""
[[pools]]
name = "WETH/USDC-0.05%"
address = "0x{"66" * 20}"
token0 = {{ symbol = "WETH", address = "{WETH}", decimals = 18 }}
token1 = {{ symbol = "USDC", address = "{USDC}", decimals = 6 }}
fee_pips = 500
tick_spacing = 10
"""
STRATEGY_TOML = """
[limits]
min_profit_wei = "0.001 ether"
max_notional_wei = "20 ether"
"""


def write_config(folder: Path, **texts: str) -> Path:
    """Write a valid configuration into `folder`/config; `texts` replace whole files by stem."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    files = {"jitctl": JITCTL_TOML, "pools": POOLS_TOML, "strategy": STRATEGY_TOML} | texts
    for stem, text in files.items():
        (config / f"{stem}.toml").write_text(text, encoding="utf-8")
    return config


def environment(behaviour: str = "") -> dict[str, str]:
    """Return the environment in which a keeper runs the engine double with a behaviour."""
    return {
        **os.environ,
        "JITCTL_ENGINE_COMMAND": f"{sys.executable} {DOUBLE}",
        "JITCTL_DOUBLE": behaviour,
        "NO_COLOR": "1",
    }


class RunningKeeper:
    """A keeper process; unless `wait` is False it has said that it is ready, or why not (`answer`)."""

    def __init__(
        self,
        config: Path,
        mode: str,
        behaviour: str,
        env: dict[str, str] | None = None,
        wait: bool = True,
        launcher: list[str] | None = None,
    ) -> None:
        self.config = config
        self.base = config.parent
        reader, writer = os.pipe()
        argv = [sys.executable, "-m", "jitctl.daemon.process", "--config-dir", str(config), "--mode", mode]
        if mode == "production":
            argv += ["--force", "--reason", "a test"]
        self.process = subprocess.Popen(
            [*(launcher or []), *argv, "--ready-fd", str(writer)],
            pass_fds=(writer,),
            env={**environment(behaviour), **(env or {})},
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(writer)
        self.answer: dict[str, Any] = {}
        if not wait:
            os.close(reader)
            return
        with os.fdopen(reader, "rb") as pipe:
            ready, _, _ = select.select([pipe], [], [], 60)
            assert ready, "the keeper did not say in a minute whether it is ready"
            line = pipe.readline()
        self.answer = json.loads(line) if line else self.answer

    @property
    def socket(self) -> Path:
        return self.base / "run" / "jitctl.sock"

    @property
    def http(self) -> str:
        return str(self.answer["status"]["http"])

    def client(self, timeout_s: float = 10.0) -> Client:
        return Client(self.socket, timeout_s=timeout_s)

    def engine_pid(self) -> int:
        return int(self.client().call("status")["engine"]["pid"])

    def ask_tcp(
        self, request: str, *headers: str, host: str = "", version: str = "1.1", body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of one request, as written: `GET /path`; `host` "-" sends none."""
        address = self.http.removeprefix("http://")
        name, port = address.split(":")
        named = [] if host == "-" else [f"Host: {host or address}"]
        framed = any(each.lower().startswith(("content-length", "transfer-encoding")) for each in headers)
        length = [f"Content-Length: {len(body)}"] if body and not framed else []
        lines = [f"{request} HTTP/{version}", *named, *length, *headers, "Connection: close", "", ""]
        with socket.create_connection((name, int(port)), timeout=20) as link:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                link.sendall("\r\n".join(lines).encode("latin-1") + body)
            raw = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := link.recv(65_536):
                    raw += chunk
        head, _, answer = raw.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        found = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in rest)}
        return int(first.split()[1]), found, answer

    def log(self) -> list[dict[str, object]]:
        return _records(self.base / "logs" / "jit-bot.log")

    def audit(self) -> list[dict[str, object]]:
        trail = self.base / "data" / "audit.jsonl"
        return _records(trail) if trail.is_file() else []

    def end(self) -> None:
        """End keeper and engine, whatever state they are in."""
        with contextlib.suppress(Exception):
            status = self.client().call("status")
            # Another keeper of the same folder may be the one that answers.
            if status["keeperPid"] == self.process.pid:
                os.kill(status["engine"]["pid"], signal.SIGKILL)
        self.process.kill()
        self.process.wait(10)
        if self.process.stderr is not None:
            self.process.stderr.close()


@contextlib.contextmanager
def running_keeper(
    folder: Path,
    *,
    mode: str = "test",
    behaviour: str = "",
    env: dict[str, str] | None = None,
    wait: bool = True,
    launcher: list[str] | None = None,
) -> Iterator[RunningKeeper]:
    config = folder / "config"
    if not config.exists():
        write_config(folder)
    keeper = RunningKeeper(config, mode, behaviour, env, wait, launcher)
    try:
        yield keeper
    finally:
        keeper.end()


def _records(path: Path) -> list[dict[str, object]]:
    # Not `splitlines`: a reason may hold any of the characters that it takes for the end of a line.
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def eventually(condition, what: str, limit_s: float = 20.0):
    """Return the first true value of `condition()`; the wait is for another process, never a guess."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {limit_s} s: {what}")
