"""Run one check from a command line that must end when the check does.

A name that does not resolve keeps a thread of the system's resolver for many seconds; nothing can stop it,
and both `asyncio.run` and the interpreter would wait for it before the exit code is given.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(check: Coroutine[Any, Any, T]) -> T:
    """Return what `check` returns, as `asyncio.run` does, without waiting for its threads."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_Abandoned())
        return runner.run(check)


class _Abandoned(ThreadPoolExecutor):
    """A thread for each call, which dies with the process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # whoever waits for the future is told, whatever it was
                future.set_exception(error)

        threading.Thread(target=work, daemon=True, name="check").start()
        return future
