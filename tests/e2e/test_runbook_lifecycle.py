"""The runbook's startup, morning and shutdown, step by step as written there: by verb, and by curl.

Everything is a process of its own: the devnet with its users, the daemon, each command, curl. The devnet's
bot listens on the runbook's own port, 9090.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HTTP = "http://localhost:9090"
WAIT_S = 150.0
LOOK_S = 0.2


class Box:
    """The machine of an operator: a folder with a configuration, a shell, and a chain with users."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "NO_COLOR": "1",
            "JITCTL_LOCK_DIR": str(folder / "locks"),
            "JITCTL_CONFIG_DIR": str(folder / "config"),
        }

    def run(self, *argv: str, code: int = 0) -> str:
        """Run a command and return its stdout; it must end with `code`."""
        done = subprocess.run(
            argv, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=150
        )
        assert done.returncode == code, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def jitctl(self, *words: str, code: int = 0) -> dict[str, Any]:
        return json.loads(self.run(sys.executable, "-m", "jitctl", *words, "-o", "json", code=code))

    def passes(self, *words: str) -> dict[str, Any]:
        """Repeat a check until nothing failed and nothing stayed unknown, as on a machine that is busy."""

        def look() -> dict[str, Any] | None:
            argv = (sys.executable, "-m", "jitctl", *words, "-o", "json")
            done = subprocess.run(argv, cwd=self.folder, env=self.environment, capture_output=True, text=True)
            return json.loads(done.stdout) if done.returncode == 0 else None

        found: dict[str, Any] = self.until(f"{words[0]} passes", look)
        return found

    def socket(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the control socket with curl: GET, or POST where there is a body."""
        post = [] if body is None else ["-X", "POST", "-H", "Content-Type: application/json"]
        data = ["-d", json.dumps(body)] if body else []
        argv = ("curl", "-sS", "--fail-with-body", "--unix-socket", "run/jitctl.sock")
        return json.loads(self.run(*argv, *post, *data, f"http://jit{path}"))

    def curl(self, url: str) -> str:
        return self.run("curl", "-sS", "--fail-with-body", url)

    def rpc(self, method: str) -> Any:
        """Ask the node as the runbook does."""
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": [], "id": 1})
        url = json.loads((self.folder / "devnet.json").read_text())["rpcUrl"]
        post = ("curl", "-sS", "-X", "POST", "-H", "Content-Type: application/json", "--data", body)
        return json.loads(self.run(*post, url))["result"]

    def until(self, what: str, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(LOOK_S)
        raise AssertionError(
            f"not within {WAIT_S:g} s: {what}\n{self.run('tail', '-n', '20', 'logs/jit-bot.log')}"
        )

    def landed(self) -> int:
        status = self.socket("/api/status")
        return status["figures"].get("counts", {}).get("outcomes", {}).get("landed", 0)


@pytest.fixture
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Box]:
    found = Box(tmp_path / "net")
    found.folder.mkdir()
    seed = str(sum(map(ord, request.node.name)))
    print(f"devnet seed: {seed}")
    up = ("devnet", "up", "--dir", ".", "--detach", "--slot-seconds", "1", "--swaps", "6", "--seed", seed)
    found.jitctl(*up, "--http-port", "9090")
    try:
        yield found
    finally:
        subprocess.run(
            [sys.executable, "-m", "jitctl", "stop"], cwd=found.folder, env=found.environment, check=False
        )
        found.run(sys.executable, "-m", "jitctl", "devnet", "down", "--dir", ".")


def results(report: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["result"] for check in report["checks"]}


@pytest.mark.runbook("START-1", "START-2", "START-3", "START-4", "START-5", "DAY-1", "DAY-2", "DAY-4")
@pytest.mark.runbook("DAY-8", "PERF-1", "STOP-1", "STOP-2", "STOP-3", "STOP-4")
def test_by_verb(box: Box) -> None:
    # Safe Startup Procedure
    box.passes("check-node-sync")
    box.passes("preflight", "--timeout", "20")
    refused = subprocess.run(
        [sys.executable, "-m", "jitctl", "start", "--mode", "production", "--yes"],
        cwd=box.folder, env=box.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert (refused.returncode, "validate-live" in refused.stderr) == (9, True)
    started = box.jitctl("start", "--mode", "test")
    assert (started["mode"], started["state"]) == ("test", "RUNNING")
    validated = box.passes("validate-live", "--wait", "60")
    assert set(results(validated).values()) <= {"pass", "warn"}, validated
    switched = box.jitctl("start", "--mode", "production", "--yes", "--reason", "validated")
    assert (switched["mode"], switched["keeperPid"]) == ("production", started["keeperPid"])
    box.until("a JIT lands", box.landed)

    # Morning Checklist
    health = box.jitctl("health")
    assert (health["status"], health["live"], health["tradingReady"]) == ("ok", True, True)
    box.passes("check-node-sync")
    summary = box.jitctl("daily-summary")
    assert summary["successfulAttempts"] >= 1
    assert int(summary["netWei"]) > 0
    found = results(box.passes("morning-check"))
    assert {
        "health",
        "node-sync",
        "profit",
        "success-rate",
        "profit-to-gas",
        "latency",
        "error-rate",
        "pools",
    } <= set(found)
    assert all(pool["healthy"] for pool in box.jitctl("pool-status")["pools"])
    memory = box.jitctl("status")["memoryMb"]
    assert {name for name, size in memory.items() if size > 10} == {"keeper", "engine"}

    # Graceful Shutdown
    assert box.jitctl("pause", "--reason", "maintenance")["state"] == "PAUSED"
    waited = box.jitctl("pause", "--wait", "--timeout", "60")
    assert (waited["state"], waited["outstandingBundles"]) == ("PAUSED", 0)
    assert box.jitctl("stop")["state"] == "STOPPED"
    flat = box.jitctl("verify-no-open-positions")
    assert (flat["result"], flat["secondOpinion"]) == ("none", True)
    box.jitctl("stop")
    verbs = [(each["verb"], each["outcome"]) for each in box.jitctl("access-log")["records"]]
    assert (
        verbs.index(("start", "refused")) < verbs.index(("validate-live", "ok")) < verbs.index(("stop", "ok"))
    )


@pytest.mark.runbook("START-3", "START-4", "START-5", "DAY-1", "DAY-2", "DAY-4", "DAY-8", "TRB-8")
@pytest.mark.runbook("STOP-1", "STOP-2", "STOP-3", "STOP-4", "PERF-1")
def test_by_curl(box: Box) -> None:
    # Safe Startup Procedure: what answers is not there yet, so the first start is a verb.
    assert box.rpc("eth_syncing") is False
    assert int(box.rpc("eth_blockNumber"), 16) > 0
    box.jitctl("start", "--mode", "test")

    def validated() -> bool:
        return box.socket("/admin/validate-live", {})["result"] in ("pass", "warn")

    box.until("the test bot is proved", validated)
    switched = box.socket("/admin/start", {"mode": "production", "reason": "validated"})
    assert (switched["changed"], switched["state"]) == (True, "RUNNING")
    box.until("a JIT lands", box.landed)

    # Morning Checklist, on the port that the runbook names, and on the socket
    for ask in (lambda path: json.loads(box.curl(HTTP + path)), box.socket):
        health = ask("/health")
        assert (health["status"], health["state"]) == ("ok", "RUNNING")
        summary = ask("/api/daily-summary")
        assert summary["successfulAttempts"] >= 1
        assert 0 < summary["successRate"] <= 1
        assert summary["profitToGasRatio"] > 0
        stages = {row["stage"]: row for row in ask("/api/latency-breakdown")["stages"]}
        assert stages["seen_to_sent"]["p95Ms"] > 0
        pools = ask("/admin/pool-status")["pools"]
        assert pools
        assert all(pool["healthy"] for pool in pools)
        assert ask("/api/status")["memoryMb"]["engine"] > 10
    assert "jit_success_rate " in box.curl(HTTP + "/metrics")
    assert box.rpc("eth_syncing") is False

    # Graceful Shutdown
    for path in ("/admin/pause", "/admin/stop"):
        refused = box.run("curl", "-sS", "-X", "POST", HTTP + path)
        assert json.loads(refused)["error"]["code"] == "permission_denied"
    assert box.socket("/admin/pause", {"reason": "maintenance"})["state"] == "PAUSED"
    sent = box.socket("/api/status")["figures"]["counts"]["happenings"]["submissions"]

    def nothing_out() -> bool:
        figures = box.socket("/api/status")["figures"]
        return figures["outstandingBundles"] == 0 and not figures["openPositions"]

    box.until("nothing is in flight", nothing_out)
    assert box.socket("/api/status")["figures"]["counts"]["happenings"]["submissions"] == sent
    assert box.socket("/admin/stop", {"reason": "maintenance"})["state"] == "STOPPED"
    box.until("the daemon has ended", lambda: not (box.folder / "run" / "jitctl.sock").exists())
    assert box.jitctl("verify-no-open-positions")["result"] == "none"
