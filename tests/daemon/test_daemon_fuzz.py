"""Requests made up from the OpenAPI document, through both doors of a real keeper.

No answer is a 5xx, and none is one that the document does not describe.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import typing
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from installation import JITCTL_TOML, running_keeper, write_config
from requests.adapters import HTTPAdapter
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from jitctl.control.roles import ROUTES, UNIX
from jitctl.control.unix_address import short_address
from jitctl.daemon.api import application
from jitctl.daemon.doors import Rights
from jitctl.daemon.keeper import Keeper
from jitctl.daemon.openapi import document
from jitctl.daemon.operations import Operations
from jitctl.ledger.store import LedgerStore
from tests.conftest import FULL

TOKEN = secrets.token_hex(32)
EXAMPLES = 400 if FULL else 25
DESCRIBED = schemathesis.openapi.from_dict(document())
ALWAYS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


class UnixConnection(HTTPConnection):
    path: Path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        with short_address(self.path) as address:
            self.sock.connect(address)


class UnixDoor(HTTPAdapter):
    """Sends every request to one Unix socket, whatever its URL says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        connection = type("Connection", (UnixConnection,), {"path": path})
        self._pool = HTTPConnectionPool("jit")
        self._pool.ConnectionCls = connection

    def get_connection_with_tls_context(self, *args, **kwargs):
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


@contextlib.contextmanager
def keeper_with_everything(folder: Path):
    """A keeper with a ledger to report on and a token that may do everything."""
    write_config(folder, jitctl=f'{JITCTL_TOML}token_file = "http.token"\ntoken_role = "admin"\n')
    (folder / "http.token").write_text(TOKEN)
    (folder / "http.token").chmod(0o600)
    (folder / "data").mkdir()
    LedgerStore(folder / "data" / "ledger.db").close()
    with running_keeper(folder) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    with keeper_with_everything(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


@pytest.fixture(params=["unix", "tcp"])
def ask(request, keeper):
    """Return a function that sends a request through one door and holds the answer to the document."""
    with requests.Session() as session:
        base_url, headers = keeper.http, {"Authorization": f"Bearer {TOKEN}"}
        if request.param == "unix":
            session.mount("http://", UnixDoor(keeper.socket))
            base_url, headers = "http://jit", {}

        def send(case, *further):
            case.call_and_validate(
                base_url=base_url, session=session, headers=headers, checks=[*ALWAYS, *further], timeout=60
            )

        yield send


def fuzz(route, mode, check):
    operation = DESCRIBED[route.path][route.method]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def run(case):
        # Among what is not allowed there is a body left out now and then, which is allowed.
        assume(case.meta.generation.mode is mode)
        check(case)

    run()


def served():
    """The rows of the table that this daemon has a handler for."""
    # Handlers are declared without looking at the keeper.
    handled = application(
        typing.cast(Keeper, None), typing.cast(Operations, None), UNIX, Rights(0, 0, None)
    ).handled()
    return [route for route in ROUTES if (route.method, route.path) in handled]


READING = [route for route in served() if route.method == "GET"]
ACTING = [route for route in served() if route.method == "POST"]


@pytest.mark.parametrize(
    "route", [each for each in [*READING, *ACTING] if each.verb != "stop"], ids=lambda each: each.verb
)
def test_what_the_document_allows_is_answered_as_it_says(ask, route):
    fuzz(route, GenerationMode.POSITIVE, ask)


@pytest.mark.parametrize("route", ACTING, ids=lambda each: each.verb)
def test_what_the_document_does_not_allow_is_refused(ask, route):
    fuzz(route, GenerationMode.NEGATIVE, lambda case: ask(case, checks.negative_data_rejection))


def test_methods_that_the_document_does_not_have_are_405(keeper):
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE"}
    for path, found in document()["paths"].items():
        described = sorted(each.upper() for each in found)
        for method in sorted(methods - set(described)):
            status, headers, _ = keeper.ask_tcp(f"{method} {path}", f"Authorization: Bearer {TOKEN}")
            assert (status, headers["allow"]) == (405, ", ".join(described)), (method, path)


def test_a_stop_with_a_right_body_ends_what_all_of_that_did_not(keeper):
    assert keeper.client().call("health")["live"] is True
    assert [line for line in keeper.log() if line["event"] == "request_failed"] == []
    assert keeper.client().call("stop", body={"reason": "the end"})["state"] == "STOPPED"
    assert keeper.process.wait(20) == 0
