"""An answered stop is not undone by what was asked before it, and its answer is true of what comes up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import pytest
from installation import DOUBLE, write_config

from jitctl.config.load import load
from jitctl.control.schema import ActionRequest
from jitctl.daemon.audit import Audit
from jitctl.daemon.caller import Caller
from jitctl.daemon.keeper import Keeper
from jitctl.daemon.operations import Operations
from jitctl.daemon.stopping import Stopping
from jitctl.daemon.telemetry import Telemetry
from jitctl.errors import Refused
from jitctl.safety.latch import Latch

ANN = Caller("ann", 7, "admin", "unix")


@contextlib.asynccontextmanager
async def kept(folder):
    """Yield a keeper over the engine double that is not started yet, how it is stopped and what it does."""
    config = load(write_config(folder))
    config.folders.data.mkdir()
    telemetry, audit = Telemetry(config.folders.log_file), Audit(config.folders.data / "audit.jsonl")
    keeper = Keeper(
        config, mode="test", engine_argv=(sys.executable, str(DOUBLE)), telemetry=telemetry, audit=audit,
        http_address="",
    )  # fmt: skip
    stopping = Stopping(keeper)
    acting = Operations(keeper, stopping)
    try:
        yield keeper, stopping, acting
    finally:
        await stopping.stop_now()
        telemetry.close()


async def test_no_engine_comes_up_after_a_stop_that_met_its_start(tmp_path):
    async with kept(tmp_path) as (keeper, _, acting):
        Latch(keeper.config.folders.data).arm_initial("test", 1.0)
        await keeper.bring_up()
        first = keeper.engine
        request = ActionRequest(mode="production", force=True, reason="test")
        starting = asyncio.create_task(acting.act("start", request, ANN))
        async with asyncio.timeout(20):
            while not first.ending:
                await asyncio.sleep(0)
        assert (await acting.act("stop", ActionRequest(), ANN)).message == "stopped"
        alive = keeper.engine.alive
        result = await asyncio.gather(starting, return_exceptions=True)
        print(alive, keeper.engine is first, result, keeper.engine.alive, keeper.state())
        assert isinstance(result[0], Refused)
        assert not keeper.engine.alive


async def test_a_pause_between_two_engines_outlives_a_resume_asked_before_it(tmp_path):
    async with kept(tmp_path) as (keeper, _, acting):
        Latch(keeper.config.folders.data).arm_initial("test", 1.0)
        await keeper.bring_up()
        await acting.act("pause", ActionRequest(), ANN)
        os.kill(keeper.engine.pid, signal.SIGKILL)
        await keeper.engine.ended.wait()
        starting = asyncio.create_task(acting.act("start", ActionRequest(), ANN))
        await asyncio.sleep(0)
        resuming = asyncio.create_task(acting.act("resume", ActionRequest(), ANN))
        await asyncio.sleep(0)
        paused = await acting.act("pause", ActionRequest(), ANN)
        print(paused)
        assert (await starting).changed
        with pytest.raises(Refused, match="paused or halted after"):
            await resuming
        assert keeper.state() == "PAUSED"
