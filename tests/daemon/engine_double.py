"""A program that speaks the link as the engine does and trades nothing: stands in for process 2.

`JITCTL_DOUBLE` is a list of words: `die-starting`, `fail-starting`, `never-ready` (or a file of that name
beside the data folder), `halted`, `production`, `hang-on-pause` (it stops answering at the first pause),
`hold-barrier` (and meanwhile keeps the submit barrier), `hang-on-stop`, `die-on-resume`, `leak` (writes a
secret to its log and stderr), `collide` (its log line has fields named as what every line begins with),
`refuse-reload`, `{engine-dies,keeper-dies,both-die}-{before,after}-swap` (at a reload), `sick-pool`,
`one-out` (a bundle for block 8 is out, and stays so), `position-open` (a position is open, and stays so).
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import signal
import socket
import sys
import time
from pathlib import Path

from jitctl.config.generations import texts_in
from jitctl.config.load import load
from jitctl.config.locate import quick_folders
from jitctl.daemon.link import Command, Failed, Figures, Link, LogLine, Reply
from jitctl.errors import JitError, LinkClosed, PermissionDenied, Refused, UsageError
from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity

COUNTS = {
    "happenings": {"heads": 7, "pending_seen": 9, "pending_understood": 5},
    "outcomes": {"landed": 1, "missed": 3},
    "abandons": {"mode_test": 4},
}
STAGES = {
    "seen_to_simulated": {
        "count": 4, "p50_ms": 5.0, "p95_ms": 9.0, "p99_ms": 9.0, "max_ms": 9.5,
        "recent_count": 4, "recent_p95_ms": 9.0,
    },
}  # fmt: skip
POOL = "0x" + "66" * 20
LEVELS = ("off", "low", "medium", "high", "critical")
CANARY = "c0ffee" * 10 + "c0ff"


class Double:
    def __init__(self, link: Link, words: set[str], data: Path, config_dir: Path) -> None:
        self.config_dir = config_dir
        self.link = link
        self.words = words
        self.base = data.parent
        self.latch = Latch(data)
        self.barrier = SubmitBarrier(data)
        self.barrier.register_signer(ProcessIdentity.current())
        self.state = "STARTING"
        self.crisis = "off"
        self.reason = ""
        self.generation = 1
        self.config_hash = ""
        self.pings = 0

    def become(self, state: str, reason: str = "") -> None:
        self.state, self.reason = state, reason
        body = {
            "reason": reason,
            "crisisLevel": self.crisis,
            "generation": self.generation,
            "tradingReady": state == "RUNNING",
            "headNumber": 7,
            "headAgeS": 0.5,
            "openAttempts": 0,
            **({"configHash": self.config_hash} if self.config_hash else {}),
            "outstandingBundles": int("one-out" in self.words),
            "lastTargetBlock": 8 if "one-out" in self.words else None,
            "openPositions": ["0xp001"] if "position-open" in self.words else [],
        }
        self.link.offer(
            Figures(
                state,
                {**body, "counts": COUNTS, "stages": STAGES},
            )
        )

    def die_at(self, point: str) -> None:
        """End this process, its keeper, or both, as `kill -9` does."""
        if self.words & {f"keeper-dies-{point}", f"both-die-{point}"}:
            os.kill(os.getppid(), signal.SIGKILL)
        if self.words & {f"engine-dies-{point}", f"both-die-{point}"}:
            os.kill(os.getpid(), signal.SIGKILL)

    def hang(self) -> None:
        held = self.barrier.try_shared() if "hold-barrier" in self.words else None
        while True:
            time.sleep(3600)
        del held

    def answer(self, command: Command) -> dict[str, object]:
        match command.verb:
            case "ping":
                self.pings += 1
                return {"pong": self.pings}
            case "pause":
                if "hang-on-pause" in self.words:
                    self.hang()
                if self.state == "HALTED":
                    return {"changed": False, "message": "halted already, which is more than paused"}
                changed = self.latch.pause(command.who, command.reason, time.time())
                self.become("PAUSED", command.reason)
                return {"changed": changed, "message": "paused" if changed else "already paused"}
            case "resume":
                if "die-on-resume" in self.words:
                    os._exit(7)
                if command.args["mark"] != self.latch.mark():
                    raise Refused("the bot was paused or halted after this was asked")
                if self.state == "HALTED":
                    raise Refused("the bot is halted", hint="jitctl clear-halt --reason ...")
                self.latch.resume()
                changed = self.state != "RUNNING"
                self.become("RUNNING")
                return {"changed": changed, "message": "resumed" if changed else "already running"}
            case "emergency-stop":
                if "hang-on-pause" in self.words:
                    self.hang()
                changed = self.latch.halt(command.who, command.reason, time.time())
                self.become("HALTED", command.reason)
                return {"changed": changed, "message": "halted" if changed else "already halted"}
            case "crisis-mode":
                level = str(command.args["level"])
                if level not in LEVELS:
                    raise UsageError(f"no crisis level {level!r}")
                if LEVELS.index(level) < LEVELS.index(self.crisis) and not command.args["may_loosen"]:
                    raise PermissionDenied("lowering the crisis level needs the role admin")
                changed, self.crisis = level != self.crisis, level
                self.become(self.state, self.reason)
                return {"changed": changed, "message": f"crisis level {level}"}
            case "reload":
                if "refuse-reload" in self.words:
                    raise Refused("not reloaded: the node is away")
                folder, wanted = Path(str(command.args["folder"])), str(command.args["hash"])
                if load(self.config_dir, texts_in(folder, self.config_dir)).hash != wanted:
                    raise Refused("the generation is not what was validated")
                self.die_at("before-swap")
                self.generation += 1
                self.config_hash = wanted
                self.become(self.state, self.reason)
                self.die_at("after-swap")
                return {"changed": True, "message": f"generation {self.generation}"}
            case "pool-status":
                row = {
                    "address": POOL,
                    "exact": True,
                    "tick": 5,
                    "sqrtPriceX96": str(1 << 96),
                    "liquidity": "7",
                }
                problem = {"problem": "no exact snapshot"} if "sick-pool" in self.words else {}
                return {"headNumber": 7, "pools": [row | problem]}
            case "self-check":
                result = "fail" if "sick-pool" in self.words else "pass"
                return {"checks": [{"name": "snapshots", "result": result, "detail": "of the double"}]}
            case "clear-halt":
                changed = self.state == "HALTED"
                if changed:
                    self.become("PAUSED", command.reason)
                return {"changed": changed, "message": "halt cleared; paused" if changed else "not halted"}
            case "stop":
                if "hang-on-stop" in self.words:
                    self.hang()
                return {"message": "stopped"}
        raise JitError(f"unknown command {command.verb}")

    async def run(self) -> int:
        if "leak" in self.words:
            self.link.offer(
                LogLine("leak", "info", time.time(), {"text": f"key {CANARY}", "passphrase": "hunter2"})
            )
            sys.stderr.write(f"stderr says 0x{CANARY}\n")
            sys.stderr.flush()
        if "collide" in self.words:
            fields = {"event": "ours", "level": "ours", "source": "ours", "time_s": 0, "error": "x"}
            self.link.offer(LogLine("engine_error", "error", time.time(), fields))
        if "fail-starting" in self.words:
            error = Refused("the signer is already in use", hint="stop the other engine")
            self.link.offer(Failed(error.as_dict()["error"]))
            await self.link.flush()
            return 9
        if "die-starting" in self.words:
            sys.stderr.write("Segmentation fault (not really)\n")
            return 11
        if "never-ready" not in self.words and not (self.base / "never-ready").exists():
            paused = self.latch.paused()
            self.become("HALTED" if "halted" in self.words else "PAUSED" if paused else "RUNNING")
        while True:
            try:
                message = await self.link.receive()
            except LinkClosed:
                return 0
            if not isinstance(message, Command):
                continue
            try:
                self.link.send(Reply(message.id, self.answer(message)))
            except JitError as error:
                self.link.send(Reply(message.id, {}, error.as_dict()["error"]))
            if message.verb == "stop":
                await self.link.flush()
                return 0


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--link-fd", type=int)
    parser.add_argument("--config-dir", type=Path)
    parser.add_argument("--mode")
    parser.add_argument("--config-hash")
    parser.add_argument("--generation", type=Path)
    found = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)
    link = await Link.open(socket.socket(fileno=found.link_fd))
    data = quick_folders(found.config_dir).data
    return await Double(link, set(os.environ.get("JITCTL_DOUBLE", "").split()), data, found.config_dir).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
