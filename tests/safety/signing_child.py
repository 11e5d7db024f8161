"""A process that signs as fast as it may; run by the barrier's tests.

argv: data folder, path of a shared file of two 8-byte counters: turns and signatures. It registers itself as
the signer and prints `ready`.
"""

import mmap
import sys
import time
from pathlib import Path

from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity

COUNTERS_BYTES = 16
TURNS, SIGNATURES = 0, 1
"""Indexes of the counters; each is written in one store, so that a reader never sees half of one."""


def main(data_dir: Path, shared_path: Path) -> None:
    latch, barrier = Latch(data_dir), SubmitBarrier(data_dir)
    barrier.register_signer(ProcessIdentity.current())
    with shared_path.open("r+b") as file, mmap.mmap(file.fileno(), COUNTERS_BYTES) as shared:
        counters = memoryview(shared).cast("Q")
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
                        counters[SIGNATURES] += 1
            counters[TURNS] += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
