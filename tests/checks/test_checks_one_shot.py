"""A command line ends when its check does, whatever thread is still stuck."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from jitctl.checks import one_shot

STUCK = """
import asyncio, threading
from jitctl.checks import one_shot

async def check():
    lookup = asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    try:
        await asyncio.wait_for(lookup, 0.01)
    except TimeoutError:
        return "unknown"

print(one_shot.run(check()))
"""


def test_a_lookup_that_never_ends_holds_nobody_up():
    found = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout.strip(), found.stderr) == (0, "unknown", "")


def test_results_and_errors_come_through():
    async def answer(value):
        return await asyncio.get_running_loop().run_in_executor(None, int, value)

    assert one_shot.run(answer("7")) == 7
    with pytest.raises(ValueError, match="seven"):
        one_shot.run(answer("seven"))
