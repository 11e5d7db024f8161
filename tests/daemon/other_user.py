"""Processes of other users: an interpreter that a uid may run, and a keeper that is not root's.

The interpreter of the tests may lie where nobody else can read, as in root's home.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("ask_as.py").read_text()
LAUNCHER = """
import ctypes, os, sys
uid, gid, *groups = map(int, sys.argv[1].split(","))
libc = ctypes.CDLL(None, use_errno=True)
# It keeps the right to read everything, so that it can run our interpreter, and no other right of root.
READ, BYPASS = 2, 1
permitted = int(next(line for line in open("/proc/self/status") if line.startswith("CapPrm")).split()[1], 16)
kept = READ if permitted >> READ & 1 else BYPASS
libc.prctl(8, 1, 0, 0, 0)
os.setgroups(groups); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
bits = 1 << kept
if libc.capset(header, (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)) or libc.prctl(47, 2, kept, 0, 0):
    sys.exit(f"cannot keep a capability: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Person:
    """Whom a process runs as; `role` is what the keeper of a test should take them for."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    role: str = ""
    reaches_socket: bool = True

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Interpreter:
    path: str
    base_prefix: str
    libraries: str = ""

    def argv(self, script: str) -> list[str]:
        # Isolated, and without `site`: nothing of the tests' own environment comes in.
        return [self.path, "-I", "-S", "-c", script]

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}


def as_person(person: Person, argv: list[str], env: dict[str, str], stdin: str = "") -> str:
    """Run a program as somebody; returns its output."""
    user = {}
    if os.geteuid() == 0:
        user = {"user": person.uid, "group": person.gid, "extra_groups": list(person.groups)}
    found = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, cwd="/", env=env, timeout=120, check=True, **user
    )
    return found.stdout


@functools.cache
def interpreter_for(person: Person, spare: Path) -> Interpreter:
    """Return an interpreter that `person` can run: ours, the system's, else a copy of ours in `spare`."""
    names = [getattr(sys, "_base_executable", sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"]
    for name in names:
        if not Path(name).exists():
            continue
        probe = [name, "-I", "-S", "-c", "import json, os, socket, sys; print(sys.base_prefix)"]
        expected = subprocess.run(probe, capture_output=True, text=True, check=True, env={}).stdout.strip()
        try:
            if as_person(person, probe, {}).strip() == expected:
                return Interpreter(name, expected)
        except (OSError, subprocess.CalledProcessError):
            continue
    return copied_interpreter(spare)


@functools.cache
def copied_interpreter(spare: Path) -> Interpreter:
    """Return a copy of our base interpreter and its standard library, readable by everybody."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    left_out = shutil.ignore_patterns(
        "site-packages", "test", "__pycache__", "idlelib", "tkinter", "ensurepip", "config-*", "lib2to3"
    )
    shutil.copytree(base / "lib" / version, spare / "lib" / version, ignore=left_out)
    for library in (base / "lib").glob(f"lib{version}*.so*"):
        shutil.copy(library, spare / "lib")
    (spare / "bin").mkdir()
    shutil.copy(getattr(sys, "_base_executable", sys.executable), spare / "bin" / version)
    for path in (spare, *spare.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    return Interpreter(str(spare / "bin" / version), str(spare), str(spare / "lib"))


def launcher(person: Person) -> list[str]:
    """Return the words before a command line that make it somebody's, who may still read all files."""
    if os.geteuid() != 0:
        return []
    return [sys.executable, "-c", LAUNCHER, ",".join(map(str, (person.uid, person.gid, *person.groups)))]


def ask(person: Person, spare: Path, question: dict[str, object]) -> dict[str, object]:
    """Return what `ask_as.py` found, run by an interpreter of the person's own."""
    python = interpreter_for(person, spare)
    asked = json.dumps({**question, "interpreter": python.path})
    found = json.loads(as_person(person, python.argv(SCRIPT), python.environment, asked))
    assert found["basePrefix"] == python.base_prefix
    assert found["mayRunInterpreter"] is True
    if os.geteuid() == 0:
        assert (found["uid"], found["gid"], sorted(found["groups"])) == (
            person.uid, person.gid, sorted(person.groups),
        )  # fmt: skip
    return found
