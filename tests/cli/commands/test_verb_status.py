"""status: what is known now, and how old it is."""

from __future__ import annotations

import json
import signal


def test_status_as_text_and_json(keeper, jitctl):
    shown = json.loads(jitctl("status", "-o", "json").stdout)
    assert (shown["state"], shown["mode"], shown["headNumber"]) == ("RUNNING", "test", 7)
    text = jitctl("status").stdout
    assert "RUNNING" in text
    assert f"pid {shown['engine']['pid']}, answers in" in text


def test_an_old_runbooks_heap_dump_signal_ends_nothing(keeper, jitctl):
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        keeper.process.send_signal(number)
    assert jitctl("status").returncode == 0
    assert keeper.process.poll() is None


def test_status_of_nothing_is_3(installed, jitctl):
    found = jitctl("status", "-o", "json")
    assert found.returncode == 3
    assert json.loads(found.stderr)["error"]["code"] == "daemon_not_running"


def test_a_daemon_that_does_not_answer_is_5(keeper, jitctl):
    keeper.process.send_signal(signal.SIGSTOP)
    try:
        assert jitctl("status").returncode == 5
    finally:
        keeper.process.send_signal(signal.SIGCONT)
