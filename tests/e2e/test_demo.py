"""The main job, end to end: what `jitctl demo -o json` prints, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jitctl.devnet.demo import DONATION


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("demo")
    return subprocess.run(
        [sys.executable, "-m", "jitctl", "demo", "-o", "json", "--plot", str(folder / "plot.png")],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "NO_COLOR": "1"},
    )


@pytest.fixture(scope="module")
def printed(run: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert run.returncode == 0, run.stderr[-4000:]
    return json.loads(run.stdout)


@pytest.mark.runbook("START-3", "START-5", "STOP-3", "DAY-9")
def test_at_least_ten_jits_land_and_every_one_is_proved_from_the_chain(printed: dict) -> None:
    assert len(printed["landed"]) >= 10
    assert [jit["problems"] for jit in printed["landed"]] == [[]] * len(printed["landed"])
    assert printed["proof"]["problems"] == []
    assert printed["proof"]["holds"] is True


def test_one_block_holds_two_jits_in_different_pools(printed: dict) -> None:
    pools_by_block: dict[int, set[str]] = {}
    for jit in printed["landed"]:
        pools_by_block.setdefault(jit["block"], set()).add(jit["pool"])
    assert max(map(len, pools_by_block.values())) >= 2


def test_the_donation_is_a_named_flow(printed: dict) -> None:
    donated = [flow for flow in printed["proof"]["flows"] if int(flow["amount"]) == DONATION[1]]
    assert [flow["kind"] for flow in donated] == ["donation"]


def test_what_must_not_be_taken_is_left_alone_with_its_reason(printed: dict) -> None:
    assert {"expired", "would_fail", "informed"} <= set(printed["skips"])
    assert {"too_small", "unprofitable"} & set(printed["skips"])


def test_the_summary_agrees_with_the_landed_jits(printed: dict) -> None:
    assert printed["dailySummary"]["successfulAttempts"] == len(printed["landed"])


def test_the_picture_is_there_and_nothing_else_is_left(
    run: subprocess.CompletedProcess[str], printed: dict
) -> None:
    plot = Path(printed["plot"])
    assert plot.read_bytes().startswith(b"\x89PNG")
    left = [path.name for path in plot.parent.iterdir() if path.name.startswith("jitctl-demo-")]
    assert left == []
    assert "Traceback" not in run.stderr
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(plot.parent) not in processes.replace(str(plot), "")
