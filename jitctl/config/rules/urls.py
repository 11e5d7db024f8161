"""Rules about the URLs of jitctl.toml: what others on the way, or in the file, could read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from jitctl.config.models import MainConfig
from jitctl.config.rules.finding import Finding

_PRIVATE_ENDS = (".local", ".internal", ".lan", ".localhost", ".home.arpa")
_KEY_NAMES = re.compile(r"api[-_]?key|key|token|access[-_]?token|auth|secret|password", re.I)
_KEY_LIKE = re.compile(r"[A-Za-z0-9_-]{16,}")


def is_near(host: str) -> bool:
    """Return whether a host is this machine or on a network of our own, going by its name alone."""
    try:
        found = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_ENDS)
    return found.is_loopback or found.is_private or found.is_link_local


def carries_key(url: str) -> bool:
    """Return whether a path or a query looks like one of a provider that knows its customer by it."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    if any(_KEY_NAMES.fullmatch(name) and value for name, value in query):
        return True
    return any(_looks_random(each) for each in (*parts.path.split("/"), *(value for _, value in query)))


def _looks_random(text: str) -> bool:
    return (
        _KEY_LIKE.fullmatch(text) is not None
        and any(char.isdigit() for char in text)
        and any(char.isalpha() for char in text)
    )


def nobody_reads_along(main: MainConfig) -> Iterator[Finding]:
    """JC304 relays, JC305 nodes: in the clear only to hosts that are near."""
    for index, relay in enumerate(main.relays):
        parts = urlsplit(relay.url)
        if parts.scheme == "http" and not is_near(parts.hostname or ""):
            message = f"bundles to {parts.hostname} could be read on the way: expected https://"
            yield Finding("JC304", "jitctl", ("relays", index, "url"), message)
    for path, url in _node_urls(main):
        parts = urlsplit(url)
        if parts.scheme in ("http", "ws") and not is_near(parts.hostname or ""):
            message = f"what is said to {parts.hostname} can be read, and changed, on the way"
            yield Finding("JC305", "jitctl", path, message, f"use {parts.scheme}s://")


def no_key_in_sight(main: MainConfig) -> Iterator[Finding]:
    """JC303 a URL with an API key is a secret in a file that others read."""
    for path, url in _node_urls(main):
        if carries_key(url):
            message = "this URL seems to carry an API key: a secret in a file"
            yield Finding("JC303", "jitctl", path, message, f"put it into a file of its own: {path[-1]}_file")


def _node_urls(main: MainConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, node in enumerate(main.nodes):
        if node.http_url is not None:
            yield ("nodes", index, "http_url"), node.http_url
        if node.ws_url is not None:
            yield ("nodes", index, "ws_url"), node.ws_url
    for index, second in enumerate(main.verify_nodes):
        if second.http_url is not None:
            yield ("verify_nodes", index, "http_url"), second.http_url


CHECKS = (nobody_reads_along, no_key_in_sight)
