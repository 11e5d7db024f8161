"""The examples of docs/ci.md: their YAML parses, their commands leave as promised, their hook refuses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.daemon.installation import POOLS_TOML, environment, write_config

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ci.md").read_text()
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
(HOOK,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
BROKEN = POOLS_TOML.replace("tick_spacing", "tick_spaceing")


def commands(node: Any) -> Iterator[str]:
    """Yield every command line of ours in a parsed document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("run", "script", "entry"):
                for line in [value] if isinstance(value, str) else value:
                    if line.startswith("jitctl "):
                        yield line
            else:
                yield from commands(value)
    elif isinstance(node, list):
        for each in node:
            yield from commands(each)


COMMANDS = [line for block in YAML for line in commands(yaml.safe_load(block))]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a configuration, and `jitctl` on the path."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "jitctl").write_text(f'#!/bin/sh\nexec {sys.executable} -m jitctl "$@"\n')
    (tools / "jitctl").chmod(0o755)
    write_config(tmp_path / "repo")
    return tmp_path / "repo"


def run(line: str, place: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = environment() | {"PATH": f"{place.parent / 'tools'}:{os.environ['PATH']}"}
    env |= {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        ["sh", "-c", line, "sh", *args], cwd=place, env=env, capture_output=True, text=True, check=False
    )


def test_the_documents_hold_what_they_are_for() -> None:
    github, gitlab, local = (yaml.safe_load(block) for block in YAML)
    steps = github["jobs"]["validate"]["steps"]
    written = next(step["run"] for step in steps if "sarif" in step.get("run", ""))
    uploaded = next(step for step in steps if "upload-sarif" in step.get("uses", ""))
    assert written.endswith("> " + uploaded["with"]["sarif_file"])
    job = gitlab["validate-config"]
    assert job["script"][-1].endswith("> " + job["artifacts"]["reports"]["junit"])
    assert local["repos"][0]["hooks"][0]["entry"] == "jitctl validate-config"
    assert len(COMMANDS) == 4


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_leaves_as_promised(line: str, place: Path) -> None:
    # pre-commit appends the names of the files.
    given = f"{line} config/pools.toml" if line.endswith("validate-config") else line
    good = run(given, place)
    assert good.returncode == 0, good.stderr
    write_config(place, pools=BROKEN)
    bad = run(given, place)
    assert bad.returncode == 4, bad.stderr
    written = (place / line.rpartition("> ")[2]).read_text() if "> " in line else bad.stdout
    assert "JC101" in written


def test_the_hook_of_this_repository() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "jitctl validate-config"
    assert f"`{hook['id']}`" in TEXT
    names = ["config/pools.toml", "jitctl.json", "a/b/strategy.toml", "alerts.toml"]
    assert all(re.search(hook["files"], name) for name in names)
    assert not any(re.search(hook["files"], name) for name in ("pyproject.toml", "config/pools.md"))


def test_the_git_hook_judges_what_is_staged(place: Path) -> None:
    assert run("git init -q . && git add -A && git commit -qm one", place).returncode == 0
    hook = place / ".git" / "hooks" / "pre-commit"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    write_config(place, pools=BROKEN)
    assert run("git add -A", place).returncode == 0
    write_config(place)  # the work tree is right again, what is staged is not
    refused = run("git commit -qm two", place)
    assert refused.returncode == 1, refused.stderr
    assert "config/pools.toml:8:1: JC101" in refused.stdout + refused.stderr
    assert run("git add -A && git commit -qm three --allow-empty", place).returncode == 0
