"""Who may do what, asked by real processes of other users (as root), or at least by ourselves."""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from installation import JITCTL_TOML, running_keeper, write_config

from jitctl.control.roles import ADMIN, OPERATOR, RANK, ROUTES

STRANGER_UID = 54321
OPERATOR_GROUP = grp.getgrgid(1)
ASK = """
import json, os, sys
from pathlib import Path
from jitctl.control.client import Client
from jitctl.errors import JitError
uid, gids, path, verbs = json.loads(sys.argv[1])
if uid != os.getuid():
    # After the imports: the interpreter itself may lie where the other user cannot read.
    os.setgroups(gids); os.setgid(gids[0]); os.setuid(uid)
answers = {}
for verb in verbs:
    try:
        Client(Path(path)).call(verb)
        answers[verb] = "ok"
    except JitError as error:
        answers[verb] = error.code
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def keeper():
    # Not in pytest's own folder: nobody else may look in there.
    folder = Path(tempfile.mkdtemp(prefix="jitctl-roles-"))
    folder.chmod(0o755)
    text = JITCTL_TOML
    if os.getuid() == 0:
        text += f'\n[socket]\noperator_group = "{OPERATOR_GROUP.gr_name}"\n'
    write_config(folder, jitctl=text)
    try:
        with running_keeper(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder)


def ask(keeper, uid, gids, verbs):
    asked = json.dumps([uid, gids, str(keeper.socket), verbs])
    found = subprocess.run([sys.executable, "-c", ASK, asked], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


def people():
    yield "ourselves", os.getuid(), [os.getgid()], ADMIN
    if os.getuid() == 0:
        yield "operator by first group", STRANGER_UID, [OPERATOR_GROUP.gr_gid], OPERATOR
        yield "operator by a further group", STRANGER_UID, [STRANGER_UID, OPERATOR_GROUP.gr_gid], OPERATOR
        yield "stranger", STRANGER_UID, [STRANGER_UID], ""


@pytest.mark.parametrize(("who", "uid", "gids", "role"), list(people()), ids=lambda value: str(value))
def test_every_verb_for_everybody(keeper, who, uid, gids, role):
    # `stop` last: it is the one after which nothing answers; only its refusal is asked here.
    routes = [route for route in ROUTES if route.path.startswith(("/admin", "/api/status", "/health"))]
    verbs = [route.verb for route in routes if not (route.verb == "stop" and role == ADMIN)]
    answers = ask(keeper, uid, gids, verbs)
    for route in routes:
        if route.verb in answers:
            allowed = RANK[role] >= RANK[route.role]
            assert (answers[route.verb] == "ok") == allowed, (who, route.verb, answers)
            if not allowed:
                assert answers[route.verb] == "permission_denied"


def test_what_was_refused_is_in_the_log_and_changed_nothing(keeper):
    if os.getuid() == 0:
        ask(keeper, STRANGER_UID, [OPERATOR_GROUP.gr_gid], ["stop"])
        assert "request_refused" in {line["event"] for line in keeper.log()}
    assert keeper.client().call("status")["engine"]["alive"] is True
