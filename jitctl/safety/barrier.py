"""The submit barrier: while anyone holds it exclusively, no signed byte is on its way out.

The signer holds a shared `flock` on `submit.lock` from before it reads the latch and the pause flag until
the last byte is sent. Whoever stops it changes the latch or the flag first and then takes the lock
exclusively: from that moment every signer has either finished or will read the change. The kernel drops
the lock of a process that dies, so a crash never leaves it held.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from jitctl.errors import JitError, TimedOut
from jitctl.safety.durable import encode_record, read_record
from jitctl.safety.process_identity import ProcessIdentity

LOCK_NAME = "submit.lock"
PATIENCE_S = 1.0
"""How long the signer may finish by itself; it holds the lock for half of that at most."""
END_S = 0.3
RELEASE_S = 0.1
"""How long a killed signer may take to be gone, and then the kernel to drop its lock."""


class HeldBarrier:
    """A hold on the barrier; `release` (or leaving the `with` block) gives it back, twice is harmless."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> HeldBarrier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class Taken:
    """The barrier held exclusively, after `waited_s`; `killed` is the signer that had to be ended for it."""

    held: HeldBarrier
    waited_s: float
    killed: ProcessIdentity | None = None


class SubmitBarrier:
    """The barrier of one data folder; each hold is its own open file, so holds within a process count too."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / LOCK_NAME

    def try_shared(self) -> HeldBarrier | None:
        """Take it beside other signers; None at once if someone is stopping us. Raises `JitError`."""
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> HeldBarrier | None:
        """Take it alone; None at once if a signer, or another who stops it, holds it. Raises `JitError`."""
        return self._try(fcntl.LOCK_EX)

    def register_signer(self, signer: ProcessIdentity) -> None:
        """Note in the lock file whom to end if the barrier is not given back; call before first use."""
        try:
            descriptor = self._open()
            try:
                os.pwrite(descriptor, encode_record(dict(signer.as_dict())), 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._cannot(error) from error

    def signer(self) -> ProcessIdentity | None:
        """Return the registered signer, alive or not; None if none was ever registered."""
        return ProcessIdentity.from_dict(read_record(self.path))

    def take(
        self,
        *,
        patience_s: float = PATIENCE_S,
        end_s: float = END_S,
        kill: bool = True,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Taken:
        """Take it exclusively, ending the signer (SIGKILL) if it has not given it back in `patience_s`.

        Takes `patience_s + end_s + RELEASE_S` at most, hardly more than `patience_s` where SIGKILL works.
        Raises `TimedOut` if even then it stays held (`kill=False`: if it is held after `patience_s`), and
        `JitError` where the lock file cannot be opened. SIGTERM is no use: a stopped process keeps it.
        """
        began = monotonic_s()
        held = self._wait(began + patience_s, monotonic_s, sleep)
        if held is not None:
            return Taken(held, monotonic_s() - began)
        signer = self.signer() if kill else None
        if signer is not None and signer.pid != os.getpid():
            try:
                signer.kill(wait_s=end_s)
            except PermissionError as error:
                raise TimedOut(
                    f"the signer (pid {signer.pid}) holds the submit barrier and belongs to another user",
                    hint=f"run the command as its user or as root, or `sudo kill -9 {signer.pid}`",
                ) from error
            held = self._wait(monotonic_s() + RELEASE_S, monotonic_s, sleep)
            if held is not None:
                return Taken(held, monotonic_s() - began, signer)
        raise TimedOut(
            f"the submit barrier {self.path} is still held",
            hint=f"find the holder with `fuser {self.path}` and end it; the latch keeps it from signing anew",
        )

    def _wait(
        self, deadline_s: float, monotonic_s: Callable[[], float], sleep: Callable[[float], None]
    ) -> HeldBarrier | None:
        pause_s = 0.0002
        while True:
            held = self.try_exclusive()
            if held is not None or monotonic_s() >= deadline_s:
                return held
            sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.005)

    def _try(self, kind: int) -> HeldBarrier | None:
        try:
            while True:
                descriptor = self._open()
                try:
                    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                    if _same_file(descriptor, self.path):
                        return HeldBarrier(descriptor)
                    # Someone replaced the file: a lock on the old one keeps nobody out.
                    os.close(descriptor)
                except BlockingIOError:
                    os.close(descriptor)
                    return None
                except OSError:
                    os.close(descriptor)
                    raise
        except OSError as error:
            raise self._cannot(error) from error

    def _open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)

    def _cannot(self, error: OSError) -> JitError:
        return JitError(
            f"cannot use the submit barrier {self.path}: {error.strerror or error}",
            hint="check that the data folder is mounted, writable and owned by the daemon's user",
        )


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        ours, theirs = os.fstat(descriptor), path.stat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
