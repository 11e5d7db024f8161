"""Stopping the signer from any process: change the file, hold the barrier, only then answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jitctl.errors import JitError
from jitctl.safety.barrier import PATIENCE_S, SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing is signed any more: `changed` is False if it already was so, `killed` is whom that took."""

    changed: bool
    waited_s: float
    killed: ProcessIdentity | None


def halt_now(data_dir: Path, who: str, why: str, now_s: float, *, patience_s: float = PATIENCE_S) -> Stopped:
    """Halt, and return once no signature can follow: at most about two `patience_s` later.

    Works with the daemon dead, hung or stopped and with the disk full. Raises `TimedOut` if the barrier
    stays held and `JitError` if the data folder cannot be changed; the barrier is tried in any case, so
    that a signer which hangs is ended even then.
    """
    return _stop(data_dir, lambda latch: latch.halt(who, why, now_s), patience_s)


def pause_now(data_dir: Path, who: str, why: str, now_s: float, *, patience_s: float = PATIENCE_S) -> Stopped:
    """Raise the pause flag, and return once no signature can follow; as `halt_now`."""
    return _stop(data_dir, lambda latch: latch.pause(who, why, now_s), patience_s)


def _stop(data_dir: Path, change: Callable[[Latch], bool], patience_s: float) -> Stopped:
    failure: JitError | None = None
    changed = False
    try:
        changed = change(Latch(data_dir))
    except JitError as error:
        failure = error
    barrier = SubmitBarrier(data_dir)
    taken = barrier.take(patience_s=patience_s)
    taken.held.release()
    if failure is not None:
        # The file could not be changed: a signer that lives could sign again, so it must not live.
        signer = barrier.signer()
        if signer is not None and signer.is_alive():
            signer.kill(wait_s=patience_s)
        raise failure
    return Stopped(changed, taken.waited_s, taken.killed)
