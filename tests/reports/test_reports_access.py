"""The access log: a chain that shows every change, filters, and what is worth a look."""

from __future__ import annotations

import json
import os

import pytest

from jitctl.control.audit_chain import line_hash
from jitctl.daemon.audit import Audit
from jitctl.errors import JitError, PermissionDenied, UsageError
from jitctl.reports.access import Filter, access_log, since

NOW_S = 1_800_000_000.0
FIELDS = {"uid": 0, "role": "admin", "door": "unix", "before": "RUNNING", "after": "PAUSED", "outcome": "ok"}


@pytest.fixture
def trail(tmp_path):
    """Ten records, a minute apart, by two people."""
    path = tmp_path / "audit.jsonl"
    times = iter(range(10))
    audit = Audit(path, wall_s=lambda: NOW_S - 600 + next(times) * 60)
    for number in range(10):
        audit.record(**FIELDS, who="ann" if number % 2 else "bob", verb="pause", why=f"reason {number}")
    return path


def read(path, **wanted):
    return access_log(path, Filter(**wanted), now_s=NOW_S, is_known=lambda uid: uid < 5_000)


def test_a_whole_trail_is_intact(trail):
    found = read(trail)
    assert (found.chain, found.records, found.matching, found.anomalies) == ("intact", 10, 10, {})
    assert [entry.seq for entry in found.entries] == list(range(1, 11))
    assert found.entries[0].time == "2027-01-15T07:50:00Z"


def test_filters(trail):
    assert [entry.seq for entry in read(trail, who="ann").entries] == [2, 4, 6, 8, 10]
    assert [entry.seq for entry in read(trail, since_s=NOW_S - 120).entries] == [9, 10]
    assert [entry.seq for entry in read(trail, limit=3).entries] == [8, 9, 10]
    assert read(trail, verb="stop").entries == read(trail, denied=True).entries == []
    assert read(trail, who="0").matching == 10
    assert read(trail, verb="stop").records == 10


def test_no_change_of_a_byte_goes_unseen(trail, rng):
    whole = trail.read_bytes()
    for _ in range(300):
        place = rng.randrange(len(whole) - 1)
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        trail.write_bytes(bytes(changed))
        found = read(trail)
        last_line = whole.rfind(b"\n", 0, len(whole) - 1) + 1
        # Half a line at the end is what a power cut leaves; that it is there is said, too.
        assert found.chain == "broken" or (place >= last_line and found.torn_lines), (place, changed[place])


def test_records_taken_out_put_in_or_moved_are_seen(trail):
    lines = trail.read_bytes().splitlines(keepends=True)
    for changed, line in (
        (lines[:3] + lines[4:], 4),
        (lines[1:], 1),
        ([*lines[:3], lines[4], lines[3], *lines[5:]], 4),
        ([*lines[:4], lines[3], *lines[4:]], 5),
    ):
        trail.write_bytes(b"".join(changed))
        found = read(trail)
        assert (found.chain, found.broken_at_line) == ("broken", line)
        assert found.broken_because
    trail.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert read(trail).anomalies == {"chain broken": 1, "gap before": 1}


def test_a_record_with_a_hash_of_its_own_making_does_not_fit_in(trail):
    records = [json.loads(line) for line in trail.read_text().splitlines()]
    records[5]["who"] = "mallory"
    records[5]["hash"] = line_hash(records[5])
    trail.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert (read(trail).chain, read(trail).broken_at_line) == ("broken", 7)


def test_half_a_line_at_the_end_and_one_stepped_over_are_tolerated(trail):
    with trail.open("ab") as file:
        file.write(b'{"seq": 11, "ver')
    found = read(trail)
    assert (found.chain, found.torn_lines) == ("intact", [11])
    Audit(trail, wall_s=lambda: NOW_S).record(**FIELDS, who="ann", verb="stop", why="x")
    found = read(trail)
    assert (found.chain, found.torn_lines, found.records) == ("intact", [11], 11)


def test_what_is_worth_a_look_is_marked(tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, wall_s=lambda: NOW_S)
    audit.record(**FIELDS, who="ann", verb="pause", why="")
    audit.record(**{**FIELDS, "uid": 9_999}, who="uid 9999", verb="pause", why="x")
    assert audit.record_all(
        [
            {
                "time": NOW_S,
                "who": "eve",
                "uid": 7,
                "verb": "stop",
                "outcome": "permission_denied",
                "leftOut": 41,
            }
        ]
    )
    Audit(path, wall_s=lambda: NOW_S + 3_600).record(**FIELDS, who="ann", verb="resume", why="x")
    found = read(path)
    assert [entry.marks for entry in found.entries] == [
        ["no reason"], ["unknown uid"], ["denied"], ["in the future"],
    ]  # fmt: skip
    assert found.entries[2].left_out == 41
    assert [entry.who for entry in read(path, denied=True).entries] == ["eve"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"null\n",
        b"[]\n{}\n",
        b"\x00" * 5_000,
        b"[" * 100_000,
        b'{"seq":1}\n',
        b"\xff" * 3_000_000,
    ],
)
def test_rubbish_is_read_without_harm(tmp_path, content):
    path = tmp_path / "audit.jsonl"
    path.write_bytes(content)
    assert (read(path).records, read(path).entries) == (0, [])


def test_records_of_any_values_are_shown(tmp_path):
    path = tmp_path / "audit.jsonl"
    record = {
        "seq": 1,
        "prev": "0" * 64,
        "time": 1e300,
        "uid": "0",
        "who": None,
        "leftOut": "x",
        "why": {"a": []},
    }
    path.write_text(json.dumps({**record, "hash": line_hash(record)}))
    (entry,) = read(path).entries
    assert (entry.uid, entry.who, entry.left_out) == (None, "None", 0)


def test_absent_is_empty_and_what_cannot_be_read_is_said(tmp_path):
    assert read(tmp_path / "audit.jsonl").chain == "absent"
    with pytest.raises(JitError, match="cannot read"):
        read(tmp_path)
    if os.geteuid() != 0:
        (tmp_path / "closed").touch(mode=0o000)
        with pytest.raises(PermissionDenied):
            read(tmp_path / "closed")


def test_moments():
    assert since("", NOW_S) == 0
    assert since("24h", NOW_S) == NOW_S - 86_400
    assert since("7d", NOW_S) == NOW_S - 7 * 86_400
    assert since("2027-01-15T08:00", NOW_S) == since("2027-01-15T09:00+01:00", NOW_S) == NOW_S
    for text in ("soon", "24", "h", "-1h", "2027-13-01"):
        with pytest.raises(UsageError):
            since(text, NOW_S)
