"""preflight: its options, its shape and its exit codes; what the checks find is told in tests/checks."""

from __future__ import annotations

import json

from installation import JITCTL_TOML, write_config

from jitctl.checks.preflight.names import NAMES

KEYS = {"verb", "result", "checks", "configHash", "elapsedMs"}
CHECK_KEYS = {"name", "result", "detail", "remedy", "elapsedMs"}


def test_names_are_listed_and_unknown_ones_refused(jitctl):
    listed = jitctl("preflight", "--list", "-o", "json")
    assert [row["name"] for row in json.loads(listed.stdout)["checks"]] == list(NAMES)
    assert jitctl("preflight", "--list", "--only", "ledger").stdout.split()[0] == "ledger"
    refused = jitctl("preflight", "--skip", "disk-spaces")
    assert (refused.returncode, "did you mean 'disk-space'?" in refused.stderr) == (2, True)


def test_exit_codes_follow_the_worst_finding(installed, jitctl):
    warns = jitctl("preflight", "--only", "alert-routes", "--only", "daemon", "-o", "json")
    body = json.loads(warns.stdout)
    assert (warns.returncode, body["result"]) == (0, "warn")
    assert set(body) == KEYS
    assert [set(check) for check in body["checks"]] == [CHECK_KEYS] * 2
    assert [check["name"] for check in body["checks"]] == ["daemon", "alert-routes"]
    assert warns.stderr == ""
    assert jitctl("preflight", "--only", "alert-routes", "--strict").returncode == 10
    unknown = jitctl("preflight", "--only", "executor-code")
    assert (unknown.returncode, "not asked: no node to ask" in unknown.stdout) == (8, True)
    fails = jitctl("preflight", "--only", "node-reachable", "--only", "pools", "--strict")
    assert (fails.returncode, fails.stdout.splitlines()[0][:4]) == (1, "FAIL")
    assert "Traceback" not in fails.stdout + fails.stderr


def test_everything_runs_where_nothing_is_there(installed, jitctl):
    found = jitctl("preflight", "-o", "json")
    assert found.returncode == 1
    results = {check["name"]: check["result"] for check in json.loads(found.stdout)["checks"]}
    assert list(results) == list(NAMES)
    assert results["node-reachable"] == results["key-permissions"] == "fail"
    assert results["daemon"] == results["socket-folder"] == results["ledger"] == "pass"


def test_a_wrong_configuration_says_where(installed, jitctl):
    write_config(installed, strategy="[limits]\n")
    found = jitctl("preflight")
    assert found.returncode == 4
    assert "strategy.toml:1:1: JC102" in found.stderr


def test_a_secret_url_that_is_not_there_is_named(installed, jitctl):
    toml = JITCTL_TOML.replace('http_url = "http://127.0.0.1:1"', 'http_url_file = "keys/url"')
    write_config(installed, jitctl=toml)
    found = jitctl("preflight", "--only", "chain-id", "--only", "gas-money")
    assert found.returncode == 8
    assert found.stdout.count("keys/url") >= 2


def test_beside_a_daemon(keeper, jitctl):
    found = jitctl("preflight", "--only", "daemon", "--only", "http-port", "--only", "file-descriptors")
    assert found.returncode == 0, found.stdout
    assert "runs in mode test, RUNNING" in found.stdout
    assert "for the daemon that runs" in found.stdout
    port = int(keeper.http.rsplit(":", 1)[1])
    write_config(keeper.base, jitctl=JITCTL_TOML.replace("port = 0", f"port = {port}"))
    assert "is our daemon's" in jitctl("preflight", "--only", "http-port").stdout


def test_a_port_of_somebody_else_is_named(keeper, jitctl, tmp_path):
    port = int(keeper.http.rsplit(":", 1)[1])
    other = tmp_path / "other"
    config = write_config(other, jitctl=JITCTL_TOML.replace("port = 0", f"port = {port}"))
    found = jitctl("--config-dir", str(config), "preflight", "--only", "http-port")
    assert (found.returncode, f"(pid {keeper.process.pid})" in found.stdout) == (1, True)
