"""Where a file is as others see it: from the repository's root, which is where they look it up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jitctl.config.named import STDIN_NAME

ENV_WORKSPACE = "GITHUB_WORKSPACE"


def root_of(cwd: Path, environ: Mapping[str, str]) -> Path:
    """Return the root of the checkout: GitHub's own word, else the folder with `.git`, else `cwd`."""
    workspace = environ.get(ENV_WORKSPACE)
    if workspace and cwd.is_relative_to(workspace):
        return Path(workspace)
    return next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), cwd)


def from_root(name: str, root: Path, cwd: Path) -> str:
    """Return a file's path from the root with forward slashes; absolute where it is not below."""
    if name == str(STDIN_NAME):
        return name
    whole = Path(os.path.normpath(cwd / name))
    return (whole.relative_to(root) if whole.is_relative_to(root) else whole).as_posix()
