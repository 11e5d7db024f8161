"""Whole processes of the command line, as an operator starts them, beside a bare interpreter.

Every command has one turn in each round, so that whatever else the machine does falls on all alike. The
keeper and its engine double are processes of their own and idle in between.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.live_bot import REPOSITORY, Row, row
from tests.daemon.installation import running_keeper

ROUNDS = int(os.environ.get("JITCTL_BENCH_RUNS", "25"))
SCRIPT = Path(sys.executable).with_name("jitctl")
COMPLETE = {
    "_JITCTL_COMPLETE": "complete_bash", "COMP_WORDS": "jitctl pa", "COMP_CWORD": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """One command line: what its stdout must hold, and how long it may take."""

    name: str
    argv: Sequence[str]
    expected: str = ""
    goal: str = ""
    env: dict[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Run:
    wall_ms: float
    cpu_ms: float


def rows() -> list[Row]:
    """Return the rows of the benchmark report."""
    with tempfile.TemporaryDirectory() as folder:
        _check_tree(Path(folder))
        with running_keeper(Path(folder)):
            commands = _commands()
            for command in commands:
                _run(command, Path(folder))
            runs: dict[str, list[Run]] = {command.name: [] for command in commands}
            for _ in range(ROUNDS):
                for command in commands:
                    runs[command.name].append(_run(command, Path(folder)))
    return [_row(command, runs[command.name]) for command in commands]


def _commands() -> list[Command]:
    jitctl, python = str(SCRIPT), sys.executable
    return [
        Command("python -c pass", (python, "-c", "pass"), note="the floor"),
        Command("python -c 'import typer'", (python, "-c", "import typer"), note="the library's share"),
        Command("jitctl --help", (jitctl, "--help"), "Lifecycle:", "200"),
        # Each pause is a real one: the resume of the same round takes it back.
        Command("jitctl pause", (jitctl, "pause", "--reason", "benchmark"), "paused", "120"),
        Command("jitctl status -o json", (jitctl, "status", "-o", "json"), '"state": "PAUSED"'),
        Command("jitctl resume --yes", (jitctl, "resume", "--yes"), "resumed"),
        Command("jitctl health", (jitctl, "health"), "engine"),
        Command("completion of a verb", (jitctl,), "pause", "100", COMPLETE),
        Command(
            "completion of an option", (jitctl,), "--reason", "100",
            COMPLETE | {"COMP_WORDS": "jitctl pause --re", "COMP_CWORD": "2"},
        ),
        Command("python -m jitctl pause", (python, "-m", "jitctl", "pause"), "paused"),
        Command("python -m jitctl resume --yes", (python, "-m", "jitctl", "resume", "--yes"), "resumed"),
    ]  # fmt: skip


def _check_tree(folder: Path) -> None:
    """What is measured must be this tree: the console script loads what the interpreter finds."""
    asked = [sys.executable, "-c", "import jitctl; print(jitctl.__file__)"]
    found = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(REPOSITORY)), f"{found.strip()} is measured; set PYTHONPATH to {REPOSITORY}"
    assert SCRIPT.exists(), f"no console script {SCRIPT}"


def _run(command: Command, folder: Path) -> Run:
    """Run one process from its start to its end, as a shell does."""
    # An installed program is compiled; the first run compiles this one, whatever the caller's environment.
    env = {**os.environ, "NO_COLOR": "1", "PYTHONPYCACHEPREFIX": str(folder / "compiled"), **command.env}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    process = subprocess.Popen(
        command.argv, cwd=folder, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as pipe:
        out = pipe.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall_ms = (time.perf_counter() - began) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0 and command.expected in out, (command.name, process.returncode, out)
    return Run(wall_ms, (usage.ru_utime + usage.ru_stime) * 1000)


def _row(command: Command, runs: list[Run]) -> Row:
    cpu_ms = statistics.median(run.cpu_ms for run in runs)
    notes = [f"processor time {cpu_ms:.0f} ms", *([command.note] if command.note else [])]
    return row(command.name, [run.wall_ms for run in runs], "ms", command.goal, "; ".join(notes))
