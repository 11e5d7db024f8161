"""The standard streams as every verb can rely on them, whatever the caller handed over."""

from __future__ import annotations

import io
import os
import sys


def mend_streams() -> None:
    """Open closed standard streams on the null device, and let stdout replace what its encoding lacks.

    A cron line may close stdout to keep the exit code alone; unfilled, its number would go to the next
    socket, and Python has None in place of the stream.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, so this very one: those below are open by now.
            os.open(os.devnull, os.O_RDWR)
            # Like the other standard streams, it is for our children too.
            os.set_inheritable(number, True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
