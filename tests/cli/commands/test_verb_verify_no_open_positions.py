"""verify-no-open-positions: no answer is exit code 8, with a body on stdout and the error on stderr."""

from __future__ import annotations

import json

from installation import write_config


def test_a_node_that_is_not_there_cannot_tell(jitctl, tmp_path):
    write_config(tmp_path)
    found = jitctl("verify-no-open-positions", "-o", "json")
    assert found.returncode == 8
    body = json.loads(found.stdout)
    assert (body["result"], body["blockNumber"], body["positions"]) == ("unknown", None, [])
    assert body["secondOpinion"] is False
    assert [(node["name"], node["result"]) for node in body["nodes"]] == [("door", "unknown")]
    assert json.loads(found.stderr)["error"]["code"] == "cannot_determine"
    text = jitctl("verify-no-open-positions")
    assert (text.returncode, "no open positions" in text.stdout) == (8, False)
    assert "cannot determine" in text.stderr
