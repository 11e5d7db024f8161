"""What `control/roles.py` means for each kind of caller: the answers that the doors give, as a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jitctl.control.roles import ADMIN, OPERATOR, ROUTES, TCP, UNIX, VIEWER, Route, allows


class CallerKind(NamedTuple):
    """Someone before a door; `token` is the role of the token that a TCP caller sends, empty for none."""

    name: str
    door: str
    role: str = ""
    token: str = ""


CALLERS = (
    CallerKind("stranger", UNIX),
    CallerKind("viewer", UNIX, VIEWER),
    CallerKind("operator", UNIX, OPERATOR),
    CallerKind("admin", UNIX, ADMIN),
    CallerKind("no token file", TCP, VIEWER),
    CallerKind("no token", TCP, VIEWER),
    CallerKind("token, operator", TCP, VIEWER, OPERATOR),
    CallerKind("token, admin", TCP, VIEWER, ADMIN),
)

LOCAL_NEEDS = {
    "access-log": "read access to `data/audit.jsonl`",
    "backup": "read access to the files, and write access to `backups/`",
    "check-node-sync": "read access to the configuration and its `*_file` references",
    "config": (
        "read access to the files; `config rollback` write access, and over a daemon that runs the role admin"
    ),
    "daily-summary": "read access to the configuration and `data/ledger.db`",
    "demo": "nothing: a private chain in a folder of its own",
    "devnet": "nothing: a private chain in a folder of its own",
    "emergency-position-check": "read access to the configuration and its `*_file` references",
    "morning-check": "what the verbs that it runs need",
    "preflight": "read access to the configuration and its `*_file` references",
    "restore": "write access to the files and to `backups/`; with `--reload` the role admin",
    "restart": "what `stop` and `start` need",
    "start": "to be the daemon's user: its data, keys and folders; over a daemon that runs, the role admin",
    "validate-config": "read access to the files",
    "validate-strategy-config": "read access to the files",
    "verify-no-open-positions": "read access to the configuration and its `*_file` references",
}
"""What a verb that does not ask the daemon needs of the operating system."""


def status_of(route: Route, caller: CallerKind) -> int:
    """Return 200 where `caller` gets to the route, else the HTTP status of the refusal."""
    if caller.door == UNIX or TCP in route.doors:
        return 200 if allows(caller.role, route.role) else 403
    if caller.token:
        return 200 if allows(caller.token, route.role) else 403
    return 401 if caller.name == "no token" else 403


def access_page(local_verbs: Iterable[str]) -> str:
    """Return docs/access.md; raises KeyError for a local verb of which nobody said what it needs."""
    names = [f"{each.door}: {each.name}" for each in CALLERS]
    lines = [
        _HEAD,
        f"| verb | route | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
        *(_row(route) for route in ROUTES),
        "",
        _NOTES,
        "",
        "| local verb | needs |",
        "|---|---|",
        *(f"| `{verb}` | {LOCAL_NEEDS[verb]} |" for verb in sorted(local_verbs)),
    ]
    return "\n".join(lines) + "\n"


def _row(route: Route) -> str:
    cells = [_cell(route, caller) for caller in CALLERS]
    return f"| `{route.verb}` | `{route.method} {route.path}` | {' | '.join(cells)} |"


def _cell(route: Route, caller: CallerKind) -> str:
    status = status_of(route, caller)
    if status != 200:
        return str(status)
    role = caller.token or caller.role
    limited = route.loosening_role and not allows(role, route.loosening_role)
    return "tighten only" if limited else "yes"


_HEAD = """# Who may do what

Made from `jitctl/control/roles.py`, which the daemon itself reads; renew it with
`python -m tests.contract.access_page > docs/access.md`.

- **unix** is `run/jitctl.sock`. The kernel says who asks: *admin* is root or the daemon's own user,
  *operator* a member of the socket's group, *viewer* a member of `[socket] viewer_group`; supplementary
  groups count. A stranger cannot open the socket's folder (0750): 403 is what the API itself would
  answer.
- **tcp** is `http://127.0.0.1:9090`. *No token file*: `[http] token_file` is not set. *No token*: it is
  set, and the request has no valid `Authorization: Bearer`. A token has the role `[http] token_role`,
  and is nothing on the socket.
- *tighten only*: 403 for what loosens, as a lower crisis level.
- Whoever asks, the TCP door answers 403 to a foreign Host, Referer or Sec-Fetch-Site and to any Origin.
"""
_NOTES = """Every refused call is in the audit trail; equal ones within a second share one record.

Verbs that work without the daemon need rights of the operating system instead:"""
