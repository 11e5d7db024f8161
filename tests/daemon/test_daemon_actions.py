"""What the API does besides pausing: halting, crisis levels, reloads, validation, and what readers get."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from installation import POOLS_TOML, STRATEGY_TOML, eventually, running_keeper

from jitctl.config.load import load
from jitctl.daemon.history import History
from jitctl.errors import ConfigError, Refused, TimedOut, UsageError
from jitctl.safety.latch import Latch
from jitctl.safety.stopping import pause_now
from jitctl.safety.validated import FRESH_S, ValidationRecord

SECOND_POOL = POOLS_TOML.replace("0x" + "66" * 20, "0x" + "77" * 20).replace("-0.05%", "-0.3%")
SECOND_POOL = SECOND_POOL.replace("fee_pips = 500", "fee_pips = 3000").replace("spacing = 10", "spacing = 60")


@pytest.fixture
def keeper(tmp_path):
    with running_keeper(tmp_path) as running:
        yield running


def lies_unread(socket):
    """Whether a caller waits to be accepted, as the kernel tells: state 02 (connecting) of our path."""
    lines = Path("/proc/net/unix").read_text(encoding="ascii").splitlines()
    return any(line.endswith(f" {socket}") and line.split()[5] == "02" for line in lines)


def last(keeper):
    return keeper.audit()[-1]


def test_a_resume_that_nobody_waits_for_undoes_no_pause(keeper):
    asked = keeper.client()
    asked.call("pause", body={"reason": "one"})
    keeper.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(TimedOut):
            asked.call("resume", body={"reason": "stale"}, timeout_s=0.2)
    finally:
        keeper.process.send_signal(signal.SIGCONT)
    eventually(lambda: keeper.audit()[-1]["why"] == "stale", "the late resume is in the trail")
    assert keeper.audit()[-1]["outcome"] == "refused"
    assert keeper.client().call("status")["state"] == "PAUSED"
    assert keeper.client().call("resume")["state"] == "RUNNING"


def test_a_resume_that_lies_in_a_hung_keepers_socket_undoes_no_pause_by_the_files(keeper):
    asked = keeper.client()
    asked.call("pause", body={"reason": "one"})
    seen = asked.call("status")["latchMark"]
    keeper.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(asked.call, "resume", body={"mark": seen})
        eventually(lambda: lies_unread(keeper.socket), "the resume lies in the keeper's socket")
        pause_now(keeper.base / "data", "bob", "by the files", 1.0)
        keeper.process.send_signal(signal.SIGCONT)
        with pytest.raises(Refused, match="after this was asked"):
            waiting.result(10)
    assert keeper.client().call("status")["state"] == "PAUSED"


def test_emergency_stop_halts_and_is_repeated_safely(keeper):
    reply = keeper.client().call("emergency-stop", body={"reason": "odd trades"})
    assert (reply["state"], reply["changed"]) == ("HALTED", True)
    assert not Latch(keeper.base / "data").armed()
    assert keeper.client().call("emergency-stop")["changed"] is False
    assert (keeper.audit()[-2]["why"], last(keeper)["after"]) == ("odd trades", "HALTED")


@pytest.mark.parametrize("behaviour", ["hang-on-pause", "hang-on-pause hold-barrier"])
def test_emergency_stop_of_a_hung_engine_halts_without_it(tmp_path, behaviour):
    with running_keeper(tmp_path, behaviour=behaviour) as keeper:
        reply = keeper.client().call("emergency-stop", body={"reason": "it hangs"})
        assert reply["changed"] is True
        assert reply["forced"] is ("hold-barrier" in behaviour)
        assert reply["state"] == ("STOPPED" if reply["forced"] else "HALTED")
        assert not Latch(keeper.base / "data").armed()


def test_emergency_stop_without_an_engine_halts_all_the_same(tmp_path):
    with running_keeper(tmp_path) as keeper:
        os.kill(keeper.engine_pid(), signal.SIGKILL)
        eventually(lambda: keeper.client().call("status")["state"] == "STOPPED", "the engine has ended")
        assert "halted" in keeper.client().call("emergency-stop")["message"]
        assert not Latch(keeper.base / "data").armed()


def test_crisis_level_says_what_it_changed(keeper):
    client = keeper.client()
    with pytest.raises(UsageError, match="level"):
        client.call("crisis-mode", body={"reason": "x"})
    with pytest.raises(UsageError, match="reason"):
        client.call("crisis-mode", body={"level": "high"})
    with pytest.raises(UsageError):
        client.call("crisis-mode", body={"level": "panic", "reason": "x"})
    assert (
        client.call("crisis-mode", body={"level": "high", "reason": "market_volatility"})["changed"] is True
    )
    assert client.call("status")["crisisLevel"] == "high"
    assert (last(keeper)["before"], last(keeper)["after"]) == ("off", "high")
    assert client.call("crisis-mode", body={"level": "off", "reason": "calm"})["changed"] is True


def test_a_level_is_lowered_only_while_that_can_be_recorded(keeper):
    client = keeper.client()
    client.call("crisis-mode", body={"level": "high", "reason": "x"})
    trail = keeper.base / "data" / "audit.jsonl"
    trail.unlink()
    trail.mkdir()
    assert client.call("crisis-mode", body={"level": "critical", "reason": "worse"})["changed"] is True
    with pytest.raises(Refused, match="audit"):
        client.call("crisis-mode", body={"level": "low", "reason": "better"})
    assert client.call("status")["crisisLevel"] == "critical"


def test_reload_takes_over_what_has_changed_and_nothing_else(keeper):
    client, config = keeper.client(), keeper.config
    before = client.call("status")["configHash"]
    assert client.call("reload-pools")["changed"] is False
    (config / "pools.toml").write_text(POOLS_TOML + SECOND_POOL)
    (config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
    assert client.call("reload-pools", body={"reason": "one more"})["changed"] is True
    after = client.call("status")["configHash"]
    assert (last(keeper)["before"], last(keeper)["after"]) == (before[:12], after[:12])
    assert len(client.call("pool-status")["pools"]) == 2
    assert client.call("reload-strategy")["changed"] is True
    assert client.call("status")["configHash"] == load(config).hash


def test_reload_names_what_needs_a_restart(keeper):
    main = keeper.config / "jitctl.toml"
    main.write_text(main.read_text().replace("chain_id = 31337", "chain_id = 31337\nslot_seconds = 6.0"))
    reply = keeper.client().call("reload-pools")
    assert (reply["changed"], "chain.slot_seconds" in reply["hint"]) == (False, True)


@pytest.mark.parametrize("text", ["[[pools]]\nname = ", "", POOLS_TOML + POOLS_TOML, "\x00"])
def test_reload_of_something_wrong_changes_nothing(keeper, text):
    before = keeper.client().call("status")["configHash"]
    (keeper.config / "pools.toml").write_text(text)
    with pytest.raises(ConfigError):
        keeper.client().call("reload-pools")
    status = keeper.client().call("status")
    assert (status["configHash"], status["state"]) == (before, "RUNNING")
    assert last(keeper)["outcome"] == "config_invalid"


def test_reload_that_the_engine_refuses_leaves_the_old_one(tmp_path):
    with running_keeper(tmp_path, behaviour="refuse-reload") as keeper:
        before = keeper.client().call("status")["configHash"]
        (keeper.config / "pools.toml").write_text(POOLS_TOML + SECOND_POOL)
        with pytest.raises(Refused, match="the node is away"):
            keeper.client().call("reload-pools")
        assert keeper.client().call("status")["configHash"] == before
        assert len(keeper.client().call("pool-status")["pools"]) == 1


def test_pools_and_latencies_are_shown(keeper):
    found = keeper.client().call("pool-status")
    (pool,) = found["pools"]
    assert (found["headNumber"], pool["healthy"], pool["enabled"], pool["tick"]) == (7, True, True, 5)
    (row,) = keeper.client().call("latency-breakdown")["stages"]
    assert (row["stage"], row["p95Ms"]) == ("seen_to_simulated", 9.0)


def test_what_the_engine_does_not_tell_is_unknown_not_healthy(tmp_path):
    with running_keeper(tmp_path) as keeper:
        keeper.client().call("status")
        os.kill(keeper.engine_pid(), signal.SIGKILL)
        eventually(lambda: keeper.client().call("status")["state"] == "STOPPED", "the engine has ended")
        found = keeper.client().call("pool-status")
        assert ([pool["healthy"] for pool in found["pools"]], "not running" in found["problem"]) == (
            [None],
            True,
        )


def test_validation_opens_the_way_to_production_for_this_configuration_alone(keeper):
    client = keeper.client(timeout_s=30)
    report = client.call("validate-live")
    assert {check["name"]: check["result"] for check in report["checks"]} == {
        "engine": "pass", "swaps": "pass", "simulations": "pass", "latency": "pass", "trading-ready": "pass",
        "snapshots": "pass", "alerts": "warn",
    }  # fmt: skip
    strategy = keeper.config / "strategy.toml"
    text = strategy.read_text()
    strategy.write_text(text.replace("20 ether", "21 ether"))
    with pytest.raises(Refused, match="has changed since"):
        client.call("start", body={"mode": "production"})
    strategy.write_text(text)
    assert client.call("start", body={"mode": "production"})["changed"] is True
    assert client.call("status")["mode"] == "production"


def test_a_failed_validation_opens_nothing(tmp_path):
    with running_keeper(tmp_path, behaviour="sick-pool") as keeper:
        assert keeper.client().call("validate-live")["result"] == "fail"
        assert last(keeper)["outcome"] == "fail"
        with pytest.raises(Refused, match="there is none"):
            keeper.client().call("start", body={"mode": "production"})


def test_a_validation_lasts_a_day_and_what_ran_may_come_back(tmp_path):
    now_s = 1_000_000.0
    record = ValidationRecord(tmp_path, lambda: now_s)
    with pytest.raises(Refused, match="there is none"):
        record.require("a")
    record.keep("a", "ann")
    record.require("a")
    now_s += FRESH_S + 1
    with pytest.raises(Refused, match="24 is the limit"):
        record.require("a")
    now_s -= FRESH_S + 2
    with pytest.raises(Refused, match="limit"):
        record.require("a")  # a clock that was put back proves nothing
    now_s += 10 * FRESH_S
    record.mark_running("a")
    record.require("a")
    now_s += FRESH_S - 1
    record.require("a")
    record.mark_seen()
    now_s += FRESH_S - 1
    record.require("a")
    now_s += 2
    with pytest.raises(Refused):
        record.require("a")  # killed, and long gone
    record.mark_seen()
    record.require("a")
    with pytest.raises(Refused):
        record.require("b")
    record.mark_ended()
    now_s += FRESH_S - 1
    record.require("a")
    now_s += 2
    with pytest.raises(Refused):
        record.require("a")
    record.mark_ended()
    with pytest.raises(Refused):
        record.require("a")  # a later end is somebody else's


def test_a_test_bot_that_ends_proves_nothing_for_production(keeper):
    record = ValidationRecord(keeper.base / "data")
    record.mark_running("a")
    before = (keeper.base / "data" / "validated.json").read_bytes()
    keeper.client().call("stop")
    assert keeper.process.wait(20) == 0
    assert (keeper.base / "data" / "validated.json").read_bytes() == before


def test_history_counts_within_its_window_and_starts_anew_with_an_engine():
    now_s = 0.0
    history = History(lambda: now_s)

    def add(pid, seen):
        history.add(pid, {"counts": {"happenings": {"pending_seen": seen}}, "stages": {}})

    add(1, 5)
    assert history.risen("happenings", "pending_seen", 60) == 5
    now_s = 100.0
    add(1, 9)
    assert history.risen("happenings", "pending_seen", 60) == 0
    assert history.risen("happenings", "pending_seen", 150) == 9
    now_s = 130.0
    add(1, 12)
    assert history.risen("happenings", "pending_seen", 60) == 3
    add(1, 13)  # within the second: not kept
    assert history.risen("happenings", "pending_seen", 60) == 3
    add(2, 1)
    assert history.risen("happenings", "pending_seen", 60) == 1


def test_a_resume_that_waited_in_a_hung_engine_does_not_undo_a_later_pause(keeper):
    client, pid = keeper.client(), keeper.engine_pid()
    client.call("pause")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimedOut):
            client.call("resume", timeout_s=0.3)
        assert client.call("pause", body={"reason": "a later one"})["message"].startswith("paused")
    finally:
        os.kill(pid, signal.SIGCONT)
    ended = eventually(
        lambda: [each for each in keeper.audit() if each["verb"] == "resume"], "the resume was answered"
    )
    assert ended[0]["outcome"] == "refused"
    assert client.call("status")["state"] == "PAUSED"
    assert client.call("resume")["state"] == "RUNNING"
