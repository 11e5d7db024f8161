"""config rollback: the files of an earlier generation, and a bot that runs by them; or nothing changes."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from installation import JITCTL_TOML, STRATEGY_TOML, environment, running_keeper, write_config

from jitctl.cli import files_put_back
from jitctl.config.load import load
from jitctl.config.locate import MARKER
from jitctl.config.pending_set import PendingFile, PendingSet
from jitctl.safety.durable import create_record

PLACE = f"chain 31337 through executor 0x{'33' * 20}"


def limits(ether: int) -> str:
    return STRATEGY_TOML.replace("20 ether", f"{ether} ether")


def reloaded(keeper, jitctl, *ethers):
    for ether in ethers:
        (keeper.config / "strategy.toml").write_text(limits(ether))
        done = jitctl("reload-strategy")
        assert done.returncode == 0, done.stderr


def state(config):
    return {path.name: path.read_bytes() for path in config.iterdir()}


def typed(folder, word, *args):
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{word}\n".encode())
        return subprocess.run(
            [sys.executable, "-m", "jitctl", *args],
            cwd=folder, env=environment(), stdin=theirs, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)


def test_it_goes_back_one_generation_after_another_and_the_bot_with_it(keeper, jitctl):
    reloaded(keeper, jitctl, 10, 5)
    status = keeper.client().call("status")
    assert status["generation"] == 3
    dry = jitctl("config", "rollback", "--dry-run")
    assert (dry.returncode, "generation 2 would be put back; nothing was changed" in dry.stdout) == (0, True)
    assert "limits.max_notional_wei: 5 ether -> 10 ether" in dry.stdout
    done = jitctl("config", "rollback", "--yes", "--reason", "it loses money", "-o", "json")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert (body["changed"], body["generation"], body["written"], body["needsRestart"]) == (
        True, 2, ["strategy.toml"], [],
    )  # fmt: skip
    assert (keeper.config / "strategy.toml").read_text() == limits(10)
    assert body["keptIn"].startswith(str(keeper.base / "backups" / "config-replaced-"))
    kept = Path(body["keptIn"]) / "strategy.toml"
    assert kept.read_text() == limits(5)
    after = keeper.client().call("status")
    assert (after["generation"], after["configHash"]) == (4, load(keeper.config).hash)
    # Once more: what was before the one that was put back, not the one that was left.
    again = jitctl("config", "rollback", "--yes")
    assert again.returncode == 0, again.stderr
    assert (keeper.config / "strategy.toml").read_text() == STRATEGY_TOML
    assert "generation 1 is in the files; the configuration reloaded: generation 5" in again.stdout
    last = jitctl("config", "rollback", "--yes")
    assert (last.returncode, "nothing before" in last.stderr) == (1, True)
    forward = jitctl("config", "rollback", "--to", "3", "--yes")
    assert forward.returncode == 0, forward.stderr
    assert (keeper.config / "strategy.toml").read_text() == limits(5)
    assert jitctl("config", "diff").returncode == 0
    rows = [row for row in keeper.audit() if row["verb"] == "reload-config"]
    assert [row["outcome"] for row in rows] == ["ok"] * 3
    assert rows[0]["why"] == "it loses money"
    listed = jitctl("config", "generations").stdout
    assert "puts back 2" in listed and "puts back 3" in listed


@pytest.mark.parametrize("broken", ["[[[", None, "wrong"])
def test_files_that_are_broken_or_gone_become_those_that_run(keeper, jitctl, broken):
    main = keeper.config / "jitctl.toml"
    if broken is None:
        main.unlink()
    else:
        main.write_text(broken if broken != "wrong" else JITCTL_TOML.replace("31337", '"x"'))
    (keeper.config / "alerts.toml").write_text("[[[")
    done = jitctl("config", "rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert main.read_text() == JITCTL_TOML
    assert not (keeper.config / "alerts.toml").exists()
    assert "the files are not valid now" in done.stdout
    assert "nothing to reload" in done.stdout
    assert jitctl("config", "diff").returncode == 0
    assert keeper.client().call("status")["generation"] == 1


def test_without_a_terminal_it_wants_yes_and_on_one_its_word(keeper, jitctl):
    reloaded(keeper, jitctl, 10)
    refused = jitctl("config", "rollback")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    before = state(keeper.config)
    unsure = typed(keeper.base, "yes", "config", "rollback")
    assert (unsure.returncode, PLACE in unsure.stderr) == (1, True)
    assert "limits.max_notional_wei" in unsure.stderr
    assert state(keeper.config) == before
    sure = typed(keeper.base, "rollback", "config", "rollback", "-o", "json")
    assert (sure.returncode, json.loads(sure.stdout)["generation"]) == (0, 1)


def test_a_bot_that_refuses_leaves_the_files_as_they_were(jitctl, tmp_path):
    with running_keeper(tmp_path) as keeper:
        reloaded(keeper, jitctl, 10)
        jitctl("stop")
    with running_keeper(tmp_path, behaviour="refuse-reload") as keeper:
        (keeper.config / "notes.txt").write_text("mine")
        before, status = state(keeper.config), keeper.client().call("status")
        done = jitctl("config", "rollback", "--yes")
        assert done.returncode == 9
        assert "the node is away; the bot runs on as before, and the files are what they were" in done.stderr
        assert state(keeper.config) == before
        after = keeper.client().call("status")
        assert (after["generation"], after["configHash"]) == (status["generation"], status["configHash"])


def test_keys_that_need_a_restart_are_named(keeper, jitctl):
    (keeper.config / "jitctl.toml").write_text(JITCTL_TOML.replace("port = 0", "port = 9999"))
    (keeper.config / "strategy.toml").write_text(limits(10))
    assert jitctl("reload-strategy").returncode == 0
    jitctl("stop")
    with running_keeper(keeper.base):
        done = jitctl("config", "rollback", "--to", "1", "--yes")
        assert done.returncode == 0, done.stderr
        assert "only a restart takes over: http.port" in done.stdout
        assert load(keeper.config).main.http.port == 0


def test_without_a_daemon_only_the_files_are_put_back(jitctl, tmp_path):
    config = write_config(tmp_path)
    none = jitctl("config", "rollback", "--yes")
    assert (none.returncode, "no generation" in none.stderr) == (1, True)
    with running_keeper(tmp_path) as keeper:
        reloaded(keeper, jitctl, 10)
        jitctl("stop")
    done = jitctl("config", "rollback", "--yes")
    assert (done.returncode, "no daemon runs: the next `jitctl start`" in done.stdout) == (0, True)
    assert (config / "strategy.toml").read_text() == STRATEGY_TOML
    unknown = jitctl("config", "rollback", "--to", "9", "--yes")
    assert (unknown.returncode, "there are 1 to 2" in unknown.stderr) == (2, True)
    kept = sorted((tmp_path / "data" / "generations").glob("000002-*"))[0]
    (kept / "strategy.toml").write_text(limits(7))
    damaged = jitctl("config", "rollback", "--to", "2", "--yes")
    assert (damaged.returncode, "strategy.toml is not what was kept" in damaged.stderr) == (4, True)
    (kept / "strategy.toml").write_text("[limits")
    cut = jitctl("config", "rollback", "--to", "2", "--yes")
    assert (cut.returncode, "strategy.toml is not what was kept" in cut.stderr) == (4, True)
    assert (config / "strategy.toml").read_text() == STRATEGY_TOML


def kept_by_another_version(folder: Path) -> None:
    """Give every kept generation another hash, as a version does whose models lack a key of ours."""
    current = json.loads((folder / "current.json").read_text())
    for each in folder.glob("0*"):
        record = json.loads((each / "generation.json").read_text())
        record["hash"] = hashlib.sha256(record["hash"].encode()).hexdigest()
        create_record(each / "generation.json", record)
        each.rename(folder / f"{record['number']:06d}-{record['hash'][:12]}")
        if record["number"] == current["number"]:
            create_record(folder / "current.json", {"number": record["number"], "hash": record["hash"]})


def test_it_goes_back_across_an_upgrade(jitctl, tmp_path):
    config = write_config(tmp_path)
    with running_keeper(tmp_path) as keeper:
        reloaded(keeper, jitctl, 10)
        jitctl("stop")
    kept_by_another_version(tmp_path / "data" / "generations")
    same = jitctl("config", "diff")
    assert (same.returncode, "as the last that ran (generation 2)" in same.stdout) == (0, True)
    with running_keeper(tmp_path) as keeper:
        assert keeper.client().call("status")["generation"] == 3
        done = jitctl("config", "rollback", "--yes")
        assert (done.returncode, "generation 1 is in the files" in done.stdout) == (0, True), done.stderr
        assert keeper.client().call("status")["generation"] == 4
        jitctl("stop")
    assert (config / "strategy.toml").read_text() == STRATEGY_TOML
    kept = next((tmp_path / "data" / "generations").glob("000002-*"))
    text = (kept / "strategy.toml").read_text() + "no_longer_known = 1\n"
    (kept / "strategy.toml").write_text(text)
    record = json.loads((kept / "generation.json").read_text())
    digest = hashlib.sha256(text.encode()).hexdigest()
    record["sha256"] = [[name, digest if name == "strategy.toml" else old] for name, old in record["sha256"]]
    create_record(kept / "generation.json", record)
    unknown = jitctl("config", "rollback", "--to", "2", "--yes")
    assert unknown.returncode == 4
    assert "generation 2 is not valid for this version" in unknown.stderr
    assert "no_longer_known" in unknown.stderr


def test_one_that_was_interrupted_is_finished_and_reloaded_not_gone_past(keeper, jitctl):
    reloaded(keeper, jitctl, 10, 5)
    config = keeper.config
    staged = config / ".strategy.toml.put-back"
    staged.write_text(limits(10))
    files = {stem: PendingFile(f"{stem}.toml") for stem in ("jitctl", "pools")}
    files["strategy"] = PendingFile("strategy.toml", str(staged), str(config / "strategy.toml"))
    pending = PendingSet({**files, "alerts": None}, about="generation 2", restores=2)
    (config / MARKER).write_bytes(pending.as_bytes())
    done = jitctl("config", "rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert "finished what was interrupted: generation 2" in done.stdout
    assert sorted(path.name for path in config.iterdir()) == ["jitctl.toml", "pools.toml", "strategy.toml"]
    assert (config / "strategy.toml").read_text() == limits(10)
    assert keeper.client().call("status")["configHash"] == load(config).hash


def test_a_start_finishes_what_was_interrupted(tmp_path):
    config = write_config(tmp_path)
    staged = config / ".strategy.toml.put-back"
    staged.write_text(limits(10))
    files = {stem: PendingFile(f"{stem}.toml") for stem in ("jitctl", "pools")}
    files["strategy"] = PendingFile("strategy.toml", str(staged), str(config / "strategy.toml"))
    (config / MARKER).write_bytes(PendingSet({**files, "alerts": None}, about="a test").as_bytes())
    with running_keeper(tmp_path) as keeper:
        assert sorted(path.name for path in config.iterdir()) == [
            "jitctl.toml", "pools.toml", "strategy.toml",
        ]  # fmt: skip
        assert (config / "strategy.toml").read_text() == limits(10)
        assert keeper.client().call("status")["configHash"] == load(config).hash


def test_of_rollbacks_at_once_each_is_whole_and_the_bot_runs_by_the_files(keeper, jitctl):
    reloaded(keeper, jitctl, 10, 5)
    wanted = {limits(10), STRATEGY_TOML}
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(jitctl, "config", "rollback", "--to", 1 + n % 2, "--yes") for n in range(6)]
        codes = [each.result().returncode for each in asked]
    assert 0 in codes and set(codes) <= {0, 9}, codes
    assert sorted(path.name for path in keeper.config.iterdir()) == [
        "jitctl.toml", "pools.toml", "strategy.toml",
    ]  # fmt: skip
    assert (keeper.config / "strategy.toml").read_text() in wanted
    assert keeper.client().call("status")["configHash"] == load(keeper.config).hash


def test_what_a_confirmation_is_about_is_coloured_on_a_terminal_and_no_code_is_spelt_out(capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    change = {
        "file": "pools",
        "key": "pools[a]\x1b.enabled",
        "kind": "changed",
        "before": True,
        "after": False,
    }
    body = {"problem": "", "differences": [change | {"appliedBy": "reload-pools"}]}
    files_put_back.show_before_asking(body, "text")
    shown = capsys.readouterr().err
    assert "\x1b[33m~\x1b[0m pools[a]\\x1b.enabled: true -> false" in shown
    files_put_back.show_before_asking(body | {"differences": []}, "text")
    assert capsys.readouterr().err == ""
