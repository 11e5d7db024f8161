"""Ask the daemon: HTTP over its Unix socket, one request a connection.

The exchange is spoken by hand in a few lines: the standard library's client loads the e-mail and TLS
packages, and that alone would take a quarter of the time that `jitctl pause` has.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from jitctl import __version__
from jitctl.control.roles import BY_VERB
from jitctl.control.unix_address import short_address
from jitctl.errors import (
    ERRORS_BY_CODE,
    CannotDetermine,
    DaemonNotRunning,
    JitError,
    PermissionDenied,
    TimedOut,
)

MAX_REPLY_BYTES = 16 << 20
START_HINT = "start it with: jitctl start --mode test"
SILENCE_S = 0.7
"""How long a daemon may say nothing before it is asked whether it lives, and how long it has for that."""
PROBE_S = 0.3


class DaemonSilent(TimedOut):
    """Somebody listens on the socket, but nobody answers: the daemon hangs."""


class DaemonUnknown(DaemonNotRunning):
    """Nobody listens where we look, but the file that says where to look cannot be read."""

    code = CannotDetermine.code
    exit_code = CannotDetermine.exit_code


class Client:
    """The control socket of one daemon; every call raises the `JitError` that the daemon answered."""

    def __init__(self, socket_path: Path, *, timeout_s: float = 10.0, doubt: str = "") -> None:
        self._path = socket_path
        self._doubt = doubt
        self._timeout_s = timeout_s
        self.daemon_version = ""

    @property
    def version_differs(self) -> bool:
        """Whether the last reply came from another version than ours."""
        return self.daemon_version not in ("", __version__)

    def call(
        self,
        verb: str,
        *,
        body: dict[str, Any] | None = None,
        query: str = "",
        timeout_s: float | None = None,
        probe: bool = False,
    ) -> dict[str, Any]:
        """Return the JSON body of the verb's route.

        Raises `DaemonNotRunning`, `DaemonSilent`, `PermissionDenied` or whatever error the daemon answered.
        With `probe` a daemon that answers nothing else either is called silent after a second, not only at
        the time limit.
        """
        route = BY_VERB[verb]
        payload = json.dumps(body or {}).encode() if route.method == "POST" else b""
        request = _request(route.method, route.path + (f"?{query}" if query else ""), payload)
        deadline = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        status, headers, reply = _split(self._exchange(request, deadline, verb, probe))
        self.daemon_version = headers.get("x-jitctl-version", "")
        try:
            answer = json.loads(reply)
        except ValueError:
            raise JitError(f"the daemon's answer to {verb} is not JSON (HTTP {status})") from None
        if isinstance(answer, dict) and "error" in answer and status >= 400:
            raise _error(answer["error"])
        if not isinstance(answer, dict):
            raise JitError(f"the daemon answered {verb} with HTTP {status} and no object")
        return answer

    def _exchange(self, request: bytes, deadline: float, verb: str, probe: bool) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as link:
            try:
                link.settimeout(_left(deadline))
                with short_address(self._path) as address:
                    link.connect(address)
                link.sendall(request)
                chunks: list[bytes] = []
                size = 0
                while size <= MAX_REPLY_BYTES:
                    chunk = self._receive(link, deadline, probe)
                    if not chunk:
                        return b"".join(chunks)
                    chunks.append(chunk)
                    size += len(chunk)
                raise JitError(f"the daemon's answer to {verb} is larger than {MAX_REPLY_BYTES} bytes")
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                message = f"no daemon listens on {self._path}"
                if self._doubt:
                    hint = "correct it, then repeat: a daemon may run with other folders"
                    raise DaemonUnknown(f"{message}, but {self._doubt}", hint=hint) from None
                raise DaemonNotRunning(message, hint=START_HINT) from None
            except PermissionError:
                raise PermissionDenied(
                    f"you may not open {self._path}",
                    hint="ask for membership of the socket's group, or use sudo",
                ) from None
            except (TimeoutError, BlockingIOError):
                # A socket whose queue of callers is full does not even let us wait.
                raise DaemonSilent(
                    f"the daemon does not answer: no reply to {verb}",
                    hint="trading stops without it by: jitctl pause; its log says what it was doing",
                ) from None
            except (BrokenPipeError, ConnectionResetError):
                message = f"the daemon closed the connection during {verb}"
                raise DaemonNotRunning(message, hint=START_HINT) from None
            except OSError as error:
                raise JitError(f"cannot talk to {self._path}: {error.strerror or error}") from None

    def _receive(self, link: socket.socket, deadline: float, probe: bool) -> bytes:
        """Return the next bytes; with `probe`, TimeoutError as soon as the daemon answers nobody."""
        while True:
            left_s = _left(deadline)
            link.settimeout(min(left_s, SILENCE_S) if probe else left_s)
            try:
                return link.recv(65536)
            except TimeoutError:
                if not probe or not self._answers():
                    raise

    def _answers(self) -> bool:
        """Whether the daemon says anything at all to another caller."""
        route = BY_VERB["health"]
        request, deadline = _request(route.method, route.path, b""), time.monotonic() + PROBE_S
        try:
            return bool(self._exchange(request, deadline, "health", probe=False))
        except DaemonSilent:
            return False


def _request(method: str, target: str, payload: bytes) -> bytes:
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: jit\r\nUser-Agent: jitctl/{__version__}\r\n"
        f"X-Jitctl-Version: {__version__}\r\nAccept: application/json\r\nConnection: close\r\n"
        + (f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n" if payload else "")
        + "\r\n"
    )
    return head.encode("latin-1") + payload


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _split(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, lower-case headers and body of one whole HTTP/1.1 response."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if not separator or len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
        raise DaemonNotRunning("the daemon closed the connection before it answered", hint=START_HINT)
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = headers.get("content-length", "")
    if length.isdecimal() and len(body) < int(length):
        raise DaemonNotRunning("the daemon's answer was cut short", hint=START_HINT)
    return int(words[1]), headers, body


def _error(body: Any) -> JitError:
    found = body if isinstance(body, dict) else {}
    if isinstance(found.get("problems"), list):
        from jitctl.config.problems import ConfigInvalidError

        if (invalid := ConfigInvalidError.from_wire(found["problems"])) is not None:
            return invalid
    kind = ERRORS_BY_CODE.get(str(found.get("code")), JitError)
    return kind(str(found.get("message", "the daemon refused")), hint=str(found.get("hint", "")))
