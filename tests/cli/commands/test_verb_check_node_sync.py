"""check-node-sync: an unreachable node is unknown, in both forms, and never fine."""

from __future__ import annotations

import json

from installation import write_config


def test_a_node_that_is_not_there_is_unknown_with_a_remedy(jitctl, tmp_path):
    write_config(tmp_path)
    found = jitctl("check-node-sync")
    assert found.returncode == 8
    assert "nodes.door.reachable" in found.stdout
    assert "check that the node runs" in found.stdout
    body = json.loads(jitctl("check-node-sync", "-o", "json").stdout)
    assert (body["verb"], body["result"]) == ("check-node-sync", "unknown")
    assert [check["name"] for check in body["checks"]] == ["nodes.door.reachable"]
