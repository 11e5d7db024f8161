"""What keeper and engine say to each other: small typed messages over a socket pair.

A frame is four bytes of length (big-endian) and a JSON array `[type, fields]`. A frame larger than
`MAX_FRAME_BYTES`, or one that does not parse, ends the link: both sides are the same program.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import asdict, dataclass, field
from typing import Any

from jitctl.errors import ERRORS_BY_CODE, JitError, LinkClosed

MAX_FRAME_BYTES = 1 << 20
MAX_BACKLOG_BYTES = 4 << 20
"""What may wait for a keeper that does not read; beyond it droppable messages are dropped."""
HOLD_S = 0.05
MAX_HELD = 1_000
"""How long, and how many, messages are held back that can wait."""


@dataclass(frozen=True, slots=True)
class Command:
    """Keeper to engine. `verb` is one of engine/commands, or `ping`."""

    id: int
    verb: str
    who: str = ""
    reason: str = ""
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """Engine to keeper: the answer to one command; `error` is `JitError.as_dict()["error"]` or empty."""

    id: int
    body: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """Engine to keeper, on every change of state and every second: what status and metrics show."""

    state: str
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogLine:
    """Engine to keeper: an event for the log, with a fixed name; `level` is debug, info, warning or error."""

    event: str
    level: str = "info"
    time_s: float = 0.0
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """Engine to keeper, its last words: why it could not start or go on."""

    error: dict[str, str]


Message = Command | Reply | Figures | LogLine | Failed
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Command, Reply, Figures, LogLine, Failed)}


def encode(message: Message) -> bytes:
    """Return one frame; an over-long message becomes a `JitError`, never a broken link."""
    # The standard library's encoder: amounts in wei do not fit the 64 bits of the faster ones.
    try:
        body = json.dumps([type(message).__name__, asdict(message)], default=str).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise JitError(f"a {type(message).__name__} message cannot be told: {error}") from None
    if len(body) > MAX_FRAME_BYTES:
        raise JitError(f"a {type(message).__name__} message of {len(body)} bytes is too large for the link")
    return len(body).to_bytes(4, "big") + body


def decode(body: bytes) -> Message:
    """Return the message in a frame's body; raises `LinkClosed` if it is none of ours."""
    try:
        name, fields = json.loads(body)
        message: Message = _KINDS[name](**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise LinkClosed(f"an unreadable message came over the link: {type(error).__name__}") from None
    return message


def error_of(body: dict[str, str]) -> JitError:
    """Return the error that `as_dict()["error"]` described."""
    kind = ERRORS_BY_CODE.get(body.get("code", ""), JitError)
    return kind(body.get("message", "failed"), hint=body.get("hint", ""))


class Link:
    """One end of the socket pair, inside an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._held: list[Message] = []
        self.dropped = 0

    @classmethod
    async def open(cls, end: socket.socket) -> Link:
        """Take over one end; the socket is closed with the link."""
        reader, writer = await asyncio.open_unix_connection(sock=end)
        return cls(reader, writer)

    async def receive(self) -> Message:
        """Return the next message; `LinkClosed` when the other side is gone."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            if size > MAX_FRAME_BYTES:
                raise LinkClosed(f"a frame of {size} bytes came over the link")
            return decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError):
            raise LinkClosed("the other side of the link is gone") from None

    def send(self, message: Message) -> None:
        """Queue a message without waiting; raises `LinkClosed` if it can never arrive."""
        if self._writer.is_closing():
            raise LinkClosed("the link is closed")
        if self._backlog() > MAX_BACKLOG_BYTES:
            raise LinkClosed("the other side of the link reads nothing any more")
        self._let_go()
        self._writer.write(encode(message))

    def offer(self, message: Message) -> None:
        """Queue a message that may be lost: dropped and counted when the other side is slow or gone."""
        self._let_go()
        self._write(message)

    def offer_soon(self, message: Message) -> None:
        """As `offer`, after `HOLD_S` or just before the next other message: order is kept.

        What is told while a bundle is on its way must not wake the other process at that very moment.
        """
        if len(self._held) >= MAX_HELD:
            self.dropped += 1
            return
        if not self._held:
            asyncio.get_running_loop().call_later(HOLD_S, self._let_go)
        self._held.append(message)

    def _let_go(self) -> None:
        held, self._held = self._held, []
        for message in held:
            self._write(message)

    def _write(self, message: Message) -> None:
        if self._writer.is_closing() or self._backlog() > MAX_BACKLOG_BYTES // 4:
            self.dropped += 1
            return
        try:
            self._writer.write(encode(message))
        except JitError:
            self.dropped += 1

    def _backlog(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    async def flush(self) -> None:
        """Wait until everything queued has left; quiet if the other side is gone."""
        self._let_go()
        try:
            # With the mark at zero, draining waits for the last byte.
            self._writer.transport.set_write_buffer_limits(high=0)
            await self._writer.drain()
        except OSError:
            return

    def close(self) -> None:
        self._writer.close()
