"""What `validate-config` judges: single files, each beside the others of its folder."""

from __future__ import annotations

from pathlib import Path

from jitctl.config.load import examine
from jitctl.config.problems import Problem
from jitctl.config.source import STEMS, read_text


def check_file(path: Path, kind: str | None = None) -> list[Problem]:
    """Validate one file by its own shape; `kind` defaults to the file's stem."""
    stem = kind or path.name.split(".")[0]
    if stem not in STEMS:
        known = ", ".join(STEMS)
        return [Problem("JC005", str(path), 1, 1, "", f"cannot tell which file this is (known: {known})")]
    text = read_text(path)
    return [text] if isinstance(text, Problem) else examine({stem: text}).problems
