"""morning-check: the checklist in one report; what cannot be told is never said to be well."""

from __future__ import annotations

import json


def test_the_checklist_with_a_node_that_is_away(keeper, jitctl):
    found = jitctl("morning-check", "-o", "json")
    report = json.loads(found.stdout)
    results = {check["name"]: check["result"] for check in report["checks"]}
    assert results == {
        "health": "pass", "node-sync": "unknown", "profit": "pass", "success-rate": "pass",
        "profit-to-gas": "pass", "error-rate": "pass", "errors-logged": "pass", "pools": "pass",
        "configuration": "pass", "latency": "pass",
    }  # fmt: skip
    assert (found.returncode, report["result"]) == (8, "unknown")


def test_without_a_daemon_it_fails_and_says_how_to_start(installed, jitctl):
    found = jitctl("morning-check")
    assert (found.returncode, "jitctl start --mode test" in found.stdout) == (1, True)


def test_files_that_differ_from_what_runs_are_a_warning(keeper, jitctl):
    strategy = keeper.config / "strategy.toml"
    strategy.write_text(strategy.read_text().replace("20 ether", "21 ether"))
    report = json.loads(jitctl("morning-check", "-o", "json").stdout)
    results = {check["name"]: check["result"] for check in report["checks"]}
    assert results["configuration"] == "warn"
    detail = next(check["detail"] for check in report["checks"] if check["name"] == "configuration")
    assert detail.endswith(": limits.max_notional_wei (reload-strategy)")


def test_a_configuration_that_is_wrong_is_a_failure_not_a_crash(keeper, jitctl):
    (keeper.config / "strategy.toml").write_text("x")
    report = json.loads(jitctl("morning-check", "-o", "json").stdout)
    results = {check["name"]: check["result"] for check in report["checks"]}
    assert (results["configuration"], results["health"], results["profit"]) == ("fail", "pass", "unknown")
