"""What crosses on its way: a reload answered too late, a pause or stop while the engine is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time

import pytest
from installation import DOUBLE, STRATEGY_TOML, write_config

from jitctl.config.load import load
from jitctl.control.schema import ActionRequest
from jitctl.daemon import reload_desk
from jitctl.daemon.audit import Audit
from jitctl.daemon.caller import Caller
from jitctl.daemon.history import History
from jitctl.daemon.keeper import Keeper
from jitctl.daemon.operations import Operations
from jitctl.daemon.stopping import Stopping
from jitctl.daemon.telemetry import Telemetry
from jitctl.errors import DaemonNotRunning, Refused, TimedOut
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


async def test_a_reload_that_comes_late_is_known_and_can_be_taken_back(tmp_path, monkeypatch):
    monkeypatch.setattr(reload_desk, "RELOAD_LIMIT_S", 0.2)
    async with kept(tmp_path) as (keeper, _, acting):
        config = keeper.config
        await keeper.bring_up()
        pid = keeper.engine.pid
        write_config(tmp_path, strategy=STRATEGY_TOML.replace("20 ether", "30 ether"))
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimedOut, match="may still take over"):
            await acting.act("reload-strategy", ActionRequest(reason="more"), ANN)
        os.kill(pid, signal.SIGCONT)
        async with asyncio.timeout(20), keeper.changed:
            await keeper.changed.wait_for(lambda: keeper.config.hash != config.hash)
        assert keeper.config.hash == keeper.status().config_hash
        async with asyncio.timeout(20):
            while (named := keeper.current.store.current()).number != 2:
                await asyncio.sleep(0)
        assert (named.hash, named.verb, named.who) == (keeper.config.hash, "reload-strategy", "ann")
        trail = (tmp_path / "data" / "audit.jsonl").read_text().splitlines()
        assert ('"outcome": "timed_out"' in trail[-2], '"outcome": "ok"' in trail[-1]) == (True, True)
        assert "nothing to reload" in (await acting.act("reload-strategy", ActionRequest(), ANN)).message
        write_config(tmp_path)
        assert (await acting.act("reload-strategy", ActionRequest(), ANN)).changed
        assert keeper.config.hash == keeper.status().config_hash == config.hash
        assert [each.number for each in keeper.current.store.all()] == [1, 2, 3]
        assert keeper.current.store.current().hash == config.hash


async def test_while_a_reload_is_unanswered_nothing_is_called_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(reload_desk, "RELOAD_LIMIT_S", 0.2)
    async with kept(tmp_path) as (keeper, _, acting):
        await keeper.bring_up()
        write_config(tmp_path, strategy=STRATEGY_TOML.replace("20 ether", "30 ether"))
        os.kill(keeper.engine.pid, signal.SIGSTOP)
        with pytest.raises(TimedOut):
            await acting.act("reload-strategy", ActionRequest(), ANN)
        write_config(tmp_path)
        with pytest.raises(TimedOut):
            await acting.act("reload-strategy", ActionRequest(), ANN)


async def test_a_pause_between_two_engines_holds_the_one_that_starts(tmp_path):
    async with kept(tmp_path) as (keeper, stopping, _):
        Latch(keeper.config.folders.data).arm_initial("test", 1.0)
        with pytest.raises(DaemonNotRunning):
            await stopping.pause(ActionRequest(), ANN)
        keeper.starting = True
        assert (await stopping.pause(ActionRequest(), ANN)).message.startswith("paused")
        assert await keeper.bring_up() == "PAUSED"
        assert not keeper.starting


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
        result = await asyncio.gather(starting, return_exceptions=True)
        assert isinstance(result[0], Refused)
        assert not keeper.engine.alive


async def test_a_lower_crisis_level_that_nobody_waits_for_is_refused(tmp_path):
    async with kept(tmp_path) as (keeper, _, acting):
        await keeper.bring_up()
        for level in ("medium", "critical"):
            request = ActionRequest(level=level, reason="odd")
            assert (await acting.act("crisis-mode", request, ANN, lambda: True)).changed
        with pytest.raises(Refused, match="too late"):
            await acting.act("crisis-mode", ActionRequest(level="off", reason="fine"), ANN, lambda: True)
        assert keeper.status().crisis_level == "critical"


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
        await acting.act("pause", ActionRequest(), ANN)
        assert (await starting).changed
        with pytest.raises(Refused, match="paused or halted after"):
            await resuming
        assert keeper.state() == "PAUSED"


def test_what_was_seen_before_a_reload_proves_nothing_after_it():
    now_s = time.monotonic()
    history = History(lambda: now_s)

    def add(seen):
        history.add(7, {"counts": {"happenings": {"pending_seen": seen}}, "stages": {}})

    add(10)
    now_s += 1
    add(20)
    assert history.risen("happenings", "pending_seen", 300) == 20
    now_s += 1
    history.begin_anew()
    assert history.risen("happenings", "pending_seen", 300) == 0
    add(21)
    now_s += 1
    add(24)
    assert history.risen("happenings", "pending_seen", 300) == 3
