"""Files of the config folder replaced as one step: the old ones or the new ones, whatever happens."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
from installation import POOLS_TOML, STRATEGY_TOML, write_config

from jitctl.config.load import load
from jitctl.config.locate import MARKER, find_config_dir
from jitctl.config.pending_set import PendingFile, PendingSet
from jitctl.config.put_back import PutBack, finish, put_back
from jitctl.config.source import Text, read_texts
from jitctl.errors import ConfigError, JitError, PermissionDenied, Refused
from tests.unprivileged import as_nobody

NEW_STRATEGY = STRATEGY_TOML.replace("20 ether", "10 ether")
NEW_POOLS = POOLS_TOML.replace("0.05%", "five")
STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.chown", "os.rmdir", "os.link"}
MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]


def texts_of(config: Path, **files: str) -> dict[str, Text]:
    """Return the folder's files with others of these names instead: `pools_json` is pools.json."""
    texts, _ = read_texts(config)
    for key, text in files.items():
        stem, _, end = key.partition("_")
        texts[stem] = Text(config / f"{stem}.{end or 'toml'}", text.encode())
    return texts


def pools_json(config: Path) -> str:
    import tomllib

    return json.dumps(tomllib.loads(NEW_POOLS))


def run(config: Path, texts: dict[str, Text], **options: object) -> PutBack:
    given = {"expected_hash": load(config, texts).hash, "about": "a test", "now_s": 1_700_000_000.0}
    return put_back(config, texts, backups=config.parent / "backups", **{**given, **options})  # type: ignore[arg-type]


def open_to_all(folder: Path) -> None:
    for path in (folder, *folder.parents):
        if path.stat().st_mode & 0o055 != 0o055:
            path.chmod(path.stat().st_mode | 0o055)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def state(config: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in config.iterdir()}


def test_every_file_is_replaced_and_the_earlier_set_is_kept_whole(tmp_path):
    config = write_config(tmp_path)
    before, wanted = state(config), texts_of(config, strategy=NEW_STRATEGY, pools=NEW_POOLS)
    (config / "strategy.toml").chmod(0o604)
    done = run(config, wanted)
    assert (done.written, done.removed) == (("pools.toml", "strategy.toml"), ())
    assert (config / "strategy.toml").read_text() == NEW_STRATEGY
    assert (config / "strategy.toml").stat().st_mode & 0o777 == 0o604
    assert names(config) == ["jitctl.toml", "pools.toml", "strategy.toml"]
    assert done.kept_in == tmp_path / "backups" / "config-replaced-20231114T221320Z"
    assert state(done.kept_in) == before
    assert {each.stat().st_mode & 0o777 for each in done.kept_in.iterdir()} == {0o640}
    assert run(config, wanted) == PutBack()
    assert names(tmp_path / "backups") == [done.kept_in.name]


def test_what_the_wanted_set_lacks_goes_and_a_file_of_the_other_form_too(tmp_path):
    config = write_config(tmp_path)
    (config / "alerts.toml").write_text("[contacts]\n")
    (config / "notes.txt").write_text("mine")
    wanted = texts_of(config, pools_json=pools_json(config))
    del wanted["alerts"]
    done = run(config, wanted)
    assert (done.written, done.removed) == (("pools.json",), ("pools.toml", "alerts.toml"))
    assert names(config) == ["jitctl.toml", "notes.txt", "pools.json", "strategy.toml"]
    assert done.kept_in is not None and "alerts.toml" in names(done.kept_in)
    run(config, texts_of(config, pools=POOLS_TOML))
    assert names(config) == ["jitctl.toml", "notes.txt", "pools.toml", "strategy.toml"]
    assert len(names(tmp_path / "backups")) == 2


def test_a_file_that_comes_anew_can_be_read_by_whoever_reads_its_neighbours(tmp_path):
    """The daemon is neither the owner of the folder nor in its group; its next start reads this file too."""
    config = write_config(tmp_path)
    open_to_all(config)
    for each in config.iterdir():
        each.chmod(0o644)
    run(config, texts_of(config, alerts="# none\n"))
    assert (config / "alerts.toml").stat().st_mode & 0o777 == 0o644
    assert as_nobody((config / "alerts.toml").read_text) == "# none\n"


def test_a_link_is_followed_to_what_it_names_and_one_that_leads_nowhere_is_refused(tmp_path):
    config, checkout = write_config(tmp_path), tmp_path / "checkout"
    checkout.mkdir()
    (config / "pools.toml").rename(checkout / "live-pools.toml")
    (config / "pools.toml").symlink_to("../checkout/live-pools.toml")
    run(config, texts_of(config, pools=NEW_POOLS))
    assert (config / "pools.toml").is_symlink()
    assert (checkout / "live-pools.toml").read_text() == NEW_POOLS
    assert names(checkout) == ["live-pools.toml"]
    (checkout / "live-pools.toml").unlink()
    with pytest.raises(Refused, match="leads nowhere; nothing was changed"):
        run(config, texts_of(config, pools=POOLS_TOML))


def test_what_does_not_load_to_its_hash_or_was_edited_meanwhile_changes_nothing(tmp_path):
    config = write_config(tmp_path)
    before, wanted = state(config), texts_of(config, strategy=NEW_STRATEGY)
    with pytest.raises(ConfigError, match="another hash"):
        run(config, wanted, expected_hash="0" * 64)
    with pytest.raises(ConfigError):
        run(config, texts_of(config, strategy=NEW_STRATEGY + "x"), expected_hash="0" * 64)
    seen, _ = read_texts(config)
    (config / "pools.toml").write_text(NEW_POOLS)
    with pytest.raises(Refused, match="others than a moment ago"):
        run(config, wanted, seen=seen)
    (config / "pools.toml").write_text(POOLS_TOML)
    assert state(config) == before
    assert not (tmp_path / "backups").exists() or names(tmp_path / "backups") == []


def killed_at(config: Path, wanted: dict[str, Text], step: int) -> bool:
    """Run in a fork that is killed before its `step`th change of the file system; False if it got through."""
    child = os.fork()
    if child == 0:
        count = 0
        target = load(config, wanted).hash

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event in STEPS or event == "fsync":
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        plain = os.fsync

        def fsync(descriptor: int) -> None:
            watch("fsync", ())
            plain(descriptor)

        os.fsync = fsync
        sys.addaudithook(watch)
        try:
            run(config, wanted, expected_hash=target)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_killed_at_any_step_the_folder_is_the_old_or_the_new_set_and_is_tidied_up(tmp_path):
    outcomes = []
    for step in range(1, 400):
        folder = tmp_path / str(step)
        config = write_config(folder)
        (config / "alerts.toml").write_text("[contacts]\n")
        wanted = texts_of(config, strategy=NEW_STRATEGY, pools_json=pools_json(config))
        del wanted["alerts"]
        old, new = load(config).hash, load(config, wanted).hash
        killed = killed_at(config, wanted, step)
        found = load(find_config_dir(str(config))).hash
        assert found in (old, new), step
        finish(config)
        assert load(config).hash == found, step
        assert not (config / MARKER).exists()
        outcomes.append(found == new)
        # A later one is not kept from its work by what an interrupted one left.
        run(config, wanted)
        assert names(config) == ["jitctl.toml", "pools.json", "strategy.toml"], step
        if not killed:
            break
    assert not killed
    assert outcomes == sorted(outcomes)
    assert outcomes.count(False) > 20 and outcomes.count(True) > 8


def test_who_may_not_tidy_up_reads_the_whole_new_set(tmp_path):
    config = write_config(tmp_path)
    wanted = texts_of(config, strategy=NEW_STRATEGY)
    new = load(config, wanted).hash
    staged = config / ".strategy.toml.put-back"
    staged.write_text(NEW_STRATEGY)
    (config / "pools.toml").rename(config / "pools.bak")
    files = {
        "jitctl": PendingFile("jitctl.toml"),
        "pools": PendingFile("pools.toml", str(config / "pools.bak"), str(config / "pools.toml")),
        "strategy": PendingFile("strategy.toml", str(staged), str(config / "strategy.toml")),
        "alerts": None,
    }
    (config / MARKER).write_bytes(PendingSet(files, about="a test").as_bytes())
    open_to_all(config)
    for each in config.iterdir():
        each.chmod(0o644)
    assert as_nobody(lambda: load(config).hash) == new
    assert load(config).hash == new
    finish(config)
    assert names(config) == ["jitctl.toml", "pools.toml", "strategy.toml"]


def test_who_may_not_look_where_a_link_leads_to_or_into_the_folder_is_told_so(tmp_path):
    config = write_config(tmp_path)
    open_to_all(tmp_path)
    closed = tmp_path / "closed"
    closed.mkdir()
    real, staged = closed / "strategy.toml", closed / ".strategy.toml.put-back"
    (config / "strategy.toml").rename(real)
    (config / "strategy.toml").symlink_to(real)
    staged.write_text(NEW_STRATEGY)
    files = {stem: PendingFile(f"{stem}.toml") for stem in ("jitctl", "pools")}
    files["strategy"] = PendingFile("strategy.toml", str(staged), str(real))
    (config / MARKER).write_bytes(PendingSet(files).as_bytes())
    closed.chmod(0)
    told = as_nobody(lambda: [str(each) for each in read_texts(config)[1]])
    closed.chmod(0o700)
    assert f"{config / 'strategy.toml'}:1:1: JC003 cannot be read: Permission denied" in told
    config.chmod(0o444)
    told = as_nobody(lambda: finish(config))
    config.chmod(0o755)
    assert told.startswith("PermissionDenied: ")
    assert "nothing was changed" in told


def test_a_marker_that_says_nothing_is_refused_by_name(tmp_path):
    config = write_config(tmp_path)
    (config / MARKER).write_text("[]")
    with pytest.raises(ConfigError, match=r"\.put-back\.json"):
        load(config)
    with pytest.raises(JitError, match=r"\.put-back\.json cannot be read"):
        run(config, texts_of(write_config(tmp_path / "other"), strategy=NEW_STRATEGY), expected_hash=None)


@pytest.mark.parametrize("said", ['{"files": {"pools": {"name": 5}}', '"../pools.toml"', "[" * 9_999])
def test_a_marker_of_another_kind_is_refused_and_names_no_other_file(tmp_path, said):
    config = write_config(tmp_path)
    if said.startswith('"'):
        entry = f'{{"name": {said}, "staged": null, "target": null}}'
        said = f'{{"files": {{"pools": {entry}}}, "remove": [], "about": "", "restores": null}}'
    (config / MARKER).write_text(said)
    with pytest.raises(JitError, match=r"\.put-back\.json cannot be read"):
        finish(config)
    assert names(config) == [MARKER, "jitctl.toml", "pools.toml", "strategy.toml"]


def test_the_place_that_has_no_room_is_named(tmp_path, monkeypatch):
    """A write that fails does not say which file it was: the full disk is that of the backups here."""
    config, synced = write_config(tmp_path), []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JitError, match=r"backups/config-replaced-\w+/jitctl.toml: No space.*nothing was"):
        run(config, texts_of(config, strategy=NEW_STRATEGY))


def test_only_one_at_a_time(tmp_path):
    import fcntl

    config = write_config(tmp_path)
    wanted = texts_of(config, strategy=NEW_STRATEGY)
    descriptor = os.open(config, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="somebody else"):
            run(config, wanted)
    finally:
        os.close(descriptor)


def test_without_the_right_nothing_is_changed(tmp_path):
    config = write_config(tmp_path)
    before = state(config)
    open_to_all(config)
    wanted = texts_of(config, strategy=NEW_STRATEGY)
    said = as_nobody(lambda: run(config, wanted))
    assert said.startswith(PermissionDenied.__name__) and "nothing was changed" in said
    # Also where the folder is writable and the files are another's: they would get another owner.
    config.chmod(0o777)
    said = as_nobody(lambda: run(config, wanted))
    assert said.startswith(PermissionDenied.__name__) and "nothing was changed" in said
    assert state(config) == before


def mounts() -> bool:
    try:
        probe = subprocess.run([*MOUNT, "mount -t tmpfs tmpfs /tmp"], capture_output=True, timeout=20)
    except OSError:
        return False
    return probe.returncode == 0


@pytest.mark.parametrize("how", ["blocks", "inodes", "read-only"] if mounts() else ["limit"])
def test_a_disk_that_takes_nothing_changes_nothing(tmp_path, how):
    child = Path(__file__).with_name("put_back_child.py")
    command = f"exec {sys.executable} {child} {how} {tmp_path}"
    if how != "limit":
        command = f"mount -t tmpfs -o size=160k,nr_inodes=24 tmpfs {tmp_path} && {command}"
        done = subprocess.run([*MOUNT, command], capture_output=True, text=True, timeout=60, check=False)
    else:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same"] and told["left"] == ["jitctl.toml", "pools.toml", "strategy.toml"]
    assert "nothing was changed" in told["error"]
