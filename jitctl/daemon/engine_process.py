"""Process 2: the engine, its keys, and one link to its keeper. Ends when the link does.

Run by the keeper as `python -m jitctl.daemon.engine_process --link-fd N --config-dir DIR --mode MODE`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jitctl.config.generations import texts_in
from jitctl.config.load import load
from jitctl.control.redact import redact_text
from jitctl.control.schema import camel
from jitctl.daemon import event_loop, precedence
from jitctl.daemon.link import Command, Failed, Figures, Link, LogLine, Reply
from jitctl.daemon.whereabouts import answer_sigusr1
from jitctl.domain.records import Mode
from jitctl.errors import JitError, LinkClosed, Refused

if TYPE_CHECKING:
    from jitctl.daemon.wiring import Assembly

FIGURES_EVERY_S = 1.0
ORPHAN_GRACE_S = 2.0
_LEVELS = {"error": "error", "failed": "error", "stuck": "error", "halt": "error", "lost": "warning"}


def main(argv: list[str]) -> int:
    """Run one engine until it is stopped, told to, or orphaned; returns the exit code."""
    parser = argparse.ArgumentParser(prog="jitctl-engine")
    parser.add_argument("--link-fd", type=int, required=True)
    parser.add_argument("--config-dir", type=Path, required=True)
    parser.add_argument("--mode", type=Mode, choices=list(Mode), required=True)
    parser.add_argument("--config-hash", default="", help="what the keeper has validated")
    parser.add_argument("--generation", type=Path, help="the folder of the generation to run by")
    found = parser.parse_args(argv)
    precedence.take_turns()
    # The keeper alone decides when the engine ends; a signal to the whole group is for the keeper.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The keeper asks a silent engine where it is, and logs the answer.
    answer_sigusr1(sys.stderr)
    # An old runbook asks for a heap dump with it; by default it would end us.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    _end_when_orphaned(found.link_fd)
    link = socket.socket(fileno=found.link_fd)
    return event_loop.run(_run(link, found.config_dir, found.mode, found.config_hash, found.generation))


def _end_when_orphaned(link_fd: int) -> None:
    """Watch the link from a thread: an event loop that hangs must not outlive its keeper.

    The loop itself sees the end of the link at once and stops in good order; this is for when it does not.
    """
    watched = os.dup(link_fd)

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, select.POLLRDHUP | select.POLLHUP)
        poll.poll()
        time.sleep(ORPHAN_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


async def _run(
    end: socket.socket, config_dir: Path, mode: Mode, expected_hash: str, generation: Path | None
) -> int:
    link = await Link.open(end)
    observer = LinkObserver(link)
    link.offer(Figures("STARTING"))
    try:
        # Loading web3 and its kind takes a second: only now, when the keeper knows that we live.
        from jitctl.daemon.wiring import assembled

        # What the keeper has validated, and not what the folder may hold by now.
        config = load(config_dir, texts_in(generation, config_dir) if generation is not None else None)
        if expected_hash and config.hash != expected_hash:
            raise Refused("the configuration changed while the bot started", hint="start it again")
        async with assembled(config, mode, observer) as assembly:
            host = EngineHost(assembly, link)
            observer.on_move = host.tell
            # What loading left behind stays for good: no later collection has to look at it again.
            gc.collect()
            gc.freeze()
            return await host.run()
    except LinkClosed:
        return 1
    except JitError as error:
        link.offer(Failed(error.as_dict()["error"]))
        await link.flush()
        return error.exit_code
    except Exception as error:
        sys.stderr.write(redact_text(traceback.format_exc()))
        message = f"unexpected {type(error).__name__}: {redact_text(str(error))}"
        failure = JitError(message, hint="this is a defect of jitctl; its log has more")
        link.offer(Failed(failure.as_dict()["error"]))
        await link.flush()
        return 1


class LinkObserver:
    """Satisfies `engine.ports.Observer`: what the engine tells becomes log lines of the keeper."""

    def __init__(self, link: Link) -> None:
        self.on_move: Callable[[], None] = lambda: None
        self._link = link

    def event(self, name: str, fields: Mapping[str, object]) -> None:
        level = next((level for word, level in _LEVELS.items() if word in name), "info")
        line = LogLine(name, level, time.time(), {camel(key): value for key, value in fields.items()})
        self._link.offer_soon(line)
        if name in ("engine_state", "crisis_level"):
            # The keeper answers operators from figures: a move must not wait for the next second.
            asyncio.get_running_loop().call_soon(self.on_move)


class EngineHost:
    """One engine on one link: commands in, replies, figures and log lines out."""

    def __init__(self, assembly: Assembly, link: Link) -> None:
        self._engine = assembly.engine
        self._assembly = assembly
        self._link = link
        self._answering: set[asyncio.Task[None]] = set()

    def tell(self) -> None:
        """Send the engine's figures now; the state at least, should the rest be impossible to tell."""
        try:
            figures = {**self._engine.figures(), "configHash": self._assembly.reloader.config.hash}
        except Exception as error:
            # A defect in what is only shown must neither end the engine nor keep an answer back.
            told = {"error": redact_text(f"{type(error).__name__}: {error}")}
            self._link.offer(LogLine("figures_failed", "error", time.time(), told))
            figures = {}
        self._link.offer(Figures(self._engine.state.value, figures))

    async def run(self) -> int:
        """Run until the engine ends (0) or the link does (1)."""
        running = asyncio.create_task(self._engine.run(), name="engine")
        listening = asyncio.create_task(self._listen(), name="link")
        telling = asyncio.create_task(self._keep_telling(), name="figures")
        try:
            await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
                await self._finish_answers()
                return 0
            return 1
        finally:
            for task in (running, listening, telling):
                task.cancel()
            await asyncio.gather(running, listening, telling, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                message = await self._link.receive()
            except LinkClosed:
                return
            if isinstance(message, Command):
                task = asyncio.create_task(self._answer(message))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)

    async def _answer(self, command: Command) -> None:
        try:
            body = await self._do(command)
        except JitError as error:
            reply = Reply(command.id, {}, error.as_dict()["error"])
        except Exception as error:
            # A defect: whoever asked is not left waiting, and no other answer is held up.
            text = f"unexpected {type(error).__name__}: {redact_text(str(error))}"
            failure = JitError(text, hint="this is a defect of jitctl; its log has more")
            self._link.offer(LogLine("command_failed", "error", time.time(), {"text": text}))
            reply = Reply(command.id, {}, failure.as_dict()["error"])
        else:
            reply = Reply(command.id, body)
        with contextlib.suppress(LinkClosed):
            self.tell()
            self._link.send(reply)

    async def _do(self, command: Command) -> dict[str, Any]:
        match command.verb:
            case "reload":
                folder, expected_hash = Path(command.args["folder"]), str(command.args["hash"])
                return await self._assembly.reloader.reload(
                    folder, expected_hash, command.who, command.reason
                )
            case "self-check":
                return await self._assembly.self_check.run()
        return await self._engine.command(
            command.verb, who=command.who, reason=command.reason, args=command.args
        )

    async def _finish_answers(self) -> None:
        if self._answering:
            await asyncio.wait(self._answering, timeout=1.0)
        self.tell()
        await self._link.flush()

    async def _keep_telling(self) -> None:
        while True:
            self.tell()
            await asyncio.sleep(FIGURES_EVERY_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
