"""Waiting, after a pause, until nothing of ours is on its way to a block any more."""

from __future__ import annotations

import time
from typing import Any

from jitctl.cli import render
from jitctl.control.client import Client
from jitctl.errors import CannotDetermine, DaemonNotRunning, JitError, Refused, TimedOut

POLL_S = 0.2
STATUS_LIMIT_S = 1.5
FRESH_S = 2.5
"""The engine reports every second; from older figures nothing is concluded."""
_ON_ITS_WAY = ("PLANNED", "SIMULATED", "SUBMITTING", "SUBMITTED")


def wait_until_none(asked: Client, reply: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Return the reply with what was waited for, once nothing is in flight and no position is open.

    Raises `TimedOut` after `timeout_s`, naming what is left, `CannotDetermine` where nobody can tell any
    more, and `Refused` if the bot was resumed meanwhile. Whatever is raised, the pause holds (but for that).
    """
    began_s = time.monotonic()
    if reply.get("state") == "STOPPED" or reply.get("forced"):
        raise _unknown(str(reply.get("message")))
    last_target, told = reply.get("lastTargetBlock"), False
    while True:
        try:
            found = asked.call("status", timeout_s=STATUS_LIMIT_S)
        except DaemonNotRunning:
            raise _unknown("the daemon has ended") from None
        except TimedOut:
            found = {}
        _still_knowable(found)
        left = _left(found)
        figures = found.get("figures", {})
        last_target = max((n for n in (last_target, figures.get("lastTargetBlock")) if n), default=None)
        waited_s = time.monotonic() - began_s
        if not left:
            message = f"{reply.get('message')}; nothing is in flight"
            return {
                **reply, "message": message, "waitedS": round(waited_s, 3), "outstandingBundles": 0,
                "lastTargetBlock": last_target, "headNumber": found.get("headNumber"),
            }  # fmt: skip
        if waited_s >= timeout_s:
            raise TimedOut(f"paused, but not clear after {timeout_s:g} s: {left}", hint=_what_next(found))
        if not told:
            render.note(f"waiting: {left}")
            told = True
        time.sleep(POLL_S)


def _still_knowable(found: dict[str, Any]) -> None:
    if found and not found.get("engine", {}).get("alive"):
        raise _unknown("the engine has ended")
    if found.get("state") == "RUNNING":
        raise Refused("the bot was resumed while this waited", hint="see who did it: jitctl status")


def _unknown(why: str) -> JitError:
    return CannotDetermine(
        f"paused, but what was in flight is not known: {why}",
        hint="ask the chain, once the last target block has passed: jitctl verify-no-open-positions",
    )


def _what_next(found: dict[str, Any]) -> str:
    if found.get("figures", {}).get("openPositions"):
        return "a paused bot closes nothing: jitctl resume lets it, or close with the guardian's key"
    if not found.get("engine", {}).get("responsive"):
        return "nobody here can tell; ask the chain: jitctl verify-no-open-positions"
    return "nothing new is submitted; go on waiting with: jitctl pause --wait"


def _left(found: dict[str, Any]) -> str:
    """Return what is still in flight as of the engine's figures; "" if nothing is."""
    if not found:
        return "the daemon does not answer"
    engine, figures = found.get("engine", {}), found.get("figures", {})
    age_s = engine.get("figuresAgeS")
    if not engine.get("responsive") or age_s is None or age_s > FRESH_S:
        since = "yet" if age_s is None else f"for {render.duration(age_s)}"
        return f"the engine has not reported {since}"
    bundles = figures.get("outstandingBundles")
    if bundles is None or not figures.get("synced", True):
        return "the engine is not in step with the chain"
    parts = []
    if bundles:
        head = f"head {found.get('headNumber')}, seen {render.duration(found.get('headAgeS'))} ago"
        noun = "bundle" if bundles == 1 else "bundles"
        parts.append(f"{bundles} {noun} out, the last for block {figures.get('lastTargetBlock')} ({head})")
    attempts = figures.get("unsettledAttempts") or {}
    begun = sum(attempts.get(state, 0) for state in _ON_ITS_WAY) - bundles
    if begun > 0:
        parts.append(f"{begun} attempts being given up")
    if pools := figures.get("openPositions"):
        parts.append(f"positions open in {', '.join(map(str, pools))}")
    return "; ".join(parts)
