"""The real engine, which hangs on demand: its event loop blocks for good, with or without the barrier held.

SIGRTMIN blocks it, SIGWINCH blocks it with the submit barrier held; run in the engine's place by
`JITCTL_ENGINE_COMMAND`.
"""

import signal
import sys
import time
from pathlib import Path

from jitctl.config.locate import quick_folders
from jitctl.daemon.engine_process import main
from jitctl.safety.barrier import SubmitBarrier

BLOCK, BLOCK_HOLDING = signal.SIGRTMIN, signal.SIGWINCH


def hang(number, frame):
    config_dir = Path(sys.argv[sys.argv.index("--config-dir") + 1])
    held = SubmitBarrier(quick_folders(config_dir).data).try_shared() if number == BLOCK_HOLDING else None
    while True:
        time.sleep(3600)
    del held


if __name__ == "__main__":
    for number in (BLOCK, BLOCK_HOLDING):
        signal.signal(number, hang)
    sys.exit(main(sys.argv[1:]))
