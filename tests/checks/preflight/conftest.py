"""A healthy installation on one devnet a file; each test breaks one thing and asks which checks notice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chain.devnet_rig import DevnetRig
from tests.chain.shared_devnet import devnet as devnet
from tests.chain.shared_devnet import rig as rig
from tests.chain.shared_devnet import share_the_loop
from tests.checks.preflight.ready_bot import ReadyBot


@pytest_asyncio.fixture(loop_scope="module")
async def bot(rig: DevnetRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ReadyBot]:
    monkeypatch.setenv("JITCTL_LOCK_DIR", str(tmp_path / "locks"))
    yield ReadyBot(rig, tmp_path / "bot")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_the_loop(items)
