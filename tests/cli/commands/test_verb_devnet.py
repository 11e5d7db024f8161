"""devnet: what it says when there is none (its life as a process is tests/devnet/test_devnet_process.py)."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("words", [("status",), ("swap", "--pool", "WETH/USDC-0.05%", "--amount-in", "1")])
def test_without_a_devnet_it_says_how_to_start_one(jitctl, tmp_path, words):
    found = jitctl("devnet", *words, "--dir", tmp_path, "-o", "json")
    assert found.returncode == 3
    assert "devnet up" in json.loads(found.stderr)["error"]["hint"]
