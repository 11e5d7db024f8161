"""Each module has a devnet and a daemon of its own; its tests lay their faults one after another."""

from __future__ import annotations

import zlib

import pytest
import pytest_asyncio
from rig import installed, two_nodes


@pytest.fixture(scope="module", autouse=True)
def locks(tmp_path_factory):
    """Devnets of one seed share their keys: other daemons on this machine are not our business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JITCTL_LOCK_DIR", str(tmp_path_factory.mktemp("locks")))
        yield


@pytest.fixture(scope="module")
def seed(request):
    """The devnet's and the users' seed, by the module's name alone."""
    found = zlib.crc32(request.module.__name__.encode()) % 100_000
    print(f"seed: {found}")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory, seed):
    """An installation with two nodes and one relay, trading in production."""
    async with installed(tmp_path_factory.mktemp("net"), seed, two_nodes) as running:
        await running.start()
        running.trade()
        await running.lands()
        yield running
