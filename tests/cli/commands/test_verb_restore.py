"""restore config: the files of a backup, whole and valid, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from installation import POOLS_TOML, STRATEGY_TOML, running_keeper, write_config

from jitctl.config.load import load
from jitctl.maintenance.sealed_archive import pack, unpack

OTHER = STRATEGY_TOML.replace("20 ether", "10 ether")


def backed_up(jitctl) -> Path:
    done = jitctl("backup", "config", "-o", "json")
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["path"])


def state(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_restore_then_validate(installed, jitctl):
    """REC-1, also with everything lost but the backups."""
    config = installed / "config"
    archive, before = backed_up(jitctl), state(config)
    (config / "strategy.toml").write_text("[limits")
    (config / "pools.toml").unlink()
    (config / "alerts.toml").write_text("[contacts]\n")
    done = jitctl("restore", "config", "--yes", "-o", "json")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert (body["path"], body["changed"]) == (str(archive), True)
    assert (body["written"], body["removed"]) == (["pools.toml", "strategy.toml"], ["alerts.toml"])
    assert state(config) == before
    assert sorted(state(Path(body["keptIn"]))) == ["alerts.toml", "jitctl.toml", "strategy.toml"]
    assert jitctl("validate-config").returncode == 0
    again = jitctl("restore", "config", "--yes")
    assert (again.returncode, "the files are those of" in again.stdout) == (0, True)
    for path in config.iterdir():
        path.unlink()
    config.rmdir()
    whole = jitctl("restore", "config", archive, "--yes")
    assert (whole.returncode, state(config)) == (0, before), whole.stderr
    assert "no daemon runs" in whole.stdout


def test_beside_a_bot_it_says_what_takes_it_over_and_reload_does(keeper, jitctl):
    archive = backed_up(jitctl)
    (keeper.config / "strategy.toml").write_text(OTHER)
    (keeper.config / "pools.toml").write_text(POOLS_TOML.replace("0.05%", "five"))
    assert jitctl("reload-strategy").returncode == 0
    assert jitctl("reload-pools").returncode == 0
    dry = jitctl("restore", "config", "--dry-run")
    assert (dry.returncode, "would be put back; nothing was changed" in dry.stdout) == (0, True)
    assert load(keeper.config).hash == keeper.client().call("status")["configHash"]
    assert jitctl("restore", "config").returncode == 2
    done = jitctl("restore", "config", archive.name, "--yes")
    assert done.returncode == 0, done.stderr
    assert "the bot runs on by what it had" in done.stdout
    assert "next: jitctl reload-pools" in done.stdout and "next: jitctl reload-strategy" in done.stdout
    assert load(keeper.config).hash != keeper.client().call("status")["configHash"]
    taken = jitctl("restore", "config", "--reload", "--yes", "--reason", "as it was")
    assert taken.returncode == 0, taken.stderr
    assert load(keeper.config).hash == keeper.client().call("status")["configHash"]
    row = [each for each in keeper.audit() if each["verb"] == "reload-config"][-1]
    assert row["why"] == "as it was"


def test_a_bot_that_refuses_leaves_the_files_as_they_were(jitctl, tmp_path):
    config = write_config(tmp_path)
    backed_up(jitctl)
    (config / "strategy.toml").write_text(OTHER)
    with running_keeper(tmp_path, behaviour="refuse-reload"):
        before = state(config)
        done = jitctl("restore", "config", "--reload", "--yes")
        assert (done.returncode, "the files are what they were" in done.stderr) == (9, True)
        assert state(config) == before


def test_a_damaged_or_foreign_archive_changes_nothing(installed, jitctl):
    archive, config = backed_up(jitctl), installed / "config"
    (config / "strategy.toml").write_text(OTHER)
    whole, before = archive.read_bytes(), state(config)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for data in (bytes(flipped), whole[:-1], b"", b"PK"):
        archive.write_bytes(data)
        done = jitctl("restore", "config", "--yes")
        assert (done.returncode, "damaged" in done.stderr) == (1, True), done.stderr
    assert state(config) == before
    assert [path.name for path in (installed / "backups").iterdir()] == [archive.name]
    archive.write_bytes(whole)
    assert jitctl("restore", "config", "19990101", "--yes").returncode == 2
    assert jitctl("restore", "config", "no-such-file", "--yes").returncode == 2
    assert jitctl("restore", "config", archive.name.split("-")[-1][:8], "--yes").returncode == 0


def test_a_whole_archive_of_a_configuration_that_is_not_valid_any_more_is_4(installed, jitctl):
    import hashlib

    archive, config = backed_up(jitctl), installed / "config"
    members = unpack(archive.read_bytes())
    manifest = json.loads(members["config-backup.json"])
    bad = b"[limits]\nmin_profit_wei = 1.5\nnope = 1\n"
    members["config/strategy.toml"] = bad
    entry = {"sha256": hashlib.sha256(bad).hexdigest(), "size": len(bad)}
    manifest["files"]["config/strategy.toml"] = entry
    members["config-backup.json"] = json.dumps(manifest).encode()
    archive.write_bytes(pack(members, time_s=0))
    before = state(config)
    done = jitctl("restore", "config", "--yes")
    assert done.returncode == 4
    assert "min_profit_wei" in done.stderr and "nope" in done.stderr
    assert state(config) == before


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("config", "a", "b")])
def test_what_makes_no_sense_is_2(installed, jitctl, arguments):
    assert jitctl("restore", *arguments).returncode == 2
