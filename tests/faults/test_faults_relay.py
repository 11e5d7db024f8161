"""A relay that refuses, hangs, limits, talks nonsense or lies: one named reply per bundle, no second try."""

from __future__ import annotations

import math
import time

import pytest

from jitctl.domain.records import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")

RELAY = {
    "refuses": ("refuse", "refused"),
    "times_out": ("stall", "timed_out"),
    "is_late": ("late", "timed_out"),
    "limits": ("429", "rate_limited"),
    "sends_garbage": ("garbage", "bad_reply"),
    "accepts_and_forgets": ("lie", "accepted"),
}
"""What the relay does, and the name of its replies."""


@pytest.mark.parametrize("what", RELAY)
async def test_a_relay_fails_while_swaps_arrive(rig, what):
    kind, reply = RELAY[what]
    rig.trade()
    await rig.lands()
    before = await rig.counts()
    began_s, began_wall_s = time.monotonic(), time.time()
    async with rig.fault(kind, "relay", value=600):
        await rig.grows("relay_replies", reply, beyond=before["relay_replies"][reply] + 1)
        await rig.until(lambda: bool(missed_since(rig, began_wall_s)), "a bundle of this time misses")
        faulty_until_s = time.time()
    bundles = rig.door.bundles(began_s)
    await rig.lands()
    # What `status` shows may be a second old.
    await rig.grows(
        "happenings", "submissions", beyond=before["happenings"]["submissions"] + len(bundles) - 1
    )
    after = await rig.counts()
    replies = after["relay_replies"][reply] - before["relay_replies"][reply]
    print(f"{what}: {len(bundles)} bundles, {replies} {reply}")
    assert (await rig.status())["state"] == "RUNNING"
    await rig.whole()
    missed = missed_since(rig, began_wall_s, faulty_until_s)
    assert missed
    assert {each.reason for each in missed} <= {"victim_landed_without_us", "victim_not_landed"}


def missed_since(rig, since_s, until_s=math.inf):
    """Attempts planned in a time that missed."""
    return [each for each in rig.ledger().attempts(since_s, until_s) if each.outcome is Outcome.MISSED]
