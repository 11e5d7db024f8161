"""The engine's own tasks: bounded, named, ended with the engine, and never failing in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from jitctl.engine.events import Note, TaskFailed
from jitctl.engine.inbox import Inbox
from jitctl.errors import JitError, LedgerError


class Background:
    """Tasks by key; a key runs at most once at a time, so that a slow node cannot pile tasks up."""

    def __init__(self, inbox: Inbox, max_tasks: int = 256) -> None:
        self._inbox = inbox
        self._max_tasks = max_tasks
        self._tasks: dict[str, asyncio.Task[Note | None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def running(self, key: str) -> bool:
        return key in self._tasks

    def count(self, prefix: str) -> int:
        """Return how many tasks run whose key begins with `prefix`."""
        return sum(1 for key in self._tasks if key.startswith(prefix))

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, Note | None]]) -> bool:
        """Run `work()` unless its key runs already or there are too many; returns whether it was started.

        What it returns goes to the inbox once its key is free again.
        """
        if key in self._tasks or len(self._tasks) >= self._max_tasks:
            return False
        task = asyncio.create_task(work(), name=key)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return True

    def cancel(self, prefix: str) -> list[asyncio.Task[Note | None]]:
        """Cancel the tasks whose key begins with `prefix`; returns them, to be awaited."""
        tasks = [task for key, task in self._tasks.items() if key.startswith(prefix)]
        for task in tasks:
            task.cancel()
        return tasks

    async def end(self) -> None:
        """Cancel everything and wait for it."""
        await asyncio.gather(*self.cancel(""), return_exceptions=True)

    def _ended(self, key: str, task: asyncio.Task[Note | None]) -> None:
        del self._tasks[key]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            text = error.message if isinstance(error, JitError) else f"{type(error).__name__}: {error}"
            self._inbox.note(TaskFailed(key, text, isinstance(error, LedgerError)))
            return
        note = task.result()
        if note is not None:
            self._inbox.note(note)
