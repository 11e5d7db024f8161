"""clock-skew: bundles carry deadlines, so a wrong clock loses slots."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import h11

from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.verdict import NotAsked, Verdict, failed, passed, warned
from jitctl.execution.http_connection import HungUp, TooLarge, WarmHttp

WARN_S = 2.0
FAIL_S = 5.0
AHEAD_S = 2.0
"""No block is made in the future: a head this far ahead of our clock shows that the clock is behind."""
_DATE_STEP_S = 1.0
"""What the HTTP Date header is rounded down to."""
_MAX_BODY_BYTES = 1 << 20
_REMEDY = "synchronise the clock: timedatectl set-ntp true, or look at chronyc tracking"


async def clock_skew(context: Context) -> Verdict:
    """Judge by the newest block, and by the Date headers of relays and nodes on other machines."""
    sources = [relay.url for relay in context.config.main.relays]
    with contextlib.suppress(NotAsked):
        sources += [each.http_url for each in context.endpoints()]
    wall_s, limit_s = context.host.wall_s, context.bounds.node_s
    elsewhere = [url for url in dict.fromkeys(sources) if not _is_here(url)]
    offsets = await asyncio.gather(*(offset_s(url, wall_s, limit_s) for url in elsewhere))
    return judge([offset for offset in offsets if offset is not None], await _behind_head_s(context))


def judge(offsets_s: Sequence[float], behind_s: float | None) -> Verdict:
    """Say what the others' clocks (how far each is ahead of ours) and the newest block show of ours.

    `behind_s` is how far the block's time is in our future, None if no block is known.
    """
    if behind_s is not None and behind_s > AHEAD_S:
        return failed(f"the clock is behind: the newest block is {behind_s:.1f} s in its future", _REMEDY)
    if not offsets_s:
        text = "nobody outside this machine told the time"
        if behind_s is None:
            return warned(text, "look at timedatectl or chronyc tracking")
        return passed(f"{text}; the newest block is not in its future")
    offset = statistics.median(offsets_s)
    sure_s = max(0.0, abs(offset) - _DATE_STEP_S / 2)
    detail = f"{abs(offset):.1f} s {'behind' if offset > 0 else 'ahead of'} {len(offsets_s)} other machine(s)"
    if sure_s > FAIL_S:
        return failed(detail, _REMEDY)
    return warned(detail, _REMEDY) if sure_s > WARN_S else passed(f"within {WARN_S:g} s: {detail}")


async def _behind_head_s(context: Context) -> float | None:
    """Return by how much the head's own time is past our clock, negative for its age; None if not known."""
    try:
        head = (await context.node()).head
    except NotAsked:
        return None
    return head.timestamp_s - context.host.wall_s()


async def offset_s(url: str, wall_s: Callable[[], float], limit_s: float) -> float | None:
    """Return by how much the machine at `url` is ahead of us, to half a second; None if it does not say."""
    asked = WarmHttp(url)
    try:
        async with asyncio.timeout(limit_s):
            began_s = wall_s()
            reply = await asked.request("GET", {}, b"", max_body_bytes=_MAX_BODY_BYTES)
            ended_s = wall_s()
        told_s = parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (OSError, TimeoutError, HungUp, TooLarge, h11.ProtocolError, LookupError, ValueError, TypeError):
        return None
    finally:
        await asked.close()
    return told_s + _DATE_STEP_S / 2 - (began_s + ended_s) / 2


def _is_here(url: str) -> bool:
    """Whether it is this machine, whose clock is the one in question."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
