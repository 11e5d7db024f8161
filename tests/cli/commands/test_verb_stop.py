"""stop: ended when it says so, and repeatable."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading

from installation import eventually, running_keeper, write_config

from jitctl.errors import JitError


def test_stopped_means_ended(installed, jitctl):
    assert jitctl("start", "--mode", "test").returncode == 0
    stopped = jitctl("stop", "--reason", "done")
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
    assert not (installed / "run" / "jitctl.pid").exists()
    again = jitctl("stop")
    assert (again.returncode, again.stdout) == (0, "already stopped\n")


def test_stop_works_while_the_configuration_is_broken(installed, jitctl):
    assert jitctl("start", "--mode", "test").returncode == 0
    (installed / "config" / "jitctl.toml").write_text("broken = [")
    assert jitctl("pause").returncode == 0
    assert jitctl("stop").returncode == 0


def test_no_broken_file_hides_a_bot_that_keeps_its_folders_elsewhere(tmp_path, jitctl):
    file = write_config(tmp_path) / "jitctl.toml"
    good = f'[paths]\nrun = "{tmp_path}/far/run"\ndata = "{tmp_path}/far/data"\n' + file.read_text()
    file.write_text(good)
    with running_keeper(tmp_path) as keeper:
        for rubbish in (b"\xff\x00", b""):
            file.write_bytes(rubbish)
            for verb in ("pause", "stop", "status"):
                found = jitctl(verb)
                assert (found.returncode, "cannot be read" in found.stderr) == (8, True), verb
        file.write_text(good + "\nbroken = [")
        assert jitctl("pause").returncode == 0
        assert jitctl("stop").returncode == 0
        assert keeper.process.wait(20) == 0


def test_stop_of_a_daemon_that_lost_its_socket_says_what_to_do(keeper, jitctl):
    keeper.socket.unlink()
    found = jitctl("stop")
    assert found.returncode == 5
    assert f"kill {keeper.process.pid}" in found.stderr


def test_a_bot_whose_run_folder_is_gone_is_not_called_stopped(keeper, jitctl):
    engine = keeper.engine_pid()
    shutil.rmtree(keeper.base / "run")
    found = jitctl("stop")
    assert found.returncode == 5
    assert f"pid {engine}" in found.stderr
    os.kill(engine, signal.SIGKILL)


def test_stop_that_took_force_says_so(jitctl, tmp_path):
    with running_keeper(tmp_path, behaviour="hang-on-stop hold-barrier") as keeper:
        found = jitctl("stop", "-o", "json")
        reply = json.loads(found.stdout)
        assert (found.returncode, reply["forced"], reply["state"]) == (0, True, "STOPPED")
        assert keeper.process.wait(10) == 0
        assert (keeper.audit()[-1]["outcome"], keeper.audit()[-1]["forced"]) == ("ok", True)
        assert "engine_ended_by_force" in {line["event"] for line in keeper.log()}


def test_stop_of_a_daemon_that_hangs_is_not_confirmed(keeper, jitctl):
    keeper.process.send_signal(signal.SIGSTOP)
    try:
        found = jitctl("stop")
        assert found.returncode == 5
        assert "requested, not confirmed" in found.stderr
        assert f"kill -9 {keeper.process.pid}" in found.stderr
    finally:
        keeper.process.send_signal(signal.SIGCONT)


def test_stop_ends_an_engine_that_starts_for_ever(jitctl, tmp_path):
    """A start that hangs keeps nobody from stopping."""
    with running_keeper(tmp_path) as keeper:
        os.kill(keeper.engine_pid(), signal.SIGKILL)
        eventually(lambda: keeper.client().call("status")["state"] == "STOPPED", "its death is seen")
        (tmp_path / "never-ready").touch()
        starting = threading.Thread(target=swallow, args=(lambda: keeper.client(60).call("start"),))
        starting.start()
        eventually(lambda: keeper.client().call("status")["engine"]["alive"], "another engine starts")
        found = jitctl("stop")
        assert found.returncode == 0
        assert keeper.process.wait(10) == 0
        starting.join(10)
        assert not starting.is_alive()


def swallow(call):
    with contextlib.suppress(JitError):
        call()
