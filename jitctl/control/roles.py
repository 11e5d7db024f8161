"""Who may do what, and through which door: the one table that the daemon, the docs and the tests read."""

from __future__ import annotations

from typing import NamedTuple

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
RANK = {"": 0, VIEWER: 1, OPERATOR: 2, ADMIN: 3}
UNIX, TCP = "unix", "tcp"


class Route(NamedTuple):
    """A verb on the wire. `tightens`: it goes ahead even when the audit trail cannot be written."""

    verb: str
    method: str
    path: str
    role: str
    doors: tuple[str, ...]
    tightens: bool = False


ROUTES = (
    Route("health", "GET", "/health", VIEWER, (UNIX, TCP)),
    Route("metrics", "GET", "/metrics", VIEWER, (UNIX, TCP)),
    Route("status", "GET", "/api/status", VIEWER, (UNIX, TCP)),
    Route("daily-summary", "GET", "/api/daily-summary", VIEWER, (UNIX, TCP)),
    Route("pause", "POST", "/admin/pause", OPERATOR, (UNIX,), tightens=True),
    Route("resume", "POST", "/admin/resume", ADMIN, (UNIX,)),
    Route("clear-halt", "POST", "/admin/clear-halt", ADMIN, (UNIX,)),
    Route("start", "POST", "/admin/start", ADMIN, (UNIX,)),
    Route("stop", "POST", "/admin/stop", ADMIN, (UNIX,), tightens=True),
)
BY_VERB = {route.verb: route for route in ROUTES}
BY_ENDPOINT = {(route.method, route.path): route for route in ROUTES}


def allows(role: str, needed: str) -> bool:
    """Whether `role` includes the rights of `needed`."""
    return RANK.get(role, 0) >= RANK[needed]
