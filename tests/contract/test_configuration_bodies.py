"""JSON of the configuration's verbs and of what they keep: adding a key is fine, dropping one is not."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
from installation import STRATEGY_TOML, write_config

from jitctl.cli.app import run
from jitctl.config.generations import Generation, Generations
from jitctl.config.load import load
from jitctl.config.pending_set import PendingFile, PendingSet
from jitctl.config.report.sarif import sarif
from jitctl.config.rule_book import BY_ID, RULES, WARNING
from jitctl.maintenance.config_backup import read

PUT_BACK = (
    "changed dryRun configHash generation finished daemon problem differences written removed keptIn"
    " needsRestart reload message"
)
SIDE = "label generation configHash"
DIFFERENCE = "file key kind before after appliedBy"
BODIES = {
    "validate-config": (0, "valid files errors warnings problems notChecked configHash"),
    "validate-strategy-config": (0, "valid files errors warnings problems notChecked"),
    "config show limits": (0, "configDir configHash values"),
    "config generations": (0, "generations filesHash daemon problem"),
    "config diff": (1, "same before after files differences reloads needsRestart note"),
    "config rollback --dry-run": (0, PUT_BACK),
    "backup config": (0, "changed path configHash generation files verified"),
    "restore config --yes": (0, f"{PUT_BACK} path reloads"),
}
INNER = {
    "config show limits": ("values", "key name file value readable origin"),
    "config generations": (
        "generations",
        "number configHash time timeS who verb why restores current running files",
    ),
    "config diff": ("differences", DIFFERENCE),
    "config rollback --dry-run": ("differences", DIFFERENCE),
}
WITHOUT_A_DAEMON = {"pool-status": 3, "reload-pools": 3, "reload-strategy --dry-run": 3}


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """Return a folder whose strategy.toml was edited since it ran, beside its kept generation."""
    folder = write_config(tmp_path_factory.mktemp("bot"))
    found = load(folder)
    kept = Generations(found.folders.data)
    kept.set_current(kept.keep(found.hash, found.texts, time_s=time.time(), who="root", verb="start"))
    (folder / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
    return folder


def answer(config: Path, line: str, capsys) -> tuple[int, str, str]:
    code = run(["--config-dir", str(config), *line.split(), "-o", "json"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_body_has_its_keys_and_its_exit_code(config, capsys) -> None:
    for line, (code, keys) in BODIES.items():
        found, out, _ = answer(config, line, capsys)
        body = json.loads(out)
        assert (line, found, set(keys.split()) - set(body)) == (line, code, set())
        if line in INNER:
            name, inner = INNER[line]
            assert body[name] and set(inner.split()) <= set(body[name][0]), line
        if line == "config diff":
            assert set(SIDE.split()) <= set(body["before"]) & set(body["after"])


@pytest.mark.parametrize("line", WITHOUT_A_DAEMON)
def test_an_error_is_json_on_stderr_and_nothing_on_stdout(line, config, capsys) -> None:
    code, out, err = answer(config, line, capsys)
    assert (code, out) == (WITHOUT_A_DAEMON[line], "")
    assert {"code", "message", "hint"} <= set(json.loads(err)["error"])


def test_a_problem_has_its_keys_in_a_body_and_in_an_error(tmp_path, capsys) -> None:
    folder = write_config(tmp_path, strategy=STRATEGY_TOML.replace("max_notional_wei", "max_notionalwei"))
    keys = {"rule", "file", "line", "column", "key", "message", "hint", "severity"}
    code, out, _ = answer(folder, "validate-config", capsys)
    assert (code, set(json.loads(out)["problems"][0])) == (4, keys)
    code, out, err = answer(folder, "config diff", capsys)
    assert (code, out, set(json.loads(err)["error"]["problems"][0])) == (4, "", keys)


def test_what_is_kept_on_disk_can_be_read_by_the_next_version(config, capsys) -> None:
    (record,) = (config.parent / "data" / "generations").glob("*/generation.json")
    keys = {"number", "hash", "time_s", "who", "verb", "why", "restores", "files", "sha256"}
    assert keys == set(json.loads(record.read_text())) == {each.name for each in fields(Generation)}
    current = json.loads((record.parents[1] / "current.json").read_text())
    assert set(current) == {"number", "hash"}
    assert {each.name for each in fields(PendingSet)} == {"files", "remove", "about", "restores"}
    assert {each.name for each in fields(PendingFile)} == {"name", "staged", "target"}
    _, out, _ = answer(config, "backup config", capsys)
    assert read(Path(json.loads(out)["path"])).files.keys() >= {"jitctl.toml", "pools.toml", "strategy.toml"}


def test_rules_of_alerts_and_of_sarif_stay() -> None:
    assert {f"JC{number}" for number in (*range(401, 421), *range(501, 505))} <= set(BY_ID)
    warnings = {rule.id for rule in RULES if rule.severity == WARNING and rule.id >= "JC4"}
    assert warnings == {"JC409", "JC418", "JC419"}
    rules = sarif([], version="1", place=str, line_of=str)["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
