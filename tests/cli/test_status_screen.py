"""The live screen: one line a row, whatever the terminal's size, and never less than what went wrong."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from jitctl.cli.status_screen import Screen
from jitctl.errors import DaemonNotRunning

STATUS = {
    "state": "PAUSED", "mode": "production", "chainId": 31337, "tradingReady": False, "armed": True,
    "who": "anna", "reason": "node maintenance \x1b[31m", "sinceS": 1.0, "uptimeS": 61.0,
    "crisisLevel": "medium", "crisisWho": "anna", "crisisReason": "gas", "crisisSinceS": 1.0,
    "headNumber": 7, "headAgeS": 0.4, "memoryMb": {"keeper": 50.0, "engine": 60.0},
    "engine": {"alive": True, "responsive": True},
    "history": {"seen_to_sent": [1.0, 2.0, 3.0]},
    "recent": [
        {"time": "2026-01-31T08:00:00.000Z", "level": "error", "event": f"event_{n}", "text": "x" * 300}
        for n in range(9)
    ],
    "figures": {
        "outstandingBundles": 1, "queues": {"pending": 3},
        "nodes": [{"name": "door", "usable": False, "lastError": "refused " * 20, "latencyMs": 2.0}],
        "relays": {"one": {"accepted": 3, "timed_out": 1, "warmed": 4}},
        "stages": {
            name: {"p50_ms": 1.0, "p95_ms": 22.0, "p99_ms": 1234.5}
            for name in ("decode", "evaluate", "simulate", "sign", "commit", "submit", "seen_to_sent")
        },
        "counts": {
            "outcomes": {"landed": 4, "missed": 1, "reverted": 0, "abandoned": 2},
            "happenings": {"pending_seen": 12345, "pending_understood": 99, "pending_dropped": 0},
        },
    },
}  # fmt: skip
POOLS = {
    "pools": [
        {
            "name": f"WETH/USDC-0.{n:02}%",
            "enabled": True,
            "healthy": n != 11,
            "reason": "the node's figures differ" if n == 11 else "",
            "price": "2432.86 USDC",
            "landedToday": 1,
            "attemptsToday": 2,
        }
        for n in range(12)
    ]
}
TODAY = {"netWei": "1000000000000000000", "successfulAttempts": 1, "totalAttempts": 2}


def _drawn(width, height, screen):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(screen)
    return [line.rstrip() for line in captured.get().rstrip("\n").split("\n")]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (150, 50), (80, 12)])
def test_a_frame_fits_and_says_what_matters_first(width, height):
    lines = _drawn(width, height, Screen(STATUS, POOLS, TODAY))
    assert len(lines) <= max(height, 16)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for said in ("PAUSED", "by anna: node maintenance \\x1b", "crisis level medium", "not ready to trade",
                 "block 7, 0.4 s old", "3 accepted, 1 timed out", "80.0% of 5 sent", "event_8"):  # fmt: skip
        assert said in text, said
    if height >= 24:
        assert "to sent" in text
        assert "11 of 12 healthy" in text
        assert "NO" in text, "an unhealthy pool was cut away"


def test_a_lost_daemon_is_said_above_its_last_figures():
    lost = DaemonNotRunning("no daemon listens on run/s", hint="start it")
    text = "\n".join(_drawn(100, 40, Screen(STATUS, POOLS, TODAY, lost=lost, lost_s=12.0)))
    assert text.index("no daemon listens") < text.index("what it said 12 s ago") < text.index("PAUSED")


def test_a_frame_of_nothing_known_is_drawn():
    text = "\n".join(_drawn(80, 24, Screen({"state": "STOPPED"}, None, None)))
    for said in ("STOPPED", "the engine is not running", "pools: unknown", "nothing timed yet"):
        assert said in text
