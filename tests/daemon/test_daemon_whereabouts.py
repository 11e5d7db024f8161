"""Whoever is asked where it is goes on, however often it is asked and whatever it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

ASKED = 600
CHILD = """
import asyncio, sys
from jitctl.daemon.whereabouts import answer_sigusr1

async def deeper(depth):
    await asyncio.sleep(0)
    if depth:
        await deeper(depth - 1)

async def main():
    print("up", flush=True)
    while True:
        await asyncio.gather(*(deeper(12) for _ in range(20)))

answer_sigusr1(sys.stdout)
asyncio.run(main())
"""


def test_a_busy_process_tells_where_it_is_and_lives_on():
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "up\n"
            seen = set()
            for each in range(ASKED):
                stopped = each % 10 == 0
                if stopped:
                    os.kill(child.pid, signal.SIGSTOP)
                os.kill(child.pid, signal.SIGUSR1)
                if stopped:
                    os.kill(child.pid, signal.SIGCONT)
                # One answer before the next question.
                while not (line := child.stdout.readline()).startswith("Event loop"):
                    assert line, f"it ended ({child.wait()}) after {each} questions"
                    seen.add(line.rpartition(" in ")[2].strip())
            assert "run_forever" in seen
            assert child.poll() is None
        finally:
            child.kill()
