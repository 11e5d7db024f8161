"""Rules of alerts.toml about people and levels; about routes and thresholds: the files beside this one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from jitctl.config.alert_models import AlertsConfig, EmailRoute, given_levels
from jitctl.config.nearest import did_you_mean
from jitctl.config.rules import alert_routes, alert_thresholds
from jitctl.config.rules.finding import Finding, needs_whole

_PHONE = re.compile(r"\+[1-9](?:[ ./()-]{0,3}[0-9]){6,14}", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>,;:\"\\]{1,64}@(?=.{1,255}\Z)[^\W_](?:[\w.-]*[^\W_])?")
_CALLING = ("phone", "pagerduty")
"""Ways that wake somebody."""


def contacts_reachable(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC401 a way to each contact; JC402 numbers and addresses have their form."""
    for name, contact in alerts.contacts.items():
        at = ("contacts", name)
        if not contact.ways:
            message = "nobody can be reached here"
            yield Finding("JC401", "alerts", at, message, "give phone, email, slack or pagerduty")
        if contact.phone is not None and not _PHONE.fullmatch(contact.phone):
            message = f"{contact.phone!r} is no phone number with its country code"
            yield Finding("JC402", "alerts", (*at, "phone"), message, 'such as "+1-555-0001"')
        if contact.email is not None and not _is_email(contact.email):
            yield _no_email((*at, "email"), contact.email)


def mail_addressed(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC402 the addresses of routes have their form."""
    for name, route in alerts.routes.items():
        if isinstance(route, EmailRoute):
            if not _is_email(route.sender):
                yield _no_email(("routes", name, "sender"), route.sender)
            for index, address in enumerate(route.to):
                if not _is_email(address):
                    yield _no_email(("routes", name, "to", index), address)


def _is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None and ".." not in text


def _no_email(path: tuple[str | int, ...], text: str) -> Finding:
    return Finding("JC402", "alerts", path, f"{text!r} is no e-mail address", 'such as "oncall@example.org"')


@needs_whole("alerts.contacts", "alerts.routes")
def levels_complete(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC403 used levels exist; JC404 they tell somebody; JC405 P0 has a route and somebody to call; JC418."""
    given, missing = given_levels(alerts.levels), set()
    used = {level for rule in alerts.rules.values() if rule.enabled for level in rule.levels()}
    for name, rule in alerts.rules.items():
        for level in rule.levels():
            if rule.enabled and level not in given and level not in missing:
                missing.add(level)
                key = ("level",) if rule.level == level else ("above" if rule.above else "below", level)
                message = f"there is no [levels.{level}]"
                yield Finding("JC403", "alerts", ("rules", name, *key), message)
    if not alerts.contacts and not alerts.routes:
        if used:
            message = "no contact and no route is named: nobody is told"
            first = next((name for name in given if name in used), "")
            yield Finding("JC418", "alerts", ("levels", first) if first else (), message)
        return
    for level, config in given.items():
        if level not in used:
            continue
        at = ("levels", level)
        if level != "P0":
            if not config.routes and not config.escalate:
                yield Finding("JC404", "alerts", at, "neither routes nor escalate: nobody is told")
            continue
        if not config.routes:
            yield Finding("JC405", "alerts", at, "no route: the most severe alerts would go nowhere")
        called = [alerts.contacts[name] for name in config.escalate if name in alerts.contacts]
        unknown = any(name not in alerts.contacts for name in config.escalate)
        if not unknown and not any(set(contact.ways) & set(_CALLING) for contact in called):
            where = (*at, "escalate") if "escalate" in config.model_fields_set else at
            message = "nobody to call: no contact of `escalate` has a phone or pagerduty"
            yield Finding("JC405", "alerts", where, message)


@needs_whole("alerts.contacts", "alerts.routes")
def names_known(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC406 routes exist; JC407 contacts exist; JC408 each is named once; JC409 every route is used."""
    for level, config in given_levels(alerts.levels).items():
        lists = (
            ("JC406", "routes", "route", config.routes, alerts.routes),
            ("JC407", "escalate", "contact", config.escalate, alerts.contacts),
        )
        for rule, key, what, names, known in lists:
            for index, name in enumerate(names):
                path = ("levels", level, key, index)
                if name not in known:
                    yield Finding(
                        rule, "alerts", path, f"there is no {what} {name!r}", did_you_mean(name, known)
                    )
                elif name in names[:index]:
                    yield Finding("JC408", "alerts", path, f"{name!r} is named before already")
    carried = {name for config in given_levels(alerts.levels).values() for name in config.routes}
    for name in alerts.routes:
        if name not in carried:
            yield Finding("JC409", "alerts", ("routes", name), "no level uses this route")


def response_times_grow(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC410 the less severe, the more time."""
    given = list(given_levels(alerts.levels).items())
    for (upper, before), (lower, config) in pairwise(given):
        if config.respond_within_s <= before.respond_within_s:
            message = (
                f"{config.respond_within_s:g} s is not longer than {upper}'s {before.respond_within_s:g} s"
            )
            yield Finding("JC410", "alerts", ("levels", lower, "respond_within_s"), message)


CHECKS = (
    contacts_reachable,
    mail_addressed,
    levels_complete,
    names_known,
    response_times_grow,
    *alert_routes.CHECKS,
    *alert_thresholds.CHECKS,
)
