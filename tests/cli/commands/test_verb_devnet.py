"""devnet: what it says when there is none (its life as a process is tests/devnet/test_devnet_process.py)."""

from __future__ import annotations

import json

import pytest

from jitctl.cli.commands.devnet import _base_units
from jitctl.errors import UsageError


@pytest.mark.parametrize("words", [("status",), ("swap", "--pool", "WETH/USDC-0.05%", "--amount-in", "1")])
def test_without_a_devnet_it_says_how_to_start_one(jitctl, tmp_path, words):
    found = jitctl("devnet", *words, "--dir", tmp_path, "-o", "json")
    assert found.returncode == 3
    assert "devnet up" in json.loads(found.stderr)["error"]["hint"]


@pytest.mark.parametrize("words", [("devnet", "up"), ("devnet", "up", "--detach"), ("demo",)])
def test_a_folder_that_cannot_be_made_is_said(jitctl, tmp_path, words):
    (tmp_path / "file").touch()
    found = jitctl(*words, "--dir", tmp_path / "file" / "net", "-o", "json")
    assert found.returncode == 1
    assert "cannot make the folder" in json.loads(found.stderr.splitlines()[-1])["error"]["message"]


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "much", "0.0000001", "1e3000000", "1e33"])
def test_what_no_token_can_hold_is_no_amount(text):
    with pytest.raises(UsageError):
        _base_units(text, 6)


def test_an_amount_is_read_in_whole_tokens():
    assert _base_units("1.5", 6) == 1_500_000
