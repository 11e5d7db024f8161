"""A process that signs as fast as it may; run by the barrier's tests.

argv: data folder, path of a shared file of three 8-byte counters: turns, signatures, turns that were denied.
It registers itself as the signer and prints `ready`.
"""

import mmap
import struct
import sys
import time
from pathlib import Path

from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity

COUNTERS = struct.Struct("<QQQ")


def main(data_dir: Path, shared_path: Path) -> None:
    latch, barrier = Latch(data_dir), SubmitBarrier(data_dir)
    barrier.register_signer(ProcessIdentity.current())
    with shared_path.open("r+b") as file, mmap.mmap(file.fileno(), COUNTERS.size) as shared:
        turns = signatures = denied = 0
        print("ready", flush=True)
        while True:
            held = barrier.try_shared()
            if held is not None:
                with held:
                    if latch.armed() and not latch.paused():
                        # The window in which a check without the barrier lets signatures slip through.
                        until = time.perf_counter_ns() + 200_000
                        while time.perf_counter_ns() < until:
                            pass
                        signatures += 1
                        COUNTERS.pack_into(shared, 0, turns, signatures, denied)
                    else:
                        denied += 1
            turns += 1
            COUNTERS.pack_into(shared, 0, turns, signatures, denied)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
