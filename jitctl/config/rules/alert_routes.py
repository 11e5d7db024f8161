"""Rules of alerts.toml about routes: what they may hold, and how what they carry leaves the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from jitctl.config.alert_models import AlertsConfig, EmailRoute, HookRoute, PagerDutyRoute
from jitctl.config.rules.finding import Finding

_SECRET_FILES = ("routing_key_file", "url_file", "password_file", "token_file")
_KEY = re.compile(r"[A-Za-z0-9+=]{24,}|xox[a-z]-\S+")
_KEY_IN_PATH = re.compile(r"[A-Za-z0-9_+=:-]{24,}")
_BETWEEN = re.compile(r"[_+=:-]")
"""A name has short words between its dashes; a key has long ones, or large and small letters."""
_QUERY_SECRET = re.compile(r"key|token|secret|auth|password|sig", re.I)


def secrets_in_files(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC415 a reference is a file's name, and a URL that stands here holds no key."""
    for name, route in alerts.routes.items():
        for key in _SECRET_FILES:
            value = getattr(route, key, None)
            if value is not None and _is_secret(value):
                message = "this is the secret itself, or its URL, and not the name of the file that holds it"
                yield Finding("JC415", "alerts", ("routes", name, key), message)
        url = getattr(route, "url", None)
        if url is not None and _has_key(url):
            message = "this URL carries a key"
            hint = "name a file that holds it in url_file" if isinstance(route, HookRoute) else ""
            yield Finding("JC415", "alerts", ("routes", name, "url"), message, hint)


def _is_secret(value: str) -> bool:
    return "://" in value or _is_like(_KEY, value)


def _is_like(key: re.Pattern[str], word: str) -> bool:
    return key.fullmatch(word) is not None and any(c.isdigit() for c in word)


def _has_key(url: str) -> bool:
    parts = urlsplit(url)
    return (
        any(_is_key_in_path(word) for word in parts.path.split("/"))
        or parts.hostname in ("hooks.slack.com", "discord.com")
        or any(
            _QUERY_SECRET.search(key) and (len(value) >= 8 or any(c.isdigit() for c in value))
            for key, value in parse_qsl(parts.query)
        )
    )


def _is_key_in_path(word: str) -> bool:
    if not _is_like(_KEY_IN_PATH, word):
        return False
    mixed = word not in (word.lower(), word.upper())
    return mixed or any(len(each) >= 12 and any(c.isdigit() for c in each) for each in _BETWEEN.split(word))


def encrypted(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC416 https and TLS but on the loopback."""
    for name, route in alerts.routes.items():
        url = route.url if isinstance(route, HookRoute | PagerDutyRoute) else None
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
                message = f"plain http to {parts.hostname}"
                yield Finding("JC416", "alerts", ("routes", name, "url"), message, "use https")
        if isinstance(route, EmailRoute) and route.tls == "none" and not _is_loopback(route.host):
            message = f"mail to {route.host} without TLS"
            yield Finding("JC416", "alerts", ("routes", name, "tls"), message, 'use "starttls" or "implicit"')


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def given_together(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC417 user and password; JC121 one of a URL and its file."""
    for name, route in alerts.routes.items():
        if isinstance(route, EmailRoute) and (route.user is None) != (route.password_file is None):
            there, absent = ("user", "password_file") if route.user else ("password_file", "user")
            yield Finding("JC417", "alerts", ("routes", name, there), f"given without {absent}")
        if isinstance(route, HookRoute) and (route.url is None) == (route.url_file is None):
            yield Finding("JC121", "alerts", ("routes", name), "give exactly one of url and url_file")


CHECKS = (secrets_in_files, encrypted, given_together)
