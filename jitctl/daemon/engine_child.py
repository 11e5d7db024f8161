"""The engine as its keeper holds it: a child process, a link, its last figures, how quickly it answers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from jitctl.control.schema import ActionReply
from jitctl.daemon.link import Command, Failed, Figures, Link, LogLine, Reply, error_of
from jitctl.errors import JitError, LinkClosed, TimedOut
from jitctl.safety.barrier import END_S
from jitctl.safety.process_identity import ProcessIdentity

PING_EVERY_S = 1.0
PING_LIMIT_S = 2.0
SETTLED = frozenset({"RUNNING", "PAUSED", "HALTED"})
STDERR_LINES_KEPT = 20


class EngineChild:
    """One engine process, from spawn to exit. `on_log(line)` gets its log, `on_change()` its news."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        link: Link,
        *,
        mode: str,
        on_log: Callable[[LogLine], None],
        on_change: Callable[[], None],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mode = mode
        self.identity = ProcessIdentity.of(process.pid)
        self.pid = process.pid
        self.state = "STARTING"
        self.figures: dict[str, Any] = {}
        self.news = 0
        """How many figures have come."""
        self.failure: JitError | None = None
        self.exit_code: int | None = None
        self.last_words: list[str] = []
        self.ended = asyncio.Event()
        self._drained = asyncio.Event()
        self._spoken = asyncio.Event()
        self._process = process
        self._link = link
        self._on_log = on_log
        self._on_change = on_change
        self._monotonic_s = monotonic_s
        self._next_id = 0
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._figures_at = monotonic_s()
        self._ping_at: float | None = None
        self._unanswered_since: float | None = None
        self.round_trip_ms: float | None = None
        self.responsive: bool | None = None
        self.ending = False
        self.was_settled = False
        self._tasks = [asyncio.create_task(work) for work in (self._listen(), self._stderr(), self._ping())]
        self._tasks.append(asyncio.create_task(self._reap()))

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        mode: str,
        on_log: Callable[[LogLine], None],
        on_change: Callable[[], None],
    ) -> EngineChild:
        """Exec the engine with one end of a fresh socket pair as `--link-fd`; raises `JitError`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    "--link-fd",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    # Ctrl-C on a foreground daemon is the keeper's to answer, not the engine's.
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise JitError(f"the engine cannot be started: {error}") from error
        ours.setblocking(False)
        return cls(process, await Link.open(ours), mode=mode, on_log=on_log, on_change=on_change)

    @property
    def alive(self) -> bool:
        return self.exit_code is None

    @property
    def settled(self) -> bool:
        """Whether start-up is over: its state says so and its queue has been asked, or it is gone."""
        return (self.was_settled and self.responsive is not None) or not self.alive

    def figures_age_s(self) -> float:
        return max(0.0, self._monotonic_s() - self._figures_at)

    def ping_age_s(self) -> float | None:
        return None if self._ping_at is None else max(0.0, self._monotonic_s() - self._ping_at)

    @property
    def judged(self) -> bool:
        """Whether its silence counts: it lives, has settled, and nobody is ending it already."""
        return self.alive and self.was_settled and not self.ending

    def silent_s(self) -> float:
        """Return for how long its queue has owed an answer; 0 if it owes none."""
        since = self._unanswered_since
        return 0.0 if since is None else max(0.0, self._monotonic_s() - since)

    async def ask(
        self, verb: str, *, limit_s: float, who: str = "", reason: str = "", **args: Any
    ) -> dict[str, Any]:
        """Send a command and return its reply's body.

        Raises the error that the engine answered, `LinkClosed` if it is gone, and `TimedOut` after `limit_s`:
        it is called silent then.
        """
        if not self.alive:
            raise LinkClosed("the engine is not running")
        self._next_id += 1
        number = self._next_id
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._link.send(Command(number, verb, who, reason, args))
            reply = await asyncio.wait_for(answer, limit_s)
        except TimeoutError:
            # Silent until a ping says otherwise: the next who stops it need not wait to find out.
            self._answered(False)
            raise TimedOut(f"the engine did not answer {verb} within {limit_s:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if reply.error:
            raise error_of(reply.error)
        return reply.body

    async def wait_ended(self, limit_s: float) -> bool:
        """Wait for the process to be gone; False if it still runs after `limit_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), limit_s)
        return not self.alive

    def ask_where(self) -> None:
        """Have a silent engine write its stack to its standard error, and so into the log."""
        if self.alive and self.was_settled and self.identity is not None:
            with contextlib.suppress(PermissionError):
                self.identity.kill(wait_s=0.0, signum=signal.SIGUSR1)

    async def kill(self) -> bool:
        """End the process now (SIGKILL to exactly it) and wait until it is gone; False if it is not."""
        if self.alive and self.identity is not None:
            await asyncio.to_thread(self.identity.kill, wait_s=END_S)
        return await self.wait_ended(2 * END_S)

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await self._link.receive())
        except LinkClosed:
            self._drained.set()
        # A live engine that has closed its link can no longer be told to stop.
        if not await self.wait_ended(PING_LIMIT_S):
            await self.kill()

    def _take(self, message: object) -> None:
        self._spoken.set()
        match message:
            case Reply():
                answer = self._waiting.get(message.id)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case Figures():
                self.state = message.state
                self.was_settled = self.was_settled or message.state in SETTLED
                self.figures = message.body
                self.news += 1
                self._figures_at = self._monotonic_s()
                self._on_change()
            case LogLine():
                self._on_log(message)
            case Failed():
                self.failure = error_of(message.error)

    async def _stderr(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while True:
            try:
                raw = await stream.readline()
            except ValueError:
                continue  # a line longer than the reader's limit: dropped by the reader
            if not raw:
                return
            text = raw.decode("utf-8", errors="replace").rstrip()
            self.last_words = [*self.last_words, text][-STDERR_LINES_KEPT:]
            self._on_log(LogLine("engine_stderr", "warning", 0.0, {"text": text}))

    async def _ping(self) -> None:
        # Loading its libraries takes the engine seconds; its queue exists once it has spoken.
        await self._spoken.wait()
        while self.alive:
            began = self._monotonic_s()
            if self._unanswered_since is None:
                self._unanswered_since = began
            try:
                await self.ask("ping", limit_s=PING_LIMIT_S)
            except (TimedOut, LinkClosed):
                self._answered(False)
            else:
                self._ping_at = self._monotonic_s()
                self.round_trip_ms = (self._ping_at - began) * 1000
                self._unanswered_since = None
                self._answered(True)
            await asyncio.sleep(PING_EVERY_S)

    def _answered(self, now: bool) -> None:
        changed, self.responsive = now != self.responsive, now
        if changed:
            self._on_change()
        if changed and not now:
            self.ask_where()

    async def _reap(self) -> None:
        self.exit_code = await self._process.wait()
        self.state = "STOPPED"
        self.responsive = False
        self._figures_at = self._monotonic_s()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(LinkClosed("the engine ended before it answered"))
        # What it still said before it ended is worth hearing.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._drained.wait()
                await asyncio.shield(self._tasks[1])
        for task in self._tasks[:3]:
            task.cancel()
        self._link.close()
        self.state = "STOPPED"
        self.ended.set()
        self._on_change()


def reply_of(body: dict[str, Any]) -> ActionReply:
    """Return what the engine answered to a command as the wire carries it."""
    return ActionReply(
        changed=bool(body.get("changed", True)),
        message=str(body.get("message", "done")),
        hint=str(body.get("hint", "")),
        outstanding_bundles=_count(body.get("outstandingBundles")),
        last_target_block=_count(body.get("lastTargetBlock")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
