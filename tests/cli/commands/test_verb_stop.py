"""stop: ended when it says so, and repeatable."""

from __future__ import annotations


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


def test_stop_of_a_daemon_that_lost_its_socket_says_what_to_do(keeper, jitctl):
    keeper.socket.unlink()
    found = jitctl("stop")
    assert found.returncode == 5
    assert f"kill {keeper.process.pid}" in found.stderr
