"""One relay's JSON-RPC door: signed requests over a warm connection, and every way that it can fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import h11
import orjson
from Crypto.Hash import keccak

from jitctl.domain.bundle import RelayOutcome, RelayReply
from jitctl.domain.counters import Counters
from jitctl.domain.values import Address
from jitctl.errors import ConfigError
from jitctl.execution.http_connection import HungUp, TooLarge, WarmHttp

MAX_REPLY_BYTES = 256 * 1024
MAX_RETRY_AFTER_S = 60.0
DEFAULT_RETRY_AFTER_S = 1.0
KEEP_WARM_S = 15.0
RELAY_COUNTS = (
    RelayOutcome.ACCEPTED, RelayOutcome.REFUSED, RelayOutcome.TIMED_OUT, RelayOutcome.UNREACHABLE,
    RelayOutcome.BAD_REPLY, RelayOutcome.RATE_LIMITED, "held_back", "warmed",
)  # fmt: skip
_DETAIL_CHARS = 200


class Identity(Protocol):
    """The key by which a relay knows us; it holds no funds."""

    @property
    def address(self) -> Address: ...
    def sign_message(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class RelayEndpoint:
    """A relay as configured; `timeout_s` bounds each request as a whole."""

    name: str
    url: str
    identity: Identity
    timeout_s: float = 0.4


@dataclass(frozen=True, slots=True)
class RelayAnswer:
    """What became of one request; `result` only if `outcome` is `accepted`."""

    outcome: str
    detail: str
    elapsed_ms: float
    result: Any = None

    def as_reply(self, relay: str) -> RelayReply:
        return RelayReply(relay, self.outcome, self.detail, self.elapsed_ms)


class HttpRelay:
    """Never raises for what the relay does, never retries: the next block is another attempt."""

    def __init__(
        self, endpoint: RelayEndpoint, *, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.name = endpoint.name
        self.counters = Counters(RELAY_COUNTS)
        self._endpoint = endpoint
        self._monotonic_ns = monotonic_ns
        try:
            self._http = WarmHttp(endpoint.url)
        except ValueError:
            raise ConfigError(
                f"relay {endpoint.name}: its URL is not http or https", hint="correct [[relays]] url"
            ) from None
        # Relays limit their methods separately.
        self._not_before_ns: dict[str, int] = {}

    async def request(self, method: str, params: Sequence[Any]) -> RelayAnswer:
        """Send one signed request and name its outcome."""
        begun_ns = self._monotonic_ns()
        if begun_ns < self._not_before_ns.get(method, 0):
            wait_s = (self._not_before_ns[method] - begun_ns) / 1e9
            self.counters.add("held_back")
            self.counters.add(RelayOutcome.RATE_LIMITED)
            return RelayAnswer(RelayOutcome.RATE_LIMITED, f"held back for {wait_s:.1f} s more", 0.0)
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        outcome, detail, result = await self._exchange(method, body)
        self.counters.add(outcome)
        elapsed_ms = (self._monotonic_ns() - begun_ns) / 1e6
        return RelayAnswer(outcome, _plain(detail), elapsed_ms, result)

    async def warm(self) -> None:
        """Open or keep the connection, so that a submission does not wait for TCP and TLS."""
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                await self._http.request("GET", {}, b"", max_body_bytes=MAX_REPLY_BYTES)
        except (OSError, TimeoutError, HungUp, TooLarge, h11.ProtocolError):
            return
        self.counters.add("warmed")

    async def close(self) -> None:
        """Close the connections; the next request opens a new one."""
        await self._http.close()

    async def _exchange(self, method: str, body: bytes) -> tuple[str, str, Any]:
        headers = {
            "content-type": "application/json",
            "x-flashbots-signature": signature_header(self._endpoint.identity, body),
        }
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                reply = await self._http.request("POST", headers, body, max_body_bytes=MAX_REPLY_BYTES)
        except TimeoutError:
            return RelayOutcome.TIMED_OUT, f"no answer within {self._endpoint.timeout_s * 1000:.0f} ms", None
        except OSError as error:
            return RelayOutcome.UNREACHABLE, type(error).__name__, None
        except HungUp:
            return RelayOutcome.UNREACHABLE, "it hung up without an answer", None
        except TooLarge:
            return RelayOutcome.BAD_REPLY, f"more than {MAX_REPLY_BYTES} bytes", None
        except h11.ProtocolError as error:
            return RelayOutcome.BAD_REPLY, f"not HTTP: {error}", None
        if reply.status == 429:
            wait_s = _retry_after_s(reply.headers.get("retry-after", ""))
            self._not_before_ns[method] = self._monotonic_ns() + int(wait_s * 1e9)
            return RelayOutcome.RATE_LIMITED, f"HTTP 429, retry after {wait_s:.1f} s", None
        if 300 <= reply.status < 400:
            return RelayOutcome.BAD_REPLY, f"HTTP {reply.status}: redirects are not followed", None
        return _read(reply.status, reply.body)


def signature_header(identity: Identity, body: bytes) -> str:
    """`X-Flashbots-Signature`: address and EIP-191 signature over the hex keccak256 of the body."""
    digest = "0x" + keccak.new(data=body, digest_bits=256).hexdigest()
    return f"{identity.address}:0x{identity.sign_message(digest.encode()).hex()}"


def _read(status: int, content: bytes) -> tuple[str, str, Any]:
    try:
        message = orjson.loads(content)
    except ValueError:
        return RelayOutcome.BAD_REPLY, f"HTTP {status}: not JSON", None
    if not isinstance(message, dict):
        return RelayOutcome.BAD_REPLY, f"HTTP {status}: not a JSON-RPC reply", None
    error = message.get("error")
    if error is not None:
        text = error.get("message", "unnamed error") if isinstance(error, dict) else error
        return RelayOutcome.REFUSED, f"HTTP {status}: {text}", None
    if status != 200 or "result" not in message or message.get("id") != 1:
        return RelayOutcome.BAD_REPLY, f"HTTP {status}: not a reply to this request", None
    return RelayOutcome.ACCEPTED, "", message["result"]


def _plain(text: str) -> str:
    """A relay's words, safe for a log line."""
    return "".join(char if char.isprintable() else " " for char in text[:_DETAIL_CHARS])


def _retry_after_s(header: str) -> float:
    try:
        seconds = float(header)
    except ValueError:
        return DEFAULT_RETRY_AFTER_S
    # `not >` also catches NaN.
    return min(seconds, MAX_RETRY_AFTER_S) if seconds > 0 else DEFAULT_RETRY_AFTER_S
