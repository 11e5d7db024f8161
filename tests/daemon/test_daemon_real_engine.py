"""The daemon with its real engine on a real chain: started, paused, crashed, hung, orphaned, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path

from installation import eventually, write_config

from jitctl.config.checksums import checksummed
from jitctl.config.generations import Generations
from jitctl.config.load import load
from jitctl.control.client import Client
from jitctl.daemon.link import Failed, Link
from jitctl.devnet.network import Devnet
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity


async def jitctl(net, *words, code=0):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jitctl", "--config-dir", str(net.folder / "config"), *words, "-o", "json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        # Devnets of one seed share their keys: other tests on this machine are not our business.
        env={**os.environ, "JITCTL_LOCK_DIR": str(net.folder / "locks")},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == code, (words, err.decode())
    return json.loads(out if code == 0 else err)


async def until(condition, what):
    return await asyncio.to_thread(eventually, condition, what)


async def test_a_daemon_life_on_a_devnet(tmp_path):
    async with Devnet(tmp_path, slot_seconds=1.0) as net:
        try:
            await live(net)
        finally:
            for pid in processes_of(net.folder):
                os.kill(pid, signal.SIGKILL)


async def test_an_executor_that_is_none_ends_the_start(tmp_path):
    async with Devnet(tmp_path) as net:
        file = net.folder / "config" / "jitctl.toml"
        file.write_text(file.read_text().replace(checksummed(net.executor), "0x" + "77" * 20))
        error = (await jitctl(net, "start", "--mode", "test", code=4))["error"]
        assert "no JitExecutor at 0x7777" in error["message"]


async def test_an_engine_trades_by_what_its_keeper_has_read_or_not_at_all(tmp_path):
    config = write_config(tmp_path)
    ours, theirs = socket.socketpair()
    with theirs:
        engine = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jitctl.daemon.engine_process", "--config-dir", str(config),
            "--mode", "production", "--config-hash", "0" * 64, "--link-fd", str(theirs.fileno()),
            pass_fds=(theirs.fileno(),),
        )  # fmt: skip
    link = await Link.open(ours)
    try:
        while not isinstance(told := await asyncio.wait_for(link.receive(), 60), Failed):
            pass
        assert (told.error["code"], "changed while" in told.error["message"]) == ("refused", True)
        assert await engine.wait() == 9
    finally:
        link.close()


def processes_of(folder):
    """The daemon's processes, also of a start that never answered."""
    config = str(folder / "config").encode()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and config in (entry / "cmdline").read_bytes().split(b"\0"):
                yield int(entry.name)


async def reloads(net, status):
    """A pool is disabled and taken up again, and the disk says by what the engine trades."""
    pools = net.folder / "config" / "pools.toml"
    whole, kept = pools.read_text(), Generations(net.folder / "data")
    name = load(pools.parent).pools.pools[-1].name
    head, _, last = whole.rpartition("[[pools]]")
    off = (
        head + "[[pools]]" + last.replace("enabled = true", 'enabled = false\ndisabled_because = "too thin"')
    )
    for text, enabled in ((off, False), (whole, True)):
        pools.write_text(text)
        reply = await jitctl(net, "reload-pools", "--reason", "try")
        changed = {each["key"]: each["after"] for each in reply["changes"]}
        assert changed[f"pools[{name}].enabled"] is enabled
        rows = (await jitctl(net, "pool-status"))["pools"]
        assert [row["enabled"] for row in rows if row["name"] == name] == [enabled]
        assert all(row["healthy"] for row in rows if row["enabled"])
        current = kept.current()
        assert (current.number, current.hash) == (reply["generation"], status()["configHash"])
        assert current.hash == load(pools.parent).hash
    pools.write_text(whole.replace("fee_pips", "fee_pipz", 1))
    error = (await jitctl(net, "reload-pools", code=4))["error"]
    assert any("fee_pipz" in each["key"] for each in error["problems"])
    pools.write_text(whole)
    assert kept.current() == current


async def live(net):
    started = await jitctl(net, "start", "--mode", "test")
    assert (started["state"], started["mode"]) == ("RUNNING", "test")
    net.keeper_pid, net.engine_pid = started["keeperPid"], started["engine"]["pid"]
    assert os.sched_getscheduler(net.keeper_pid) == os.SCHED_BATCH
    assert os.sched_getscheduler(net.engine_pid) == os.SCHED_OTHER
    client = Client(net.folder / "run" / "jitctl.sock")

    def status():
        return client.call("status")

    await until(lambda: status()["tradingReady"], "it is ready to trade")
    seen = status()["headNumber"]
    await until(lambda: status()["headNumber"] > seen, "the head moves")
    assert (await jitctl(net, "pause", "--reason", "r"))["state"] == "PAUSED"
    assert (await jitctl(net, "resume"))["state"] == "RUNNING"
    summary = await jitctl(net, "daily-summary")
    assert summary["totalAttempts"] == 0

    # A second daemon with the same key, from another folder, is kept out by the signer lock.
    other = net.folder / "other"
    (other / "config").mkdir(parents=True)
    for file in (net.folder / "config").iterdir():
        (other / "config" / file.name).write_text(file.read_text().replace('"keys/', f'"{net.folder}/keys/'))
    argv = ("--config-dir", str(other / "config"), "start", "--mode", "test")
    assert "already in use" in (await jitctl(net, *argv, code=9))["error"]["message"]

    switched = await jitctl(net, "start", "--mode", "production", "--yes", "--force", "--reason", "go")
    assert (switched["mode"], switched["keeperPid"]) == ("production", net.keeper_pid)
    net.engine_pid = switched["engine"]["pid"]

    await reloads(net, status)

    # A crash is seen, and the engine comes back paused.
    os.kill(net.engine_pid, signal.SIGKILL)
    await until(lambda: status()["state"] == "STOPPED", "the crash is seen")
    back = await jitctl(net, "start", "--mode", "production", "--yes")
    net.engine_pid = back["engine"]["pid"]
    assert back["state"] == "PAUSED"
    assert (await jitctl(net, "resume", "--yes"))["state"] == "RUNNING"

    # A stopped process cannot be asked; the pause holds all the same.
    os.kill(net.engine_pid, signal.SIGSTOP)
    paused = await jitctl(net, "pause", "--reason", "silent")
    assert Latch(net.folder / "data").paused()
    assert "does not answer" in paused["message"]
    os.kill(net.engine_pid, signal.SIGCONT)
    await until(lambda: status()["state"] == "PAUSED", "the engine heeds the flag")

    # Without its keeper the engine ends.
    os.kill(net.keeper_pid, signal.SIGKILL)
    await until(lambda: ProcessIdentity.of(net.engine_pid) is None, "the engine ends")
    file = net.folder / "config" / "jitctl.toml"
    file.write_text(file.read_text().replace("[http]", "[engine]\nhung_after_s = 3\n\n[http]"))
    again = await jitctl(net, "start", "--mode", "test")
    net.keeper_pid, net.engine_pid = again["keeperPid"], again["engine"]["pid"]
    assert again["state"] == "PAUSED"

    # An engine that hangs is ended by its keeper, and the next one comes up paused for that reason.
    assert (await jitctl(net, "resume"))["state"] == "RUNNING"
    os.kill(net.engine_pid, signal.SIGSTOP)
    await until(lambda: status()["state"] == "STOPPED", "the hung engine is ended")
    assert status()["reason"].startswith("engine hung for")
    unhung = await jitctl(net, "start", "--mode", "test")
    net.engine_pid = unhung["engine"]["pid"]
    assert (unhung["state"], unhung["keeperPid"]) == ("PAUSED", net.keeper_pid)
    assert unhung["reason"].startswith("engine hung for")
    assert (await jitctl(net, "stop"))["state"] == "STOPPED"
    assert ProcessIdentity.of(net.keeper_pid) is None
    assert ProcessIdentity.of(net.engine_pid) is None
    after = await jitctl(net, "start", "--mode", "test")
    net.keeper_pid, net.engine_pid = after["keeperPid"], after["engine"]["pid"]
    assert after["state"] == "PAUSED"
    await jitctl(net, "stop")
