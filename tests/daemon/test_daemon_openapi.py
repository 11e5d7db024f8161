"""The OpenAPI document: committed, served, and as complete as the table of routes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from installation import running_keeper

from jitctl.control.roles import ROUTES
from jitctl.control.schema import ActionRequest
from jitctl.daemon.openapi import SUMMARIES, document

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_the_one_that_the_code_makes():
    remedy = "renew it: python -m jitctl.daemon.openapi > docs/openapi.json"
    assert json.loads(COMMITTED.read_text()) == document(), remedy


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.verb)
def test_every_route_is_described(route):
    operation = document()["paths"][route.path][route.method.lower()]
    assert operation["summary"] == SUMMARIES[route.verb]
    assert operation["operationId"] == route.verb
    assert (operation["x-role"], operation["x-doors"]) == (route.role, list(route.doors))
    assert "content" in operation["responses"]["200"]
    assert {"400", "403", "500"} <= set(operation["responses"])
    if route.method == "POST":
        assert {"401", "409", "413", "422", "503", "504"} <= set(operation["responses"])
    for code, response in operation["responses"].items():
        if code != "200" and (route.verb, code) != ("health", "503"):
            schema = response["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}


def test_nothing_else_is_described_and_the_body_is_closed():
    paths = {(method.upper(), path) for path, found in document()["paths"].items() for method in found}
    assert paths == {(route.method, route.path) for route in ROUTES}
    body = document()["components"]["schemas"]["ActionRequest"]
    assert set(body["properties"]) == set(ActionRequest.__dataclass_fields__)
    assert body["additionalProperties"] is False
    assert [server["url"] for server in document()["servers"]] == ["http://localhost:9090", "http://jit"]


def test_it_is_served_on_the_socket_and_not_on_tcp(tmp_path):
    with running_keeper(tmp_path) as keeper:
        assert keeper.client().call("openapi") == document()
        assert keeper.ask_tcp("GET /openapi.json")[0] == 403
