"""The keeper as a real process with real sockets, over an engine double that can misbehave."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from installation import eventually, running_keeper, write_config

from jitctl.control.audit_chain import GENESIS, line_hash
from jitctl.control.roles import ROUTES
from jitctl.errors import DaemonNotRunning, Refused, UsageError
from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity


@pytest.fixture
def keeper(tmp_path):
    with running_keeper(tmp_path) as running:
        yield running


def http_get(keeper, path, method="GET", headers=None):
    host, port = keeper.http.removeprefix("http://").split(":")
    link = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        link.request(method, path, headers=headers or {})
        reply = link.getresponse()
        return reply.status, reply.headers, reply.read().decode()
    finally:
        link.close()


def test_lifecycle_through_the_socket(keeper):
    assert keeper.answer["status"]["state"] == "RUNNING"
    client = keeper.client()
    assert client.call("pause", body={"reason": "lunch"})["changed"] is True
    again = client.call("pause")
    assert (again["changed"], again["message"]) == (False, "already paused")
    assert client.call("status")["state"] == "PAUSED"
    assert client.call("resume")["state"] == "RUNNING"
    assert client.call("health")["status"] == "ok"
    assert client.call("stop")["state"] == "STOPPED"
    assert keeper.process.wait(10) == 0
    assert not keeper.socket.exists()
    assert not (keeper.base / "run" / "jitctl.pid").exists()
    with pytest.raises(DaemonNotRunning):
        client.call("status")


def test_every_command_is_in_the_audit_chain(keeper):
    keeper.client().call("pause", body={"reason": "why not"})
    keeper.client().call("resume")
    keeper.client().call("stop")
    keeper.process.wait(10)
    records = keeper.audit()
    assert [record["verb"] for record in records] == ["start", "pause", "resume", "stop"]
    started, paused = records[:2]
    assert (started["before"], started["mode"], started["door"]) == ("STOPPED", "test", "process")
    assert paused["why"] == "why not"
    assert (paused["before"], paused["after"], paused["door"]) == ("RUNNING", "PAUSED", "unix")
    previous = GENESIS
    for record in records:
        assert record["prev"] == previous
        assert record["hash"] == line_hash(record)
        previous = record["hash"]


def test_socket_and_folder_rights(keeper):
    assert stat.S_IMODE(keeper.socket.stat().st_mode) == 0o660
    assert stat.S_IMODE(keeper.socket.parent.stat().st_mode) == 0o750


def test_tcp_door_reads_only(keeper):
    assert http_get(keeper, "/health")[0] == 200
    status, _, body = http_get(keeper, "/api/status")
    assert (status, json.loads(body)["state"]) == (200, "RUNNING")
    _, _, body = http_get(keeper, "/metrics")
    assert "jit_up 1" in body
    assert 'jit_state{state="RUNNING"} 1' in body
    assert 'jit_happenings_total{name="heads"} 7' in body
    assert "jit_success_rate 0.25" in body
    for path, method in [
        ("/admin/pause", "POST"),
        ("/admin/stop", "POST"),
        ("/admin/pause", "GET"),
        ("/admin/anything", "POST"),
        ("/admin", "GET"),
        ("/api/config", "GET"),
    ]:
        status, _, body = http_get(keeper, path, method)
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (403, "permission_denied")
        known = (method, path) in {(route.method, route.path) for route in ROUTES}
        meant = f"-X {method} http://jit{path}" if known else "-X POST http://jit/admin/pause"
        assert error["hint"].endswith(meant)
    assert keeper.client().call("status")["state"] == "RUNNING"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "localhost:1"},
        {"Origin": "http://localhost"},
        {"Origin": "null"},
    ],
)
def test_tcp_door_refuses_foreign_pages(keeper, headers):
    status, _, body = http_get(keeper, "/api/status", headers=headers)
    assert status == 403
    assert "RUNNING" not in body


def test_tcp_door_takes_its_own_names(keeper):
    port = keeper.http.rsplit(":", 1)[1]
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert http_get(keeper, "/health", headers={"Host": f"{name}:{port}"})[0] == 200


def test_unknown_path_and_method_are_answered_in_json(keeper):
    status, _, body = http_get(keeper, "/api/statsu")
    assert (status, json.loads(body)["error"]["hint"]) == (404, "did you mean /api/status?")
    assert http_get(keeper, "/health", "DELETE")[0] == 405


@pytest.mark.parametrize("body", [{"raeson": "x"}, {"reason": 7}, {"reason": "x" * 2000}, {"mode": "prod"}])
def test_bad_bodies_change_nothing(keeper, body):
    with pytest.raises(UsageError):
        keeper.client().call("pause", body=body)
    assert keeper.client().call("status")["state"] == "RUNNING"


def test_pause_of_a_hung_engine_that_holds_the_barrier_ends_it(tmp_path):
    with running_keeper(tmp_path, behaviour="hang-on-pause hold-barrier") as keeper:
        reply = keeper.client().call("pause", body={"reason": "test"})
        assert (reply["forced"], reply["state"]) == (True, "STOPPED")
        assert "ended" in reply["message"]
        assert (keeper.audit()[-1]["verb"], keeper.audit()[-1]["forced"]) == ("pause", True)
        assert Latch(tmp_path / "data").paused()
        held = SubmitBarrier(tmp_path / "data").try_exclusive()
        assert held is not None
        held.release()
        again = keeper.client().call("pause")
        assert (again["changed"], again["state"]) == (False, "STOPPED")
        assert keeper.client().call("health")["status"] == "down"
        started = keeper.client().call("start", timeout_s=30)
        assert (started["changed"], started["state"]) == (True, "PAUSED")


def test_pause_of_a_hung_engine_that_is_not_submitting_leaves_it(tmp_path):
    with running_keeper(tmp_path, behaviour="hang-on-pause") as keeper:
        reply = keeper.client().call("pause")
        assert reply["forced"] is False
        assert "does not answer" in reply["message"]
        assert Latch(tmp_path / "data").paused()
        silent = eventually(
            lambda: (found := keeper.client().call("status")) and not found["engine"]["responsive"] and found,
            "the engine is called silent",
        )
        assert silent["engine"]["alive"] is True
        health = eventually(
            lambda: (found := keeper.client().call("health")) and found["status"] == "down" and found, "down"
        )
        assert health["live"] is False
        aged = eventually(
            lambda: (
                (found := keeper.client().call("status")) and found["engine"]["figuresAgeS"] > 2 and found
            ),
            "figures carry their age",
        )
        assert aged["tradingReady"] is False
        # The log shows what holds the engine.
        eventually(
            lambda: any("in hang" in str(line.get("text")) for line in keeper.log()), "its stack is logged"
        )


def test_engine_that_dies_is_said_to_be_dead_and_comes_back(keeper):
    first = keeper.engine_pid()
    os.kill(first, signal.SIGKILL)
    eventually(lambda: keeper.client().call("status")["state"] == "STOPPED", "the death is seen")
    seen = keeper.client().call("status")
    assert (seen["who"], seen["sinceS"] >= seen["startedAtS"]) == ("keeper", True)
    with pytest.raises(DaemonNotRunning):
        keeper.client().call("pause")
    with pytest.raises(DaemonNotRunning):
        keeper.client().call("resume")
    assert keeper.client().call("start", timeout_s=30)["state"] == "RUNNING"
    assert keeper.engine_pid() != first
    already = keeper.client().call("start")
    assert already["changed"] is False


def test_engine_ends_when_its_keeper_is_killed(keeper):
    engine = keeper.engine_pid()
    keeper.process.kill()
    keeper.process.wait(10)
    eventually(lambda: ProcessIdentity.of(engine) is None, "the engine ends by itself")


def test_test_engine_is_replaced_by_a_production_one(keeper):
    first, keeper_pid = keeper.engine_pid(), keeper.process.pid
    with pytest.raises(Refused, match="validate-live"):
        keeper.client().call("start", body={"mode": "production"})
    with pytest.raises(UsageError, match="reason"):
        keeper.client().call("start", body={"mode": "production", "force": True})
    assert keeper.engine_pid() == first
    forced = {"mode": "production", "force": True, "reason": "nothing to validate here"}
    assert keeper.client().call("start", body=forced, timeout_s=30)["changed"] is True
    status = keeper.client().call("status")
    assert (status["mode"], status["keeperPid"]) == ("production", keeper_pid)
    assert status["engine"]["pid"] != first
    with pytest.raises(Refused):
        keeper.client().call("start", body={"mode": "test"})


def test_halted_engine_pauses_but_does_not_resume(tmp_path):
    with running_keeper(tmp_path, behaviour="halted") as keeper:
        assert keeper.client().call("pause")["changed"] is False
        with pytest.raises(Refused):
            keeper.client().call("resume")


def test_stop_of_an_engine_that_dies_on_the_way(tmp_path):
    with running_keeper(tmp_path, behaviour="die-on-resume") as keeper:
        keeper.client().call("pause")
        with pytest.raises(Exception, match="ended before it answered"):
            keeper.client().call("resume")
        assert keeper.client().call("stop")["state"] == "STOPPED"
        assert keeper.process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_stops_in_good_order(keeper, number):
    keeper.process.send_signal(number)
    assert keeper.process.wait(15) == 0
    assert keeper.audit()[-1]["door"] == "signal"
    assert keeper.audit()[-1]["verb"] == "stop"


def test_second_signal_ends_at_once(tmp_path):
    with running_keeper(tmp_path, behaviour="hang-on-stop") as keeper:
        keeper.process.send_signal(signal.SIGTERM)
        eventually(lambda: "signal_received" in {line["event"] for line in keeper.log()}, "the first signal")
        keeper.process.send_signal(signal.SIGTERM)
        keeper.process.wait(15)


def test_second_keeper_in_one_folder_is_refused_and_harms_nothing(keeper):
    with running_keeper(keeper.base) as second:
        assert second.answer["error"]["code"] == "refused"
        assert f"pid {keeper.process.pid} (user " in second.answer["error"]["message"]
        assert second.process.wait(10) == 9
    assert keeper.client().call("status")["state"] == "RUNNING"


def test_stale_socket_and_pid_file_of_a_killed_keeper_are_no_obstacle(tmp_path):
    with running_keeper(tmp_path) as first:
        first.process.kill()
        first.process.wait(10)
        assert first.socket.exists()
        with pytest.raises(DaemonNotRunning):
            first.client().call("status")
    with running_keeper(tmp_path) as second:
        assert second.client().call("status")["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("behaviour", "code", "text"),
    [
        ("fail-starting", "refused", "already in use"),
        ("die-starting", "failed", "exit code 11"),
    ],
)
def test_start_that_fails_says_why(tmp_path, behaviour, code, text):
    with running_keeper(tmp_path, behaviour=behaviour) as keeper:
        assert keeper.answer["error"]["code"] == code
        assert text in keeper.answer["error"]["message"]
        assert keeper.process.wait(15) == (9 if code == "refused" else 1)
        assert not keeper.socket.exists()


def test_configuration_that_is_wrong_ends_the_start(tmp_path):
    write_config(tmp_path, strategy="[limits]\nmin_profit_wie = 1\n")
    with running_keeper(tmp_path) as keeper:
        error = keeper.answer["error"]
        assert error["code"] == "config_invalid"
        assert "strategy.toml:2:1: JC101" in error["message"]
        assert keeper.process.wait(10) == 4


def test_crowd_at_the_tcp_door_leaves_the_socket_free(keeper):
    host, port = keeper.http.removeprefix("http://").split(":")
    crowd = [socket.create_connection((host, int(port))) for _ in range(300)]
    try:
        assert keeper.client(timeout_s=3).call("pause")["changed"] is True
        descriptors = len(list(Path(f"/proc/{keeper.process.pid}/fd").iterdir()))
        assert descriptors < 150
    finally:
        for each in crowd:
            each.close()

    def free() -> bool:
        # As long as the door still counts the crowd it hangs up, with a 503 that may be lost on the way.
        try:
            return http_get(keeper, "/health")[0] == 200
        except (ConnectionError, http.client.HTTPException):
            return False

    eventually(free, "the door is free again")


def test_port_that_is_taken_is_named_with_its_owner(tmp_path, keeper):
    port = keeper.http.rsplit(":", 1)[1]
    other = tmp_path / "other"
    config = write_config(other)
    text = (config / "jitctl.toml").read_text().replace("port = 0", f"port = {port}")
    (config / "jitctl.toml").write_text(text)
    with running_keeper(other) as second:
        assert second.answer["error"]["code"] == "refused"
        assert f"(pid {keeper.process.pid})" in second.answer["error"]["message"]


def test_audit_that_cannot_be_written_refuses_resume_and_lets_pause_through(keeper):
    (keeper.base / "data" / "audit.jsonl").unlink()
    (keeper.base / "data" / "audit.jsonl").mkdir()
    assert keeper.client().call("pause")["changed"] is True
    with pytest.raises(Refused, match="audit"):
        keeper.client().call("resume")
    assert keeper.client().call("status")["state"] == "PAUSED"
    (keeper.base / "data" / "audit.jsonl").rmdir()
    assert keeper.client().call("resume")["changed"] is True
    assert [record["verb"] for record in keeper.audit()] == ["pause", "resume", "resume"]


def test_a_log_line_whose_fields_are_named_as_its_head_leaves_the_engine_heard(tmp_path):
    with running_keeper(tmp_path, behaviour="collide") as keeper:
        eventually(lambda: "engine_error" in {line["event"] for line in keeper.log()}, "the line is logged")
        assert keeper.client().call("pause", body={"reason": "test"})["state"] == "PAUSED"
        assert keeper.client().call("resume", body={"reason": "test"})["state"] == "RUNNING"
        keeper.client().call("stop")
        keeper.process.wait(10)


def test_no_secret_reaches_the_log(tmp_path):
    from engine_double import CANARY

    with running_keeper(tmp_path, behaviour="leak") as keeper:
        keeper.client().call("pause", body={"reason": f"the key is {CANARY}"})
        eventually(lambda: "engine_stderr" in {line["event"] for line in keeper.log()}, "stderr is logged")
        keeper.client().call("stop")
        keeper.process.wait(10)
    for name in ("logs/jit-bot.log", "data/audit.jsonl"):
        text = (tmp_path / name).read_text()
        assert CANARY not in text
        assert "hunter2" not in text
