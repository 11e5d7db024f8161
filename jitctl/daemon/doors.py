"""The two doors: sockets that we bind ourselves, and who stands in front of the Unix one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import json
import os
import pwd
import select
import socket
import stat
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from jitctl.control.roles import ADMIN, OPERATOR, VIEWER
from jitctl.control.unix_address import short_address
from jitctl.daemon.group_acl import let_groups_in
from jitctl.errors import ConfigError, JitError, PermissionDenied, Refused, UsageError
from jitctl.safety.port_owner import port_owner

SO_PEERGROUPS = 59
"""Linux: the supplementary groups of the peer at connect time; absent from Python's socket module."""
MAX_CONNECTIONS = 64
FIRST_REQUEST_S = 10.0
_NO_LOGIN_UID = 0xFFFFFFFF


@dataclass(frozen=True)
class Peer:
    """Who connected, as the kernel says; `person` is the one behind sudo where that is known."""

    pid: int
    uid: int
    groups: frozenset[int]
    person: str


@dataclass(frozen=True)
class Rights:
    """Which user and groups have which role on the Unix door."""

    owner_uid: int
    operator_gid: int
    viewer_gid: int | None

    def role_of(self, peer: Peer) -> str:
        """Return the peer's role, empty for none."""
        if peer.uid in (0, self.owner_uid):
            return ADMIN
        if self.operator_gid in peer.groups:
            return OPERATOR
        return VIEWER if self.viewer_gid is not None and self.viewer_gid in peer.groups else ""


def rights(operator_group: str, viewer_group: str) -> Rights:
    """Resolve the configured groups; raises `ConfigError` for one that does not exist."""
    operator = _gid(operator_group) if operator_group else os.getgid()
    return Rights(os.getuid(), operator, _gid(viewer_group) if viewer_group else None)


def _gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"there is no group {name!r}", hint="create it, or correct [socket]") from None


def bind_unix(path: Path, gid: int, viewer_gid: int | None = None) -> socket.socket:
    """Bind the control socket: 0660 in a folder of 0750, and never wider, not even while it is made.

    Viewers reach it by an access control list; what they may do there is the API's to say.
    Expects that the caller holds the folder's keeper lock, so that a socket found there is a stale one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        path.parent.chmod(0o750)
        if path.parent.stat().st_gid != gid:
            os.chown(path.parent, -1, gid)
        let_groups_in(path.parent, {} if viewer_gid is None else {viewer_gid: 0o1})
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise Refused(f"{path} is in the way and is no socket", hint="move it elsewhere")
            path.unlink()
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        before = os.umask(0o177)
        try:
            with short_address(path) as address:
                door.bind(address)
        finally:
            os.umask(before)
        os.chown(path, -1, gid)
        path.chmod(0o660)
        let_groups_in(path, {} if viewer_gid is None else {viewer_gid: 0o6})
    except OSError as error:
        raise JitError(f"cannot open the control socket {path}: {error.strerror or error}") from error
    return door


def bind_tcp(host: str, port: int) -> socket.socket:
    """Bind the read-only door on the loopback; `Refused` names who has the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without its protocol named, asyncio leaves Nagle's delay on: 40 ms for each answer of a kept connection.
    door = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        # Only listening tells whether another socket already does, with SO_REUSEADDR on both.
        door.listen(128)
    except OSError as error:
        door.close()
        if error.errno != errno.EADDRINUSE:
            raise JitError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        owner = port_owner(port)
        raise Refused(
            f"port {port} is taken by {owner or 'another process'}",
            hint="end it, or choose another [http] port in jitctl.toml (9090 is Prometheus's default too)",
        ) from None
    return door


def peer_of(connection: socket.socket) -> Peer:
    """Return who connected; only for AF_UNIX: on TCP the kernel answers the same question with nonsense."""
    size = struct.calcsize("3i")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, gid = struct.unpack("3i", raw)
    groups = {gid}
    with contextlib.suppress(OSError):
        # Python's largest buffer holds 256 groups; of a peer with more, only the first group counts.
        listed = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 1024)
        groups.update(struct.unpack(f"{len(listed) // 4}I", listed))
    return Peer(pid, uid, frozenset(groups), person_of(pid, uid))


def hung_up(connection: socket.socket | None) -> bool:
    """Whether the other side has closed the connection, as the kernel knows it by now."""
    if connection is None:
        return False
    descriptor = connection.fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))


def person_of(pid: int, uid: int) -> str:
    """Return the name of the person behind a process: its login user (kept through sudo), else its user."""
    try:
        login = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        login = _NO_LOGIN_UID
    known = uid if login == _NO_LOGIN_UID else login
    try:
        return pwd.getpwuid(known).pw_name
    except KeyError:
        return f"uid {known}"


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP protocol, bounded, with the Unix peer where the application finds it: `scope["state"]`.

    A door takes `MAX_CONNECTIONS` at a time, and one that has not asked anything within `FIRST_REQUEST_S`
    is closed: whoever fills one door leaves the other alone.
    """

    _opening: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._opening = self.loop.call_later(FIRST_REQUEST_S, self._expire)
        connection = transport.get_extra_info("socket")
        self.app_state = {**self.app_state, "connection": connection}
        if connection is not None and connection.family == socket.AF_UNIX:
            try:
                self.app_state = {**self.app_state, "peer": peer_of(connection)}
            except OSError:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opening is not None:
            self._opening.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP: 403 for a missing or second Host, 431 for a flood of headers, else 400."""
        fault = sys.exc_info()[1]
        if getattr(self, "cycle", None) is not None:
            # Its body is the fault: whoever works on the request must not answer it a second time.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        status = fault.error_status_hint if isinstance(fault, h11.RemoteProtocolError) else 400
        error: JitError = UsageError("the request is not valid HTTP")
        if "Host:" in str(fault):
            status, error = 403, PermissionDenied("this Host is not served here")
        # h11 has 501 for a transfer coding that it does not know; the fault is the request's all the same.
        status = 400 if status >= 500 else status
        body = json.dumps(error.as_dict()).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        answer = h11.Response(status_code=status, headers=[*headers, ("connection", "close")])
        try:
            for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            # In the middle of another answer: there is nothing more to say on this connection.
            self.transport.abort()
        self.transport.close()

    def _expire(self) -> None:
        if getattr(self, "cycle", None) is None:
            self.transport.abort()
