"""Command lines as an operator runs them: whole processes, and a keeper over an engine double."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
from installation import environment, running_keeper, write_config

from jitctl.safety.durable import read_record
from jitctl.safety.process_identity import ProcessIdentity


@pytest.fixture
def keeper(tmp_path):
    with running_keeper(tmp_path) as running:
        yield running


@pytest.fixture
def jitctl(tmp_path):
    """Return a function that runs one `jitctl` process in the test's own folder."""

    def run(*args, behaviour="", input="", env=None, timeout=120):
        return subprocess.run(
            [sys.executable, "-m", "jitctl", *map(str, args)],
            cwd=tmp_path,
            env={**environment(behaviour), "XDG_STATE_HOME": str(tmp_path / "state"), **(env or {})},
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def installed(tmp_path, jitctl):
    write_config(tmp_path)
    yield tmp_path
    jitctl("stop")
    left = ProcessIdentity.from_dict(read_record(tmp_path / "run" / "jitctl.pid"))
    if left is not None:
        left.kill()
