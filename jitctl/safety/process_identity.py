"""Who a process is, so that a number which the kernel has handed out again is never signalled by mistake."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

_GONE = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process of this boot: its number, its start time in clock ticks since boot, and the boot's id."""

    pid: int
    start_ticks: int
    boot_id: str

    @classmethod
    def current(cls) -> ProcessIdentity:
        """Return the calling process; RuntimeError where `/proc` is not mounted."""
        found = cls.of(os.getpid())
        if found is None:
            raise RuntimeError("/proc does not show this process; jitctl needs Linux with /proc mounted")
        return found

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of the process that has this number now; None if none runs (or a zombie)."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        # The command name in brackets may hold spaces and brackets: fields count from the last one.
        fields = stat[stat.rfind(")") + 2 :].split()
        if fields[0] in _GONE:
            return None
        return cls(pid, int(fields[19]), boot_id)

    @classmethod
    def from_dict(cls, data: object) -> ProcessIdentity | None:
        """Return the identity that `as_dict` wrote; None if `data` is anything else."""
        if not isinstance(data, dict):
            return None
        pid, ticks, boot = data.get("pid"), data.get("start_ticks"), data.get("boot_id")
        if isinstance(pid, int) and pid > 0 and isinstance(ticks, int) and isinstance(boot, str):
            return cls(pid, ticks, boot)
        return None

    def as_dict(self) -> dict[str, int | str]:
        return asdict(self)

    def is_alive(self) -> bool:
        """Whether this very process still runs (a stopped one does, a zombie does not)."""
        return ProcessIdentity.of(self.pid) == self

    def kill(self, *, wait_s: float = 1.0, signum: int = signal.SIGKILL) -> bool:
        """Signal exactly this process and wait for its end; True if it is gone, False if it still runs.

        The descriptor is opened first and the identity compared after: from then on the number may be
        handed to another process, but the descriptor cannot. PermissionError if it is someone else's.
        """
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if not self.is_alive():
                return True
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signum)
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(wait_s * 1000)) or not self.is_alive()
        finally:
            os.close(descriptor)
