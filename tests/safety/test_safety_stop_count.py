"""What lies where the stops are counted: nobody waits for it, and nobody else's file is written to."""

from __future__ import annotations

import os

import pytest

from jitctl.errors import Refused
from jitctl.safety.stop_count import FILE_NAME, count_stop, require_no_stop_since, stops


def test_every_stop_is_counted(tmp_path):
    assert stops(tmp_path) == 0
    assert count_stop(tmp_path)
    require_no_stop_since(tmp_path, 1)
    count_stop(tmp_path)
    assert stops(tmp_path) == 2
    with pytest.raises(Refused, match="told to stop"):
        require_no_stop_since(tmp_path, 1)


@pytest.mark.parametrize("kind", ["pipe", "symlink", "hard link", "folder", "no run folder"])
def test_what_is_no_count_neither_holds_a_stop_up_nor_is_written(tmp_path, kind):
    run, other = tmp_path / "run", tmp_path / "other"
    other.write_text("somebody else's")
    if kind != "no run folder":
        run.mkdir()
    match kind:
        case "pipe":
            os.mkfifo(run / FILE_NAME)
        case "symlink":
            (run / FILE_NAME).symlink_to(other)
        case "hard link":
            (run / FILE_NAME).hardlink_to(other)
        case "folder":
            (run / FILE_NAME).mkdir()
    seen = stops(run)
    assert not count_stop(run)
    assert (stops(run), other.read_text()) == (seen, "somebody else's")
