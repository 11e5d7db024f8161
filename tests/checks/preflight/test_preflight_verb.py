"""The verb as an operator runs it before a start, on a devnet, without a daemon and beside one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import pytest

from jitctl.checks.preflight.names import NAMES
from jitctl.devnet.demo import Bot
from jitctl.devnet.network import Devnet


async def preflight(net: Devnet, *options: str) -> tuple[int | None, dict[str, Any]]:
    # The verb goes by the real clock, which blocks that are built by hand do not follow.
    await net.slot(int(time.time()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jitctl", "--config-dir", str(net.folder / "config"),
        "preflight", "--timeout", "60", "-o", "json", *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1", "JITCTL_LOCK_DIR": str(net.folder / "locks")},
    )  # fmt: skip
    out, err = await process.communicate()
    assert err == b"", err.decode()
    return process.returncode, json.loads(out)


@pytest.mark.runbook("START-2")
async def test_preflight_before_a_start_and_beside_a_daemon(tmp_path):
    async with Devnet(tmp_path / "net") as net:
        net.chain.step_s = 1
        code, report = await preflight(net)
        assert code == 0, report
        assert [check["name"] for check in report["checks"]] == list(NAMES)
        wrong = {each["name"] for each in report["checks"] if each["result"] != "pass"}
        # No swap is pending, and the disk is whatever it is.
        assert wrong <= {"pending-feed", "disk-space"}
        assert (await preflight(net, "--strict", "--only", "pending-feed"))[0] == 10

        bot = Bot(net.folder / "config")
        try:
            await bot.verb("start", "--mode", "test")
            code, report = await preflight(net, "--skip", "disk-space")
            assert code == 0, report
            details = {each["name"]: each["detail"] for each in report["checks"]}
            assert "runs in mode test" in details["daemon"]
            assert details["signer-lock"] == "held by our own engine"
            assert details["ledger"].startswith("intact")
            assert "0750" in details["socket-folder"]
            await bot.verb("stop")
        finally:
            await bot.ensure_gone()
