"""Sockets that we bind ourselves, and who may do what in front of them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys

import pytest
from installation import running_keeper

from jitctl.control.roles import ADMIN, OPERATOR, ROUTES, TCP, UNIX, VIEWER, allows
from jitctl.control.unix_address import short_address
from jitctl.daemon.doors import Peer, Rights, bind_tcp, bind_unix, peer_of, rights
from jitctl.errors import ConfigError, Refused

OWNER, OPERATOR_GID, VIEWER_GID = 1000, 2000, 3000
RIGHTS = Rights(OWNER, OPERATOR_GID, VIEWER_GID)


@pytest.mark.parametrize(
    ("uid", "groups", "role"),
    [
        (0, {0}, ADMIN),
        (OWNER, {OWNER}, ADMIN),
        (5, {5, OPERATOR_GID}, OPERATOR),
        (5, {OPERATOR_GID}, OPERATOR),
        (5, {5, VIEWER_GID}, VIEWER),
        (5, {VIEWER_GID, OPERATOR_GID}, OPERATOR),
        (5, {5}, ""),
        (OPERATOR_GID, {5}, ""),
    ],
)
def test_role_of_a_peer(uid, groups, role):
    assert RIGHTS.role_of(Peer(1, uid, frozenset(groups), "x")) == role


def test_roles_include_the_lesser_ones():
    order = ["", VIEWER, OPERATOR, ADMIN]
    for have in order:
        for need in order[1:]:
            assert allows(have, need) == (order.index(have) >= order.index(need))


def test_only_reading_routes_are_on_tcp():
    """And not the configuration: any local account could read limits and URLs there."""
    for route in ROUTES:
        assert UNIX in route.doors
        assert (TCP in route.doors) == (route.method == "GET" and route.verb not in ("openapi", "config"))
        assert (route.role == VIEWER) == (route.method == "GET" and route.verb != "config")


def test_peer_is_who_the_kernel_says(tmp_path):
    with bind_unix(tmp_path / "run" / "s.sock", os.getgid()) as door:
        door.listen(1)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "run" / "s.sock"))
            connection, _ = door.accept()
            with connection:
                peer = peer_of(connection)
    assert (peer.pid, peer.uid) == (os.getpid(), os.getuid())
    assert peer.groups >= {os.getgid(), *os.getgroups()}


WATCH = """
import json, os, stat, sys
seen = {"folder": set(), "socket": set()}
print("watching", flush=True)
last = False
while not last:
    # One look after everything is done, however late it is.
    last = os.path.exists(sys.argv[3])
    for name, path in (("folder", sys.argv[1]), ("socket", sys.argv[2])):
        try:
            seen[name].add(stat.S_IMODE(os.lstat(path).st_mode))
        except OSError:
            pass
print(json.dumps({name: sorted(modes) for name, modes in seen.items()}))
"""


@contextlib.contextmanager
def watched(folder, path, done):
    """Give a dictionary that holds, after the block, every mode that another process saw meanwhile."""
    argv = [sys.executable, "-I", "-S", "-c", WATCH, str(folder), str(path), str(done)]
    seen = {}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout.readline() == "watching\n"
        try:
            yield seen
        finally:
            done.touch()
            seen |= json.loads(watcher.stdout.read())


def assert_never_wide(seen):
    assert 0o660 in seen["socket"]
    assert 0o750 in seen["folder"]
    assert all(mode & ~0o660 == 0 for mode in seen["socket"]), seen
    assert all(mode & ~0o750 == 0 for mode in seen["folder"]), seen


@pytest.mark.parametrize("viewers", [None, 3000], ids=["no viewers", "viewers"])
def test_socket_and_folder_are_never_wider_while_they_are_made(tmp_path, viewers):
    folder = tmp_path / "run"
    path = folder / "s.sock"
    before = os.umask(0)
    try:
        with watched(folder, path, tmp_path / "done") as seen:
            for number in range(300):
                bind_unix(path, os.getgid(), viewers).close()
                if number % 2:
                    path.unlink()
                    folder.rmdir()
            bind_unix(path, os.getgid(), viewers).close()
    finally:
        os.umask(before)
    assert_never_wide(seen)


def test_a_daemon_started_with_no_umask_is_as_closed(tmp_path):
    before = os.umask(0)
    try:
        with (
            watched(tmp_path / "run", tmp_path / "run" / "jitctl.sock", tmp_path / "done") as seen,
            running_keeper(tmp_path) as keeper,
        ):
            keeper.client().call("status")
    finally:
        os.umask(before)
    assert_never_wide(seen)
    for path in (*(tmp_path / "data").rglob("*"), *(tmp_path / "logs").rglob("*")):
        assert path.stat().st_mode & 0o007 == 0, path


def test_viewers_that_are_let_in_no_more_lose_the_folder(tmp_path):
    path = tmp_path / "run" / "s.sock"
    name = "system.posix_acl_access"
    bind_unix(path, os.getgid(), 3000).close()
    assert (name in os.listxattr(path), name in os.listxattr(path.parent)) == (True, True)
    bind_unix(path, os.getgid()).close()
    assert (name in os.listxattr(path), name in os.listxattr(path.parent)) == (False, False)


def test_what_is_no_socket_is_not_removed(tmp_path):
    path = tmp_path / "s.sock"
    path.write_text("precious")
    with pytest.raises(Refused):
        bind_unix(path, os.getgid())
    assert path.read_text() == "precious"


def test_a_folder_too_deep_for_the_kernel_works(tmp_path):
    path = tmp_path / ("d" * 60) / ("e" * 60) / "s.sock"
    with bind_unix(path, os.getgid()) as door:
        door.listen(1)
        with short_address(path) as address, socket.socket(socket.AF_UNIX) as client:
            client.connect(address)


def test_a_group_that_does_not_exist_is_a_configuration_error():
    with pytest.raises(ConfigError):
        rights("no-such-group-here", "")


def test_answers_of_a_kept_connection_are_not_held_back():
    # asyncio turns Nagle's delay off only for a socket that says that it speaks TCP.
    with bind_tcp("127.0.0.1", 0) as door:
        assert door.proto == socket.IPPROTO_TCP


def test_taken_port_names_its_owner():
    owner = rf"\(pid {os.getpid()}\)"
    with bind_tcp("127.0.0.1", 0) as first, pytest.raises(Refused, match=owner):
        bind_tcp("127.0.0.1", first.getsockname()[1])
