"""clock-skew: bundles carry deadlines, so a wrong clock loses slots."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Source:
    name: str
    url: str

    @property
    def here(self) -> bool:
        """Whether it is this machine, whose clock is the one in question."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


async def clock_skew(context: Context) -> Verdict:
    """Judge by the newest block, and by the median of the Date headers of nodes and relays elsewhere."""
    sources = [_Source(f"relay {relay.name}", relay.url) for relay in context.config.main.relays]
    with contextlib.suppress(NotAsked):
        sources += [_Source(f"node {each.name}", each.http_url) for each in context.endpoints()]
    elsewhere = [source for source in sources if not source.here]
    offsets = dict(
        zip(elsewhere, await asyncio.gather(*(_offset_s(context, each) for each in elsewhere)), strict=True)
    )
    known = [offset for offset in offsets.values() if offset is not None]
    behind_s = await _behind_head_s(context)
    if behind_s is not None and behind_s > AHEAD_S:
        return failed(f"the clock is behind: the newest block is {behind_s:.1f} s in its future", _REMEDY)
    if not known:
        seen = "" if behind_s is None else "; the newest block is not in its future"
        text = f"nobody outside this machine told the time{seen}"
        return passed(text) if behind_s is not None else warned(text, _REMEDY)
    offset_s = statistics.median(known)
    sure_s = max(0.0, abs(offset_s) - _DATE_STEP_S / 2)
    detail = f"{abs(offset_s):.1f} s {'behind' if offset_s > 0 else 'ahead of'} {len(known)} other machine(s)"
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


async def _offset_s(context: Context, source: _Source) -> float | None:
    """Return by how much the other machine is ahead of us, to half a second; None if it does not say."""
    asked = WarmHttp(source.url)
    try:
        async with asyncio.timeout(context.bounds.node_s):
            began_s = context.host.wall_s()
            reply = await asked.request("GET", {}, b"", max_body_bytes=_MAX_BODY_BYTES)
            ended_s = context.host.wall_s()
        told = parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (OSError, TimeoutError, HungUp, TooLarge, h11.ProtocolError, LookupError, ValueError, TypeError):
        return None
    finally:
        await asked.close()
    return told + _DATE_STEP_S / 2 - (began_s + ended_s) / 2
