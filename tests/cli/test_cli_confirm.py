"""Confirmations: on a terminal, naming chain and executor; only the whole word goes on."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from installation import environment, running_keeper

EXECUTOR = "0x" + "33" * 20
PLACE = f"chain 31337 through executor {EXECUTOR}"


def _typed(folder, word, *args):
    """Run one `jitctl` whose stdin is a terminal on which `word` is typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{word}\n".encode())
        return subprocess.run(
            [sys.executable, "-m", "jitctl", *args],
            cwd=folder,
            env=environment(),
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_resume_in_production_names_chain_and_executor_and_wants_its_word(tmp_path):
    with running_keeper(tmp_path, mode="production") as keeper:
        keeper.client().call("pause", body={"reason": "look"})
        unsure = _typed(tmp_path, "yes", "resume")
        assert (unsure.returncode, PLACE in unsure.stderr) == (1, True)
        assert "not confirmed; nothing was done" in unsure.stderr
        assert keeper.client().call("status")["state"] == "PAUSED"
        sure = _typed(tmp_path, "resume", "resume", "-o", "json")
        assert (sure.returncode, PLACE in sure.stderr) == (0, True)
        assert keeper.client().call("status")["state"] == "RUNNING"


def test_a_halt_is_cleared_on_its_word(tmp_path):
    with running_keeper(tmp_path, behaviour="halted", mode="production") as keeper:
        found = _typed(tmp_path, "clear-halt", "clear-halt", "--reason", "looked at")
        assert (found.returncode, PLACE in found.stderr) == (0, True)
        assert keeper.client().call("status")["state"] == "PAUSED"


def test_a_start_in_production_names_what_the_file_says(installed, jitctl):
    found = _typed(installed, "no", "start", "--mode", "production")
    assert (found.returncode, PLACE in found.stderr) == (1, True)
    (installed / "config" / "jitctl.toml").write_text("[chain\n")
    broken = _typed(installed, "no", "start", "--mode", "production")
    assert "chain unknown through executor unknown" in broken.stderr


def test_stopping_never_asks(tmp_path, jitctl):
    with running_keeper(tmp_path, mode="production"):
        for words in (("pause", "--wait"), ("stop",)):
            assert jitctl(*words).returncode == 0
