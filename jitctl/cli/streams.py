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
    for number, (name, kind) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, so this very one: those below are open by now.
            os.open(os.devnull, os.O_RDWR)
            # Like the other standard streams, it is for our children too.
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, kind, encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
