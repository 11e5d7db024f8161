"""Process 1 from first line to last: start-up, serving, shutdown (`python -m jitctl.daemon.process`)."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import sys
import time
import traceback
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from jitctl import __version__
from jitctl.config.load import Config
from jitctl.config.put_back import finish_if_allowed
from jitctl.config.still import load_still
from jitctl.control.redact import redact_text
from jitctl.control.roles import ADMIN, TCP, UNIX
from jitctl.control.schema import ActionRequest, to_wire
from jitctl.daemon import event_loop, precedence, sd_notify
from jitctl.daemon.api import application
from jitctl.daemon.audit import Audit
from jitctl.daemon.caller import SIGNAL, Caller
from jitctl.daemon.doors import PeerProtocol, bind_tcp, bind_unix, person_of, rights
from jitctl.daemon.gate import Door
from jitctl.daemon.hang import HangWatch
from jitctl.daemon.keeper import Keeper
from jitctl.daemon.operations import Operations
from jitctl.daemon.request_body import MAX_TEXT_CHARS
from jitctl.daemon.sd_notify import Notifier
from jitctl.daemon.stopping import Stopping
from jitctl.daemon.telemetry import Telemetry
from jitctl.daemon.token import TokenFile
from jitctl.errors import JitError, Refused, TimedOut
from jitctl.safety.durable import create_record
from jitctl.safety.keeper_lock import only_keeper
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity
from jitctl.safety.stop_count import require_no_stop_since

ENGINE_ARGV = (sys.executable, "-m", "jitctl.daemon.engine_process")
ENV_ENGINE = "JITCTL_ENGINE_COMMAND"
"""Another program that speaks the link, for the keeper's own tests."""


@dataclass(frozen=True)
class Options:
    config_dir: Path
    mode: str
    ready_fd: int | None
    mirror: bool
    force: bool
    reason: str
    stops: int | None


def parse(argv: list[str]) -> Options:
    """Return what `jitctl start` passes; nobody else calls this program."""
    parser = argparse.ArgumentParser(prog="jitctl-keeper")
    parser.add_argument("--config-dir", type=Path, required=True)
    parser.add_argument("--mode", choices=("test", "production"), required=True)
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--mirror", action="store_true", help="show the log on stderr too")
    parser.add_argument("--force", action="store_true", help="production without a passing validate-live")
    parser.add_argument("--reason", default="", help="for the audit trail")
    parser.add_argument("--stops", type=int, help="how many stops were counted when this was asked for")
    found = parser.parse_args(argv)
    found.reason = found.reason.encode("utf-8", "replace").decode()[:MAX_TEXT_CHARS]
    return Options(**{**vars(found), "config_dir": found.config_dir.absolute()})


def main(argv: list[str]) -> int:
    """Keep one bot until it is stopped; returns the exit code."""
    options = parse(argv)
    # What the daemon writes is for its user and group alone.
    os.umask(0o027)
    # A terminal that closes ends what it shows, not the bot.
    # By default the others end a process, and an old runbook asks for a heap dump with `kill -USR2`.
    for unheard in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(unheard, signal.SIG_IGN)
    notifier = Notifier.from_environment()
    precedence.give_way()
    starter = Starter(options.ready_fd)
    try:
        finish_if_allowed(options.config_dir)
        config = load_still(options.config_dir)
        with only_keeper(config.folders.run, options.mode):
            if options.stops is not None:
                require_no_stop_since(config.folders.run, options.stops)
            return event_loop.run(_keep(config, options, starter, notifier))
    except JitError as error:
        starter.tell(error.as_dict())
        notifier.status(f"failed: {error.message}")
        if options.mirror:
            # In the foreground nobody waits at the pipe: the terminal, or the journal, is told.
            sys.stderr.write(redact_text(f"error: {error.message}\nhint: {error.hint}\n"))
        return error.exit_code
    except Exception as error:
        # Standard error is the start-up log file here; the operator sees one line.
        sys.stderr.write(redact_text(traceback.format_exc()))
        message = f"unexpected {type(error).__name__}: {redact_text(str(error))}"
        starter.tell(
            JitError(message, hint="this is a defect of jitctl; the start-up log has more").as_dict()
        )
        return 1


class Starter:
    """The `jitctl start` that waits for us: told once, over a pipe, how the start went."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def tell(self, body: dict[str, Any]) -> None:
        """Send one JSON line; later calls, and a starter that has left, are ignored."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            os.write(descriptor, json.dumps(body).encode() + b"\n")
        os.close(descriptor)


async def _keep(config: Config, options: Options, starter: Starter, notifier: Notifier) -> int:
    folders = config.folders
    telemetry = Telemetry(folders.log_file, mirror=options.mirror)
    doors: list[socket.socket] = []
    try:
        for folder in (folders.data, folders.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        who = rights(config.main.socket.operator_group, config.main.socket.viewer_group)
        token = _token_file(config, telemetry)
        tcp = bind_tcp(config.main.http.host, config.main.http.port)
        doors.append(tcp)
        port = tcp.getsockname()[1]
        keeper = Keeper(
            config,
            mode=options.mode,
            engine_argv=shlex.split(os.environ.get(ENV_ENGINE, "")) or ENGINE_ARGV,
            telemetry=telemetry,
            audit=Audit(folders.data / "audit.jsonl"),
            http_address=f"http://{config.main.http.host}:{port}",
        )
        uid = os.getuid()
        stopping = Stopping(keeper)
        operations = Operations(keeper, stopping)
        operations.record_start(
            Caller(person_of(os.getpid(), uid), uid, ADMIN, "process"),
            reason=options.reason,
            force=options.force,
        )
        unix = bind_unix(folders.socket, who.operator_gid, who.viewer_gid)
        doors.append(unix)
        latch = Latch(folders.data)
        if latch.is_new():
            # Before anybody can pause or halt: what they write would show as a used, unarmed folder.
            latch.arm_initial("jitctl start", time.time())
        _write_pid_file(folders.pid_file, options.mode, folders.data)
        telemetry.log("daemon_started", version=__version__, mode=options.mode, configHash=config.hash)
        servers = [
            _server(application(keeper, operations, UNIX, who)),
            _server(application(keeper, operations, TCP, who, port, token)),
        ]
        serving = [
            asyncio.create_task(server.serve(sockets=[door]))
            for server, door in zip(servers, (unix, tcp), strict=True)
        ]
        try:
            return await _run(keeper, operations, starter, notifier)
        finally:
            await stopping.stop_now()
            for server in servers:
                server.should_exit = True
            await asyncio.wait(serving, timeout=5.0)
            await keeper.refusals.flush()
            telemetry.log("daemon_stopped", uptimeS=round(keeper.uptime_s(), 1))
    except JitError as error:
        telemetry.log("start_failed", level="error", code=error.code, text=error.message)
        raise
    except OSError as error:
        raise JitError(f"cannot start: {error}") from error
    finally:
        for door in doors:
            door.close()
        if len(doors) == 2:
            folders.socket.unlink(missing_ok=True)
            folders.pid_file.unlink(missing_ok=True)
        telemetry.close()


def _token_file(config: Config, telemetry: Telemetry) -> TokenFile | None:
    http = config.main.http
    if http.token_file is None:
        return None

    def changed(fault: str) -> None:
        event = "token_file_unusable" if fault else "token_file_usable"
        telemetry.log(event, level="error" if fault else "info", text=fault)

    return TokenFile(config.resolve(http.token_file), http.token_role, changed)


async def _run(keeper: Keeper, operations: Operations, starter: Starter, notifier: Notifier) -> int:
    """Start the engine, tell the starter, and wait for the end; a start that fails ends the daemon."""
    watch = HangWatch(keeper.config.main.engine.hung_after_s)
    beside = [
        asyncio.create_task(_follow_signals(keeper, operations)),
        asyncio.create_task(operations.stopping.watch_engine(watch)),
        asyncio.create_task(sd_notify.follow(keeper, notifier)),
    ]
    for each in beside:
        each.add_done_callback(lambda ended: _say_if_failed(keeper, ended))
    starting = asyncio.create_task(_start(keeper))
    stopping = asyncio.create_task(keeper.stopping.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            raise _stopped_while_starting()
        try:
            starting.result()
        except TimedOut as late:
            starter.tell({**late.as_dict(), "goesOn": True, "status": to_wire(keeper.status())})
        except JitError as failure:
            raise (_stopped_while_starting() if keeper.leaving else failure) from None
        else:
            starter.tell({"status": to_wire(keeper.status())})
        await stopping
        return 0
    finally:
        notifier.stopping()
        for task in (*beside, starting, stopping):
            task.cancel()


def _stopped_while_starting() -> Refused:
    """Return the end of a start that somebody stopped; by its exit code systemd does not try it again."""
    return Refused("stopped while it was starting", hint="start it again if that is still right")


def _say_if_failed(keeper: Keeper, task: asyncio.Task[None]) -> None:
    """A defect beside the API must not end it, and must not go unheard."""
    if not task.cancelled() and (error := task.exception()) is not None:
        text = redact_text(f"{type(error).__name__}: {error}")
        keeper.telemetry.log("keeper_task_failed", level="error", text=text)


async def _start(keeper: Keeper) -> None:
    state = await keeper.bring_up()
    keeper.telemetry.log("daemon_ready", state=state, mode=keeper.mode)


async def _follow_signals(keeper: Keeper, operations: Operations) -> None:
    """The first SIGTERM or SIGINT stops in good order, the second at once."""
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received.put_nowait, number)
    name = signal.Signals(await received.get()).name
    keeper.telemetry.log("signal_received", signal=name)
    graceful = asyncio.create_task(operations.act("stop", ActionRequest(reason=name), SIGNAL))
    second = asyncio.create_task(received.get())
    await asyncio.wait({graceful, second}, return_when=asyncio.FIRST_COMPLETED)
    if second.done() and not graceful.done():
        keeper.telemetry.log("signal_received", level="warning", signal="second, ending at once")
    await operations.stopping.stop_now()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the keeper follows signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _server(app: Door) -> _Server:
    settings = uvicorn.Config(
        app,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        # What hostile requests make it say would fill the start-up log; our own log has what matters.
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16 << 10,
    )
    return _Server(settings)


def _write_pid_file(path: Path, mode: str, data: Path) -> None:
    identity = ProcessIdentity.current().as_dict()
    create_record(path, {**identity, "mode": mode, "version": __version__, "data": str(data)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
