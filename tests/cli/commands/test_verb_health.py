"""health: alive is one thing, ready to trade another."""

from __future__ import annotations

import json
import os
import signal

from installation import eventually


def test_healthy_degraded_and_down(keeper, jitctl):
    healthy = jitctl("health", "--strict")
    assert (healthy.returncode, healthy.stdout.splitlines()[0]) == (0, "ok: test mode, RUNNING")
    keeper.client().call("pause")
    assert jitctl("health").returncode == 0
    degraded = jitctl("health", "--strict")
    assert (degraded.returncode, degraded.stdout.splitlines()[0]) == (10, "degraded: test mode, PAUSED")
    os.kill(keeper.engine_pid(), signal.SIGKILL)
    eventually(lambda: keeper.client().call("status")["state"] == "STOPPED", "the death is seen")
    down = jitctl("health", "-o", "json")
    assert (down.returncode, json.loads(down.stdout)["status"]) == (1, "down")


def test_health_of_nothing_is_3(installed, jitctl):
    assert jitctl("health").returncode == 3
