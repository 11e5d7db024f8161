"""demo: what it refuses before it starts anything (the run itself is tests/e2e/test_demo.py)."""

from __future__ import annotations

import json


def test_a_picture_of_an_unknown_kind_is_refused(jitctl, tmp_path):
    found = jitctl("demo", "--plot", tmp_path / "plot.gif", "-o", "json")
    assert found.returncode == 2
    assert json.loads(found.stderr)["error"]["code"] == "usage"


def test_a_folder_with_something_in_it_is_refused(jitctl, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    found = jitctl("demo", "--dir", tmp_path / "mine")
    assert found.returncode == 2
    assert "not empty" in found.stderr
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep me"
