"""docs/access.md is what the daemon's own table says, and every verb and route has its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitctl.cli.verbs import DAEMON, VERBS
from jitctl.control.access import CALLERS, LOCAL_NEEDS, status_of
from jitctl.control.roles import BY_VERB, OPERATOR, ROUTES, TCP, UNIX, VIEWER
from tests.contract.access_page import page

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_the_one_that_the_table_makes() -> None:
    remedy = "renew it: python -m tests.contract.access_page > docs/access.md"
    assert (ROOT / "docs" / "access.md").read_text() == page(), remedy


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_a_row(verb) -> None:
    if verb.kind == DAEMON:
        assert verb.name in BY_VERB, f"{verb.name} has no row in jitctl/control/roles.py"
    else:
        assert verb.name in LOCAL_NEEDS, f"{verb.name} has no row in jitctl/control/access.py LOCAL_NEEDS"
    assert f"| `{verb.name}` |" in page()


def test_nobody_gets_further_by_tcp_than_by_the_socket_and_strangers_get_nowhere() -> None:
    for route in ROUTES:
        by_name = {each.name: status_of(route, each) for each in CALLERS}
        assert by_name["stranger"] == 403
        assert by_name["admin"] == 200
        assert (by_name["viewer"] == 200) == (route.role == VIEWER)
        assert by_name["token, operator"] == by_name["operator"]
        assert by_name["token, admin"] == by_name["admin"]
        assert (by_name["no token file"], by_name["no token"]) == (
            (200, 200) if TCP in route.doors else (403, 401)
        )
        assert {each.door for each in CALLERS} == {UNIX, TCP}
        if route.method != "GET":
            assert route.role != VIEWER
        if route.loosening_role:
            assert route.role == OPERATOR
