"""Who may do what: every route, asked through both doors by real processes of real users."""

from __future__ import annotations

import grp
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest
from installation import JITCTL_TOML, eventually, running_keeper, write_config
from other_user import Person, as_person, ask, copied_interpreter, launcher

from jitctl.control.access import CALLERS, CallerKind, status_of
from jitctl.control.audit_chain import GENESIS, line_hash
from jitctl.control.roles import ADMIN, OPERATOR, ROUTES, TCP, UNIX, VIEWER
from jitctl.daemon.group_acl import let_groups_in

AM_ROOT = os.geteuid() == 0
DAEMON_UID, PERSON_UID, GUEST_GID = 12345, 54321, 54399
OPERATORS, VIEWERS = [group for group in grp.getgrall() if group.gr_gid not in (0, os.getgid())][:2]
MANY = tuple(range(60_000, 60_020))
OTHERS = (
    Person("operator by first group", PERSON_UID, OPERATORS.gr_gid, (), OPERATOR),
    Person("operator by a further group", PERSON_UID, PERSON_UID, (OPERATORS.gr_gid,), OPERATOR),
    Person(
        "operator by the last of many groups", PERSON_UID, PERSON_UID, (*MANY, OPERATORS.gr_gid), OPERATOR
    ),
    Person("viewer by first group", PERSON_UID, VIEWERS.gr_gid, (), VIEWER),
    Person("viewer by a further group", PERSON_UID, PERSON_UID, (VIEWERS.gr_gid,), VIEWER),
    Person("both", PERSON_UID, VIEWERS.gr_gid, (OPERATORS.gr_gid,), OPERATOR),
    Person("stranger", PERSON_UID, PERSON_UID, (), "", False),
    Person("stranger with many groups", PERSON_UID, PERSON_UID, MANY, "", False),
    Person("stranger with an operator's number as uid", OPERATORS.gr_gid, PERSON_UID, (), "", False),
    Person("guest whom the folder lets in", PERSON_UID, GUEST_GID, (), ""),
)
OURSELVES = Person("ourselves", os.getuid(), os.getgid(), (), ADMIN)
ROOT = Person("root", 0, 0, (), ADMIN)
DAEMON = Person("the daemon's own user", DAEMON_UID, DAEMON_UID, (OPERATORS.gr_gid, VIEWERS.gr_gid), ADMIN)
NOT_THIS_DAEMON = Person("the user of another daemon", DAEMON_UID, DAEMON_UID, (), "", False)
TOKEN = secrets.token_hex(32)
# Nothing comes of an allowed call: its body is wrong.
WRONG_BODY = '{"nonsense": ""}'


def installed(name, token_role, owner):
    """A keeper in a short folder through which everybody may pass, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix=f"jit-{name}-"))
    http = f'token_file = "http.token"\ntoken_role = "{token_role}"\n'
    groups = f'[socket]\noperator_group = "{OPERATORS.gr_name}"\nviewer_group = "{VIEWERS.gr_name}"\n'
    write_config(folder, jitctl=JITCTL_TOML + http + (groups if AM_ROOT else ""))
    (folder / "http.token").write_text(TOKEN)
    (folder / "http.token").chmod(0o600)
    if AM_ROOT:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.uid, owner.gid)
    folder.chmod(0o711)
    return folder


def keeping(name, token_role, owner):
    folder = installed(name, token_role, owner)
    try:
        with running_keeper(folder, launcher=launcher(owner) if owner is DAEMON else None) as running:
            if AM_ROOT:
                # Only so can somebody without a role get as far as the API.
                let_groups_in(folder / "run", {VIEWERS.gr_gid: 0o1, GUEST_GID: 0o1})
                let_groups_in(running.socket, {VIEWERS.gr_gid: 0o6, GUEST_GID: 0o6})
            yield running
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def of_root():
    yield from keeping("root", OPERATOR, OURSELVES)


@pytest.fixture(scope="module")
def of_daemon_user():
    yield from keeping("user", ADMIN, DAEMON)


@pytest.fixture(scope="module")
def spare():
    folder = Path(tempfile.mkdtemp(prefix="jit-python-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def ways(token_role):
    """The ways to ask: each door, and on TCP without and with a token."""
    token = [f"Authorization: Bearer {TOKEN}"]
    return {
        # A token is nothing here, whoever sends it.
        "unix": (UNIX, token),
        "tcp": (TCP, []),
        "tcp, wrong token": (TCP, [token[0][:-1]]),
        "tcp, token": (TCP, token),
    }, {
        "tcp": CALLERS[5],
        "tcp, wrong token": CALLERS[5],
        "tcp, token": next(each for each in CALLERS if each.token == token_role),
    }


def check(keeper, person, token_role, spare):
    asked, callers = ways(token_role)
    found = ask(
        person,
        spare,
        {
            "socket": str(keeper.socket),
            "tcp": keeper.http.removeprefix("http://"),
            "routes": [(route.method, route.path) for route in ROUTES],
            "ways": asked,
            "body": WRONG_BODY,
        },
    )
    callers["unix"] = CallerKind(person.name, UNIX, person.role)
    for way, statuses in found["answers"].items():
        for route, status in zip(ROUTES, statuses, strict=True):
            expected = status_of(route, callers[way])
            if way == "unix" and not person.reaches_socket:
                assert status == "closed", (person.name, way, route.verb)
            elif expected == 200:
                assert status not in (401, 403, "closed"), (person.name, way, route.verb, status)
            else:
                assert status == expected, (person.name, way, route.verb)


@pytest.mark.parametrize("person", [OURSELVES, *([*OTHERS, NOT_THIS_DAEMON] if AM_ROOT else [])], ids=str)
def test_every_route_by_everybody_of_a_daemon_of_ours(of_root, person, spare):
    check(of_root, person, OPERATOR, spare)


@pytest.mark.parametrize("person", [ROOT, DAEMON, *OTHERS] if AM_ROOT else [OURSELVES], ids=str)
def test_every_route_by_everybody_of_a_daemon_that_is_not_roots(of_daemon_user, person, spare):
    check(of_daemon_user, person, ADMIN, spare)


def test_the_daemon_of_another_user_is_theirs(of_daemon_user):
    owner = DAEMON if AM_ROOT else OURSELVES
    pid = of_daemon_user.client().call("status")["keeperPid"]
    uids = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid")]
    assert uids[0].split()[1:] == [str(owner.uid)] * 4
    assert of_daemon_user.socket.stat().st_uid == owner.uid


def test_a_copied_interpreter_serves_where_no_other_can(of_root, tmp_path, spare):
    python = copied_interpreter(spare)
    person = OTHERS[-4] if AM_ROOT else OURSELVES
    code = "import json, os, socket, sys; print(sys.base_prefix)"
    assert as_person(person, python.argv(code), python.environment).strip() == str(spare)


def test_every_refusal_is_in_the_audit_chain_and_nothing_was_changed(of_root, of_daemon_user):
    for keeper in (of_root, of_daemon_user):
        # The last of them is there within a second.
        wanted = {(VIEWER, UNIX), (OPERATOR, UNIX), ("", UNIX), (VIEWER, TCP)} if AM_ROOT else {(VIEWER, TCP)}
        eventually(
            lambda k=keeper, w=wanted: {(each["role"], each["door"]) for each in k.audit()} >= w,
            "refusals of every kind are recorded",
        )
        refused = keeper.audit()
        previous = GENESIS
        for record in refused:
            assert (record["prev"], record["hash"]) == (previous, line_hash(record))
            previous = record["hash"]
        assert {record["outcome"] for record in refused} == {"permission_denied"}
        assert keeper.client().call("status")["engine"]["alive"] is True
        if AM_ROOT:
            assert f"uid {PERSON_UID}" in {record["who"] for record in refused}
