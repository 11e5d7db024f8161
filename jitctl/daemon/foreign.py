"""Which TCP requests come from somewhere else: another Host, a web page, a proxy's request line."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_OWN_PAGES = (b"same-origin", b"none")
Headers = Iterable[tuple[bytes, bytes]]


def own_hosts(port: int) -> frozenset[str]:
    """Return the values of Host under which the door of `port` is served; compared byte for byte."""
    return frozenset(f"{name}:{port}" for name in LOOPBACK_NAMES)


def foreign(path: str, headers: Headers, hosts: frozenset[str]) -> str:
    """Return why a request is refused whoever asks it, empty for one that comes from here.

    A page of another site reaches a door on the loopback through the operator's browser, under a name
    that it makes point to 127.0.0.1, or by a form that it sends: Host, Origin, Referer and
    Sec-Fetch-Site tell.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    named = found.get(b"host", [])
    if len(named) != 1 or named[0].decode("latin-1") not in hosts:
        return "this Host is not served here"
    if not path.startswith("/"):
        return "this form of request target is not served here"
    if b"origin" in found:
        return "requests from web pages are not served"
    if any(value.strip().lower() not in _OWN_PAGES for value in found.get(b"sec-fetch-site", ())):
        return "requests from other sites are not served"
    if any(not _is_own_page(value.decode("latin-1"), hosts) for value in found.get(b"referer", ())):
        return "requests from pages of other sites are not served"
    return ""


def _is_own_page(referer: str, hosts: frozenset[str]) -> bool:
    try:
        parts = urlsplit(referer)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.netloc in hosts
