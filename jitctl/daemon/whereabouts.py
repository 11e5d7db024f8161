"""Where the event loop is, told to whoever asks with SIGUSR1: file names and lines, values never.

A thread waits for the signal and looks under the interpreter's lock. `faulthandler` looks without it, which
ends a process that runs on meanwhile: one signal in a few hundred did, with coroutines coming and going.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from typing import TextIO


def answer_sigusr1(stream: TextIO) -> None:
    """Write the calling thread's stack to `stream` for each SIGUSR1; call it before other threads start."""
    # Blocked here and, by inheritance, in every later thread: only the one that waits for it gets it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    watched = threading.get_ident()

    def answer() -> None:
        while True:
            signal.sigwait({signal.SIGUSR1})
            stream.write("\n".join(_stack(watched)) + "\n")
            stream.flush()

    threading.Thread(target=answer, name="whereabouts", daemon=True).start()


def _stack(thread: int) -> list[str]:
    frame = sys._current_frames().get(thread)
    found = traceback.walk_stack(frame) if frame is not None else ()
    places = [f'  File "{at.f_code.co_filename}", line {line} in {at.f_code.co_name}' for at, line in found]
    return ["Event loop (most recent call first):", *places]
