"""Fills the disk (argv: how, folder), then pauses and halts; prints what came of it as JSON."""

import json
import os
import resource
import signal
import sys
from pathlib import Path

from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity
from jitctl.safety.stopping import halt_now, pause_now


def fill(how: str, folder: Path) -> None:
    if how == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        return
    number = 0
    try:
        while True:
            number += 1
            with (folder / f"fill-{number if how == 'inodes' else 0}").open("ab", buffering=0) as file:
                if how == "blocks":
                    file.write(bytes(4096))
    except OSError:
        return


def can_still_write(folder: Path) -> bool:
    try:
        with (folder / "probe").open("wb", buffering=0) as file:
            file.write(b"x")
    except OSError:
        return False
    return True


def main(how: str, folder: Path) -> None:
    data_dir = folder / "data"
    latch = Latch(data_dir)
    latch.arm_initial("test", 1.0)
    SubmitBarrier(data_dir).register_signer(ProcessIdentity.current())
    fill(how, folder)
    told: dict[str, object] = {"full": not can_still_write(folder)}
    told["pause"] = pause_now(data_dir, "ann", "full", 2.0).changed
    told["paused"] = latch.paused()
    told["halt"] = halt_now(data_dir, "ann", "full", 2.0).changed
    told["armed"] = latch.armed()
    record = latch.halt_record()
    told["who"] = record.who if record is not None else None
    os.write(1, json.dumps(told).encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
