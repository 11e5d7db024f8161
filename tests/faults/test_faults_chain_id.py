"""A chain id that does not match: the start is refused with its reason, and nothing is left running."""

from __future__ import annotations

import pytest
from rig import NODES, installed, two_nodes

from jitctl.errors import JitError
from jitctl.safety.process_identity import ProcessIdentity


def another_chain(config):
    two_nodes(config)
    path = config / "jitctl.toml"
    path.write_text(path.read_text().replace("chain_id = 31337", "chain_id = 5"))


async def refused(rig):
    with pytest.raises(JitError) as told:
        await rig.start()
    print(told.value.exit_code, told.value.message, "/", told.value.hint)
    rig.no_traceback()
    events = [line["event"] for line in rig.log_lines()]
    assert "daemon_stopped" in events
    spawned = [line["pid"] for line in rig.log_lines() if line["event"] == "engine_spawned"]
    assert [pid for pid in spawned if ProcessIdentity.of(pid) is not None] == []
    return told.value


async def test_a_configuration_for_another_chain_is_refused(tmp_path, seed):
    async with installed(tmp_path, seed, another_chain) as rig:
        error = await refused(rig)
        assert "chain id 31337, not 5" in error.message
        assert len(rig.door.heard) < 50


async def test_nodes_of_another_chain_are_refused_and_one_right_node_is_enough(tmp_path, seed):
    async with installed(tmp_path, seed, two_nodes) as rig:
        async with rig.fault("wrong_chain", *NODES, value=5):
            assert "chain id 5, not 31337" in (await refused(rig)).message
        async with rig.fault("wrong_chain", "node", value=5):
            status = await rig.start()
            assert status["state"] == "RUNNING"
            assert [node["usable"] for node in status["figures"]["nodes"]] == [False, True]
            rig.trade()
            await rig.lands()
        await rig.whole()
