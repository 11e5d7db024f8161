"""Stopping the signer from any process: change the file, hold the barrier, only then answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jitctl.errors import JitError, TimedOut
from jitctl.safety.barrier import END_S, PATIENCE_S, SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing is signed any more: `changed` is False if it already was so, `killed` is whom that took."""

    changed: bool
    waited_s: float
    killed: ProcessIdentity | None


def halt_now(data_dir: Path, who: str, why: str, now_s: float, *, patience_s: float = PATIENCE_S) -> Stopped:
    """Halt, and return once no signature can follow: at most `patience_s` and 0.4 s later.

    Works with the daemon dead, hung or stopped and with the disk full. Raises `TimedOut`, "requested, not
    confirmed", if the barrier stays held or the data folder cannot be changed. The barrier is tried in any
    case, so that a signer which hangs is ended even then.
    """
    return _stop("halt", data_dir, lambda latch: latch.halt(who, why, now_s), patience_s)


def pause_now(data_dir: Path, who: str, why: str, now_s: float, *, patience_s: float = PATIENCE_S) -> Stopped:
    """Raise the pause flag, and return once no signature can follow; as `halt_now`."""
    return _stop("pause", data_dir, lambda latch: latch.pause(who, why, now_s), patience_s)


def _stop(what: str, data_dir: Path, change: Callable[[Latch], bool], patience_s: float) -> Stopped:
    changed, failure = _changed(change, data_dir)
    barrier = SubmitBarrier(data_dir)
    try:
        taken = barrier.take(patience_s=patience_s)
    except JitError as error:
        raise _unconfirmed(what, (failure or error).message, error.hint) from error
    # A resume may have come between the file and the barrier; with the barrier held none does.
    with taken.held:
        again, failure = _changed(change, data_dir)
        changed = again or changed
    if failure is None:
        return Stopped(changed, taken.waited_s, taken.killed)
    # The file could not be changed: a signer that lives could sign again, so it must not live.
    signer = barrier.signer()
    if signer is None:
        raise _unconfirmed(what, failure.message, failure.hint)
    try:
        ended = not signer.is_alive() or (signer.pid != os.getpid() and signer.kill(wait_s=END_S))
    except PermissionError:
        ended = False
    told = "has been ended, but a new one would not know" if ended else "still runs"
    raise _unconfirmed(what, f"{failure.message}; the signer (pid {signer.pid}) {told}", failure.hint)


def _changed(change: Callable[[Latch], bool], data_dir: Path) -> tuple[bool, JitError | None]:
    try:
        return change(Latch(data_dir)), None
    except JitError as error:
        return False, error


def _unconfirmed(what: str, why: str, hint: str) -> TimedOut:
    return TimedOut(f"the {what} is requested, not confirmed: {why}", hint=hint)
