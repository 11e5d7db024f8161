"""Readers share an answer for a tenth of a second, and never one that is no longer true."""

from __future__ import annotations

from fastapi.responses import Response
from installation import running_keeper

from jitctl.daemon.rendered import FRESH_S, Rendered


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_an_answer_serves_all_of_its_moment_and_nobody_later():
    clock, moment = Clock(), ["RUNNING"]
    rendered = Rendered(lambda: tuple(moment), clock)
    first = rendered.get("status", lambda: Response("1"))
    assert rendered.get("status", lambda: Response("2")) is first
    assert rendered.get("health", lambda: Response("3")) is not first
    moment[0] = "PAUSED"
    second = rendered.get("status", lambda: Response("4"))
    assert second.body == b"4"
    clock.now_s += FRESH_S / 2
    assert rendered.get("status", lambda: Response("5")) is second
    clock.now_s += FRESH_S
    assert rendered.get("status", lambda: Response("6")).body == b"6"


def test_what_changes_is_read_at_once(tmp_path):
    with running_keeper(tmp_path) as keeper:
        client = keeper.client()
        for _ in range(5):
            assert client.call("status")["state"] == "RUNNING"
            client.call("pause")
            assert client.call("status")["state"] == "PAUSED"
            client.call("resume")
        (tmp_path / "data" / "ARMED").rename(tmp_path / "data" / "HALTED")
        assert not client.call("status")["armed"]
        (tmp_path / "data" / "HALTED").rename(tmp_path / "data" / "ARMED")
        assert client.call("status")["armed"]
