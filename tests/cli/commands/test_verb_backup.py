"""backup config: what the files say, in an archive by its day; no secret is in it."""

from __future__ import annotations

import json
import tarfile
import time

from installation import JITCTL_TOML, STRATEGY_TOML, running_keeper, write_config

CANARY = "c0ffee" * 10 + "c0ff"


def test_a_backup_has_todays_name_and_is_taken_once(installed, jitctl):
    before = time.strftime("%Y%m%d", time.gmtime())
    done = jitctl("backup", "config", "--verify", "-o", "json")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    days = {before, time.strftime("%Y%m%d", time.gmtime())}
    names = {str(installed / "backups" / f"config-backup-{day}.tar.gz") for day in days}
    assert body["path"] in names
    assert (body["changed"], body["verified"]) == (True, True)
    assert body["files"] == ["jitctl.toml", "pools.toml", "strategy.toml"]
    again = jitctl("backup", "config")
    assert (again.returncode, "nothing has changed since" in again.stdout) == (0, len(days) == 1)
    (installed / "config" / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "9 ether"))
    other = json.loads(jitctl("backup", "config", "-o", "json").stdout)
    assert other["changed"] and other["path"] != body["path"]


def test_no_secret_that_the_files_name_is_in_it(jitctl, tmp_path):
    write_config(tmp_path, jitctl=JITCTL_TOML.replace("[http]", '[http]\ntoken_file = "keys/http.token"'))
    (tmp_path / "keys").mkdir()
    for name in ("op0.json", "op0.pass", "http.token"):
        (tmp_path / "keys" / name).write_text(CANARY)
    done = jitctl("backup", "config", "-o", "json")
    assert done.returncode == 0, done.stderr
    with tarfile.open(json.loads(done.stdout)["path"]) as archive:
        for member in archive:
            found = archive.extractfile(member)
            assert found is not None and CANARY.encode() not in found.read(), member.name
        assert len(archive.getnames()) == 4


def test_it_names_the_generation_that_it_holds(keeper, jitctl):
    assert json.loads(jitctl("backup", "config", "-o", "json").stdout)["generation"] == 1


def test_what_cannot_be_restored_is_not_backed_up(installed, jitctl):
    (installed / "config" / "strategy.toml").write_text("[limits\n")
    done = jitctl("backup", "config")
    assert (done.returncode, "strategy.toml:" in done.stderr) == (4, True)
    assert not (installed / "backups").exists()


def test_a_folder_that_cannot_be_written_says_so(installed, jitctl):
    (installed / "backups").write_text("in the way")
    done = jitctl("backup", "config")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert jitctl("backup").returncode == 2
    assert jitctl("backup", "nothing").returncode == 2


def test_beside_a_bot_it_disturbs_nothing(tmp_path, jitctl):
    with running_keeper(tmp_path) as keeper:
        before = keeper.client().call("status")["configHash"]
        assert jitctl("backup", "config").returncode == 0
        assert keeper.client().call("status")["configHash"] == before
        assert len(list((tmp_path / "backups").iterdir())) == 1
