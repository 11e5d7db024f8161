"""start that fails: exit code, reason, and the log's last lines, for the mistakes that people make."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from eth_keyfile import create_keyfile_json
from installation import JITCTL_TOML, write_config

REAL_ENGINE = {"JITCTL_ENGINE_COMMAND": ""}


def last_lines(stderr):
    head, found, lines = stderr.partition("the log's last lines:\n")
    assert found, stderr
    return head, lines


def test_engine_that_refuses_or_dies(installed, jitctl):
    found = jitctl("start", "--mode", "test", behaviour="fail-starting")
    assert found.returncode == 9
    head, lines = last_lines(found.stderr)
    assert "already in use" in head
    assert "engine_spawned" in lines
    dead = jitctl("start", "--mode", "test", "-o", "json", behaviour="die-starting")
    error = json.loads(dead.stderr)["error"]
    assert (dead.returncode, error["code"]) == (1, "failed")
    assert "Segmentation fault" in error["message"]


@pytest.mark.parametrize("foreground", [[], ["--foreground"]])
def test_wrong_configuration_says_where(installed, jitctl, foreground):
    write_config(installed, strategy="[limits]\n")
    found = jitctl("start", "--mode", "test", *foreground)
    assert found.returncode == 4
    assert "strategy.toml:1:1: JC102" in found.stderr
    assert "Traceback" not in found.stderr


def test_port_that_is_taken_names_its_owner(installed, jitctl):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        write_config(installed, jitctl=JITCTL_TOML.replace("port = 0", f"port = {port}"))
        found = jitctl("start", "--mode", "test")
    assert found.returncode == 9
    head, lines = last_lines(found.stderr)
    assert f"port {port} is taken by" in head
    assert f"(pid {os.getpid()})" in head
    assert "start_failed" in lines


def test_keys_that_are_missing_and_a_node_that_is_dead(installed, jitctl):
    missing = jitctl("start", "--mode", "test", env=REAL_ENGINE)
    assert missing.returncode == 4, missing.stderr
    assert "keys/op0" in missing.stderr
    keys = Path(installed / "keys")
    keys.mkdir()
    keystore = create_keyfile_json(b"\x01" * 32, b"passphrase", kdf="pbkdf2", iterations=1000)
    for name, text in (("op0.json", json.dumps(keystore)), ("op0.pass", "passphrase")):
        (keys / name).write_text(text)
        (keys / name).chmod(0o600)
    dead = jitctl("start", "--mode", "test", env=REAL_ENGINE | {"JITCTL_LOCK_DIR": str(installed / "locks")})
    assert dead.returncode == 1, dead.stderr
    head, lines = last_lines(dead.stderr)
    assert "door" in head
    assert "start_failed" in lines
    assert "Traceback" not in dead.stderr
