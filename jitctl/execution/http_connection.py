"""A small HTTP/1.1 client over warm connections, for the one place where a millisecond matters.

httpx takes about a millisecond of processor time a request; this takes a fifth of it. The protocol itself
is h11's, which httpx and uvicorn use too. No redirects, no proxies, no cookies, no compression.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

_READ_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 32 * 1024
_MAX_IDLE = 4


class TooLarge(Exception):
    """The reply's body is larger than was allowed."""


class HungUp(Exception):
    """The peer closed the connection before it answered."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    headers: dict[str, str]
    body: bytes


class WarmHttp:
    """Requests to one URL; idle connections are kept and used again.

    Raises `ValueError` for a URL that is not http(s). Deadlines are the caller's.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https URL")
        self._host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._authority = parts.netloc.rpartition("@")[2]
        self._idle: list[_Connection] = []

    async def request(
        self, method: str, headers: dict[str, str], body: bytes, *, max_body_bytes: int
    ) -> HttpReply:
        """Send one request and read its reply.

        Raises `OSError`, `HungUp`, `TooLarge` or `h11.ProtocolError`. A kept connection that turns
        out to be closed is replaced once, if not a byte had come back.
        """
        fields = [("host", self._authority), ("content-length", str(len(body))), *headers.items()]
        request = h11.Request(method=method, target=self._target, headers=fields)
        while self._idle:
            kept = self._idle.pop()
            if kept.is_usable():
                with contextlib.suppress(HungUp):
                    return await self._exchange(kept, request, body, max_body_bytes)
                break
            kept.abort()
        return await self._exchange(await self._connect(), request, body, max_body_bytes)

    async def close(self) -> None:
        """Close what is kept."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()

    async def _connect(self) -> _Connection:
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
        )
        return _Connection(reader, writer)

    async def _exchange(
        self, connection: _Connection, request: h11.Request, body: bytes, max_body_bytes: int
    ) -> HttpReply:
        try:
            reply = await connection.exchange(request, body, max_body_bytes)
        except BaseException:
            connection.abort()
            raise
        if connection.finish() and len(self._idle) < _MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.abort()
        return reply


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)

    def is_usable(self) -> bool:
        """False once the peer is known to have closed it."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def exchange(self, request: h11.Request, body: bytes, max_body_bytes: int) -> HttpReply:
        http = self._http
        parts = (
            http.send(request),
            http.send(h11.Data(data=body)) if body else b"",
            http.send(h11.EndOfMessage()),
        )
        try:
            self._writer.write(b"".join(part or b"" for part in parts))
            await self._writer.drain()
            first = await self._reader.read(_READ_BYTES)
        except ConnectionError:
            raise HungUp from None
        if not first:
            raise HungUp
        http.receive_data(first)
        status, headers, content = 0, {}, bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                content += event.data
                if len(content) > max_body_bytes:
                    raise TooLarge
            elif isinstance(event, h11.EndOfMessage):
                return HttpReply(status, headers, bytes(content))
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError(f"unexpected {type(event).__name__}")

    def finish(self) -> bool:
        """True if the connection can carry another request."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def abort(self) -> None:
        self._writer.transport.abort()
