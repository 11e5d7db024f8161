"""The audit trail and the log: chains, torn lines, full disks, rotation."""

from __future__ import annotations

import json
import resource
import signal

import pytest

from jitctl.control.audit_chain import GENESIS, line_hash
from jitctl.daemon.audit import Audit
from jitctl.daemon.telemetry import Telemetry
from jitctl.errors import Refused


def chain(path):
    previous, records = GENESIS, []
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        assert record["prev"] == previous
        assert record["hash"] == line_hash(record)
        previous = record["hash"]
        records.append(record)
    return records


def test_audit_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "audit.jsonl"
    Audit(path, wall_s=lambda: 1.0).record(verb="pause", who="ann")
    Audit(path, wall_s=lambda: 2.0).record(verb="resume", who="bob")
    assert [(record["seq"], record["verb"], record["time"]) for record in chain(path)] == [
        (1, "pause", 1.0),
        (2, "resume", 2.0),
    ]


def test_audit_steps_over_a_torn_line(tmp_path):
    path = tmp_path / "audit.jsonl"
    Audit(path).record(verb="pause")
    with path.open("ab") as file:
        file.write(b'{"seq": 2, "verb": "res')
    Audit(path).record(verb="stop")
    assert [record["verb"] for record in chain(path)] == ["pause", "stop"]


def test_audit_goes_on_after_a_record_of_any_length(tmp_path):
    path = tmp_path / "audit.jsonl"
    Audit(path).record(verb="start")
    Audit(path).record(verb="start", why="x y " * 50_000)
    Audit(path).record(verb="stop")
    assert [record["seq"] for record in chain(path)] == [1, 2, 3]


def test_half_a_character_neither_fails_nor_keeps_later_records_back(tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.record(verb="pause", why="\udcff odd")
    assert audit.record_all([{"time": 1.0, "verb": "pause", "why": "\ud800"}])
    audit.record(verb="stop")
    assert [record.get("why") for record in chain(path)] == ["? odd", "?", None]


def test_audit_keeps_what_cannot_be_written_and_writes_it_later(tmp_path):
    path = tmp_path / "no" / "audit.jsonl"
    path.parent.mkdir()
    path.mkdir()
    audit = Audit(path)
    audit.record(verb="pause")
    assert audit.queued == 1
    with pytest.raises(Refused):
        audit.require()
    path.rmdir()
    audit.require()
    assert audit.queued == 0
    assert [record["verb"] for record in chain(path)] == ["pause"]


def test_audit_on_a_full_disk_leaves_no_half_line(tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.record(verb="pause")
    size = path.stat().st_size
    # A limit on file size stands for the full disk; its signal must not end the test.
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        audit.record(verb="stop", why="x" * 500)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert audit.queued == 1
    assert path.stat().st_size == size
    audit.record(verb="later")
    assert [record["verb"] for record in chain(path)] == ["pause", "stop", "later"]


def test_log_lines_are_json_with_fixed_head_and_no_secrets(tmp_path):
    path = tmp_path / "logs" / "jit-bot.log"
    log = Telemetry(path, wall_s=lambda: 1_700_000_000.25)
    log.log("strategy_decision", victimHash="0x" + "ab" * 32, text="key " + "cd" * 32, level="info")
    log.log("node_error", level="error", url="https://u:p@node.example/v2/abcdefghijklmnopqrstuvwxyz0123")
    log.close()
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["time"] == "2023-11-14T22:13:20.250Z"
    assert (first["event"], first["victimHash"]) == ("strategy_decision", "0x" + "ab" * 32)
    assert "cd" * 32 not in first["text"]
    assert second["url"].startswith("https://<redacted>@node.example/v2/<redacted>")


@pytest.mark.parametrize("name", ["event", "level", "source", "time", "time_s", "self", "fields"])
def test_a_field_of_any_name_costs_no_line(tmp_path, name):
    path = tmp_path / "bot.log"
    log = Telemetry(path)
    log.record("engine_error", {name: "ours", "error": "x"}, level="error", source="engine", time_s=1.0)
    log.close()
    (line,) = map(json.loads, path.read_text().splitlines())
    assert (line["event"], line["level"], line["source"]) == ("engine_error", "error", "engine")
    assert line["time"].startswith("1970-01-01T00:00:01")
    assert line["error"] == "x"


def test_log_rotates_and_never_grows_past_its_bound(tmp_path):
    path = tmp_path / "jit-bot.log"
    log = Telemetry(path, rotate_bytes=2_000)
    for number in range(1_000):
        log.log("happening", number=number)
    log.close()
    files = sorted(tmp_path.glob("*.log"))
    assert len(files) == 11
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert json.loads(path.read_text().splitlines()[-1])["number"] == 999


def test_log_that_cannot_be_written_costs_lines_and_nothing_else(tmp_path):
    path = tmp_path / "jit-bot.log"
    path.mkdir()
    log = Telemetry(path)
    log.log("happening")
    assert log.lost == 1
    path.rmdir()
    log.log("happening")
    assert log.lost == 1
    assert path.stat().st_size > 0
