"""One keeper a folder: the lock that a daemon holds in its run folder from its first line to its last."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from jitctl.errors import JitError, Refused
from jitctl.safety import owned_lock
from jitctl.safety.durable import read_record
from jitctl.safety.process_identity import ProcessIdentity

LOCK_NAME = "keeper.lock"


@contextlib.contextmanager
def only_keeper(run: Path, mode: str) -> Generator[None]:
    """Hold the keeper lock; raises `Refused` naming who has it, `JitError` for an unusable folder."""
    path = run / LOCK_NAME
    try:
        run.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = owned_lock.take(path, f"started in mode {mode}", 0o640)
    except OSError as error:
        raise JitError(f"cannot use the folder {run}: {error.strerror or error}") from error
    if descriptor is None:
        raise taken(run, owned_lock.winner(path))
    try:
        yield
    finally:
        owned_lock.release(descriptor)


def keeper_of(run: Path) -> str | None:
    """Return who is the keeper of this folder: up, on its way up, or on its way down; None for nobody."""
    return owned_lock.owner(run / LOCK_NAME)


def keeper_process(run: Path) -> ProcessIdentity | None:
    """Return the process that last held the lock, alive or not."""
    return ProcessIdentity.from_dict(read_record(run / LOCK_NAME))


def taken(run: Path, owner: str) -> Refused:
    """Return the refusal that names the folder's keeper."""
    return Refused(
        f"another jitctl daemon is starting or stopping in {run}: {owner}",
        hint="look at it with: jitctl status",
    )
