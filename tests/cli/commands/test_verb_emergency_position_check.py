"""emergency-position-check is verify-no-open-positions."""

from __future__ import annotations

import json

from installation import write_config

from jitctl.cli.commands.emergency_position_check import emergency_position_check
from jitctl.cli.commands.verify_no_open_positions import verify_no_open_positions


def test_it_is_the_same_code(jitctl, tmp_path):
    assert emergency_position_check is verify_no_open_positions
    write_config(tmp_path)
    found = jitctl("emergency-position-check", "-o", "json")
    assert (found.returncode, json.loads(found.stdout)["result"]) == (8, "unknown")
