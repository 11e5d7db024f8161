"""access-log: through a real keeper, after its death, and of a trail that somebody changed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from installation import environment, eventually

from jitctl.errors import UsageError


@pytest.mark.runbook("SEC-3")
def test_who_did_what_is_told_also_when_the_daemon_is_dead(keeper, jitctl):
    assert jitctl("pause", "--reason", "something odd").returncode == 0
    assert jitctl("resume", "--yes", "--reason", "it was nothing").returncode == 0
    # Refused at the TCP door, which knows nobody.
    assert [keeper.ask_tcp("POST /admin/stop")[0] for _ in range(5)] == [403] * 5
    with pytest.raises(UsageError):
        keeper.client().call("pause", body={"raeson": "x"})
    eventually(
        lambda: any(each["outcome"] == "permission_denied" for each in keeper.audit()), "it is recorded"
    )
    keeper.process.kill()
    keeper.process.wait(10)

    told = jitctl("access-log", "--since", "1h", "-o", "json")
    assert told.returncode == 0
    found = json.loads(told.stdout)
    assert found["chain"] == "intact"
    shown = [(each["verb"], each["outcome"], each["why"]) for each in found["entries"]]
    assert ("pause", "ok", "something odd") in shown
    assert ("resume", "ok", "it was nothing") in shown
    refused = [each for each in found["entries"] if each["outcome"] == "permission_denied"]
    assert {(each["verb"], each["door"], each["who"]) for each in refused} == {("stop", "tcp", "unknown")}
    assert sum(1 + each["leftOut"] for each in refused) <= 5
    assert found["anomalies"]["denied"] == len(refused)

    text = jitctl("access-log").stdout
    assert text.startswith(f"chain: intact, {found['records']} records\n")
    assert "RUNNING -> PAUSED" in text
    assert [line[0] for line in text.splitlines() if "permission_denied" in line] == ["!"] * len(refused)
    assert "something odd" not in jitctl("access-log", "--denied").stdout

    trail = keeper.base / "data" / "audit.jsonl"
    trail.write_text(trail.read_text().replace("something odd", "something fine"))
    broken = jitctl("access-log")
    assert (broken.returncode, broken.stdout.startswith("chain: BROKEN at line 2:")) == (1, True)


def test_a_folder_without_a_trail_is_empty_and_done(installed, jitctl):
    found = jitctl("access-log")
    assert (found.returncode, "absent" in found.stdout, "no records yet" in found.stdout) == (0, True, True)


def test_wrong_options_are_2(installed, jitctl):
    assert jitctl("access-log", "--since", "soon").returncode == 2
    assert jitctl("access-log", "--limit", "0").returncode == 2


def test_text_of_somebody_else_cannot_steer_the_terminal(keeper, jitctl):
    keeper.client().call("pause", body={"reason": "\x1b[2J\nchain: intact"})
    text = jitctl("access-log").stdout
    assert "\x1b" not in text
    assert sum(line.startswith("chain:") for line in text.splitlines()) == 1


def test_a_trail_that_may_not_be_read_is_6(installed):
    trail = installed / "data" / "audit.jsonl"
    trail.parent.mkdir()
    trail.touch()
    trail.chmod(0o000)
    # As root one may read everything: the right to do so is given up first, where there is one.
    give_up = "import ctypes, sys, os, runpy\n" + (
        "h = (ctypes.c_uint32 * 2)(0x20080522, 0); ctypes.CDLL(None).capset(h, (ctypes.c_uint32 * 6)())\n"
    )
    code = f"{give_up}sys.argv = ['jitctl', 'access-log']\nrunpy.run_module('jitctl', run_name='__main__')"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, "you may not read" in found.stderr) == (6, True), found
