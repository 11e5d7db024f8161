"""What a verb does with the standard streams and the numbers that it is handed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# Nothing is well here, and the checks are painted where stdout is a terminal.
CLOSED = f"exec {sys.executable} -m jitctl morning-check --config-dir . "


@pytest.fixture
def place(tmp_path):
    (tmp_path / "jitctl.toml").write_text("[chain]\nchain_id = 1\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("closing", [">&-", "<&- >&-", ">&- 2>&- <&-", "2>&-"])
def test_closed_streams_leave_the_exit_code(place, closing):
    done = subprocess.run(["bash", "-c", CLOSED + closing], cwd=place, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("output", ["text", "json"])
def test_an_encoding_without_a_letter_is_no_defect(place, output):
    done = subprocess.run(
        [sys.executable, "-m", "jitctl", "validate-config", "gr\u00f6\u00dfe\u2026.toml", "-o", output],
        cwd=place, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (4, "")
    if output == "json":
        assert "gr\u00f6\u00dfe\u2026.toml" in str(json.loads(done.stdout))


@pytest.mark.parametrize(
    "args", [["preflight", "--timeout"], ["pause", "--wait", "--timeout"], ["validate-live", "--wait"]]
)
def test_nan_is_no_number_of_seconds(args, jitctl):
    refused = jitctl(*args, "nan")
    assert (refused.returncode, "no number of seconds" in refused.stderr) == (2, True)
