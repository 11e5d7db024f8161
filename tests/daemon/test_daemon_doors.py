"""Sockets that we bind ourselves, and who may do what in front of them."""

from __future__ import annotations

import os
import socket
import stat
import threading

import pytest

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
    for route in ROUTES:
        assert UNIX in route.doors
        assert (TCP in route.doors) == (route.method == "GET" and route.verb != "openapi")
        assert (route.role == VIEWER) == (route.method == "GET")


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


def test_socket_is_never_wider_than_0660(tmp_path):
    path = tmp_path / "run" / "s.sock"
    modes, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            try:
                modes.add(stat.S_IMODE(os.lstat(path).st_mode))
            except OSError:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = os.umask(0)
    try:
        for _ in range(200):
            bind_unix(path, os.getgid()).close()
    finally:
        os.umask(before)
        done.set()
        watcher.join()
    assert modes
    assert all(mode & ~0o660 == 0 for mode in modes), {oct(mode) for mode in modes}


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


def test_taken_port_names_its_owner():
    owner = rf"\(pid {os.getpid()}\)"
    with bind_tcp("127.0.0.1", 0) as first, pytest.raises(Refused, match=owner):
        bind_tcp("127.0.0.1", first.getsockname()[1])
