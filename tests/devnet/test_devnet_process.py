"""The devnet as a process: up, down, status, swap; nothing is left behind, however it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def jitctl(tmp_path):
    def run(*args, check=None):
        done = subprocess.run(
            [sys.executable, "-m", "jitctl", "devnet", *map(str, args)],
            capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
        )  # fmt: skip
        if check is not None:
            assert done.returncode == check, (done.stdout, done.stderr)
        return done

    return run


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def wait_gone(pids, limit_s=10):
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(limit_s * 1000), f"{pid} still runs"
        os.close(descriptor)


@pytest.fixture
def running(jitctl, tmp_path):
    folder = tmp_path / "net"
    up = json.loads(
        jitctl("up", "--dir", folder, "--detach", "--slot-seconds", "0", "-o", "json", check=0).stdout
    )
    yield folder, up
    jitctl("down", "--dir", folder)


def test_the_round_of_verbs(jitctl, running):
    folder, up = running
    again = jitctl("up", "--dir", folder, "--detach", "-o", "json", check=0)
    assert json.loads(again.stdout)["pid"] == up["pid"]
    assert "already running" in again.stderr
    status = json.loads(jitctl("status", "--dir", folder, "-o", "json", check=0).stdout)
    assert (status["running"], status["pid"], status["pendingTransactions"]) == (True, up["pid"], 0)
    for router in ("v3", "02", "universal"):
        sent = json.loads(
            jitctl(
                "swap", "--dir", folder, "--pool", "WETH/USDC-0.05%", "--amount-in", "1.5",
                "--router", router, "-o", "json", check=0,
            ).stdout
        )  # fmt: skip
        assert sent["amount"] == str(15 * 10**17)
    bought = jitctl("swap", "--dir", folder, "--pool", "WETH/WBTC-0.3%", "--amount-out", "0.1", check=0)
    assert "0.1 WBTC for at most" in bought.stdout
    assert json.loads(jitctl("status", "--dir", folder, "-o", "json").stdout)["pendingTransactions"] == 4
    assert (
        "WETH/USDC-0.05%"
        in jitctl("swap", "--dir", folder, "--pool", "X", "--amount-in", "1", check=2).stderr
    )
    jitctl("swap", "--dir", folder, "--pool", "WETH/USDC-0.05%", check=2)
    jitctl("swap", "--dir", folder, "--pool", "WETH/USDC-0.05%", "--amount-in", "-1", check=2)
    jitctl("swap", "--dir", folder, "--pool", "WETH/USDC-0.05%", "--amount-in", "1e-30", check=2)
    family = [up["pid"], *children(up["pid"])]
    assert len(family) == 2
    jitctl("down", "--dir", folder, check=0)
    wait_gone(family)
    assert not (folder / "devnet.json").exists()
    assert (folder / "config" / "jitctl.toml").exists()
    jitctl("down", "--dir", folder, check=0)
    jitctl("status", "--dir", folder, check=3)
    jitctl("swap", "--dir", folder, "--pool", "WETH/USDC-0.05%", "--amount-in", "1", check=3)


def test_anvil_does_not_outlive_a_killed_devnet(jitctl, running):
    folder, up = running
    family = [up["pid"], *children(up["pid"])]
    os.kill(up["pid"], signal.SIGKILL)
    wait_gone(family)
    jitctl("status", "--dir", folder, check=3)
    jitctl("up", "--dir", folder, "--detach", "--slot-seconds", "0", check=0)


def test_a_foreground_devnet_ends_on_sigint(tmp_path):
    folder = tmp_path / "net"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jitctl",
            "devnet",
            "up",
            "--dir",
            str(folder),
            "--slot-seconds",
            "0.5",
            "--swaps",
            "2",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "http://127.0.0.1" in process.stdout.readline()
    family = children(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    wait_gone(family)
    assert not (folder / "devnet.json").exists()


def test_a_taken_port_is_an_error_with_the_log(jitctl, running):
    folder, up = running
    port = up["rpcUrl"].rsplit(":", 1)[1].strip("/")
    done = jitctl("up", "--dir", f"{folder}-other", "--detach", "--port", port, check=1)
    assert "is taken" in done.stderr
