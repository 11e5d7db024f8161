"""Who may do what, and through which door: the one table that the daemon, the docs and the tests read."""

from __future__ import annotations

from typing import NamedTuple

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
RANK = {"": 0, VIEWER: 1, OPERATOR: 2, ADMIN: 3}
UNIX, TCP = "unix", "tcp"


class Route(NamedTuple):
    """A verb on the wire. `tightens`: it goes ahead even when the audit trail cannot be written.

    `doors` are those that serve it without a token; with one, TCP serves every route.
    `loosening_role` is what the same verb needs where it loosens (a lower crisis level), if that is more.
    """

    verb: str
    method: str
    path: str
    role: str
    doors: tuple[str, ...]
    tightens: bool = False
    loosening_role: str = ""


ROUTES = (
    Route("health", "GET", "/health", VIEWER, (UNIX, TCP)),
    Route("metrics", "GET", "/metrics", VIEWER, (UNIX, TCP)),
    Route("status", "GET", "/api/status", VIEWER, (UNIX, TCP)),
    Route("daily-summary", "GET", "/api/daily-summary", VIEWER, (UNIX, TCP)),
    Route("latency-breakdown", "GET", "/api/latency-breakdown", VIEWER, (UNIX, TCP)),
    Route("config", "GET", "/api/config", OPERATOR, (UNIX,)),
    Route("pool-status", "GET", "/admin/pool-status", VIEWER, (UNIX, TCP)),
    Route("pause", "POST", "/admin/pause", OPERATOR, (UNIX,), tightens=True),
    Route("resume", "POST", "/admin/resume", ADMIN, (UNIX,)),
    Route("emergency-stop", "POST", "/admin/emergency-stop", OPERATOR, (UNIX,), tightens=True),
    Route("clear-halt", "POST", "/admin/clear-halt", ADMIN, (UNIX,)),
    Route(
        "crisis-mode", "POST", "/admin/crisis-mode", OPERATOR, (UNIX,), tightens=True, loosening_role=ADMIN
    ),
    Route("reload-pools", "POST", "/admin/reload-pools", ADMIN, (UNIX,)),
    Route("reload-strategy", "POST", "/admin/reload-strategy", ADMIN, (UNIX,)),
    Route("reload-config", "POST", "/admin/reload-config", ADMIN, (UNIX,)),
    Route("validate-live", "POST", "/admin/validate-live", ADMIN, (UNIX,)),
    Route("start", "POST", "/admin/start", ADMIN, (UNIX,)),
    Route("stop", "POST", "/admin/stop", ADMIN, (UNIX,), tightens=True),
    Route("openapi", "GET", "/openapi.json", VIEWER, (UNIX,)),
)
BY_VERB = {route.verb: route for route in ROUTES}
BY_ENDPOINT = {(route.method, route.path): route for route in ROUTES}


def allows(role: str, needed: str) -> bool:
    """Whether `role` includes the rights of `needed`."""
    return RANK.get(role, 0) >= RANK[needed]
