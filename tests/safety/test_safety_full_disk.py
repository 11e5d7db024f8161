"""Pausing and halting on a disk that takes nothing more: no blocks, no inodes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("full_disk_child.py")
MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]


def kinds() -> list[str]:
    """A file size limit works everywhere; a small file system where namespaces are allowed."""
    try:
        probe = subprocess.run([*MOUNT, "mount -t tmpfs tmpfs /tmp"], capture_output=True, timeout=20)
    except OSError:
        return ["limit"]
    return ["limit", "blocks", "inodes"] if probe.returncode == 0 else ["limit"]


@pytest.mark.parametrize("how", kinds())
def test_pause_and_halt_work(tmp_path: Path, how: str) -> None:
    run = [sys.executable, str(CHILD), how, str(tmp_path)]
    if how != "limit":
        mount = f"mount -t tmpfs -o size=64k,nr_inodes=16 tmpfs {tmp_path} && exec "
        run = [*MOUNT, mount + " ".join(run)]
    done = subprocess.run(run, capture_output=True, timeout=60, check=True)
    told = json.loads(done.stdout)
    # In-place writing is refused under the limit alone: there the latch moves and cannot say who moved it.
    who = told.pop("who")
    assert who == ("test" if how == "limit" else "ann")
    assert told == {"full": True, "pause": True, "paused": True, "halt": True, "armed": False}
