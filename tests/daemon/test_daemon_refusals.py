"""Refused calls in the audit trail: every one counted, no flood makes it grow or holds anybody up."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from installation import eventually, running_keeper

from jitctl.control.audit_chain import follow_chain
from jitctl.daemon.audit import Audit
from jitctl.daemon.refusals import MAX_KEYS, Refusal, Refusals
from jitctl.daemon.telemetry import Telemetry


def refusal(who="eve", verb="stop"):
    return Refusal(who, 7, "viewer", "unix", verb, "permission_denied")


def records(path):
    return [line.record for line in follow_chain(path.read_bytes().splitlines()) if not line.fault]


@pytest.fixture
def trail(tmp_path):
    return tmp_path / "audit.jsonl"


def refusals_into(trail, tmp_path, **settings):
    return Refusals(Audit(trail), Telemetry(tmp_path / "bot.log"), **settings)


async def test_a_flood_is_one_record_a_second_with_its_number(trail, tmp_path):
    noted = refusals_into(trail, tmp_path, every_s=3_600.0)
    for _ in range(10_000):
        noted.note(refusal())
    noted.note(refusal(verb="resume"))
    await noted.flush()
    found = records(trail)
    assert [(each["verb"], each["leftOut"]) for each in found] == [("stop", 9_999), ("resume", 0)]
    assert (found[0]["who"], found[0]["uid"], found[0]["role"], found[0]["door"]) == (
        "eve",
        7,
        "viewer",
        "unix",
    )


async def test_what_comes_within_the_second_waits_for_its_end(trail, tmp_path):
    noted = refusals_into(trail, tmp_path, every_s=0.05)
    noted.note(refusal())
    async with asyncio.timeout(20):
        while not trail.exists() or not records(trail):
            await asyncio.sleep(0)
        for _ in range(5):
            noted.note(refusal())
        while len(records(trail)) < 2:
            await asyncio.sleep(0)
    assert [each["leftOut"] for each in records(trail)] == [0, 4]


async def test_ever_new_callers_take_bounded_room(trail, tmp_path):
    noted = refusals_into(trail, tmp_path, every_s=3_600.0)
    for number in range(20_000):
        noted.note(refusal(who=f"uid {number}"))
    await noted.flush()
    found = records(trail)
    assert len(found) == MAX_KEYS + 1
    assert sum(1 + each["leftOut"] for each in found) == 20_000
    assert found[-1]["who"] == "others"


async def test_on_a_full_disk_refusals_wait_merged_and_push_nothing_out(tmp_path):
    path = tmp_path / "no" / "audit.jsonl"
    path.mkdir(parents=True)
    audit = Audit(path)
    audit.record(verb="pause", who="ann")
    noted = Refusals(audit, Telemetry(tmp_path / "bot.log"), every_s=0.0)
    for _ in range(200):
        noted.note(refusal())
        await asyncio.sleep(0)
    await noted.flush()
    assert audit.queued == 1
    path.rmdir()
    await noted.flush()
    found = records(path)
    assert [each["verb"] for each in found] == ["pause", "stop"]
    assert found[1]["leftOut"] == 199


def flood(keeper, count):
    """Ask the TCP door as fast as one connection goes; return how many were answered 403."""
    address = keeper.http.removeprefix("http://")
    name, port = address.split(":")
    request = f"POST /admin/stop HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
    refused = 0
    with socket.create_connection((name, int(port)), timeout=30) as link, link.makefile("rb") as answers:
        for _ in range(count):
            link.sendall(request)
            status = int(answers.readline().split()[1])
            size = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            answers.read(size)
            refused += status == 403
    return refused


def test_a_flood_at_a_real_door_is_counted_and_the_operator_is_answered_meanwhile(tmp_path):
    with running_keeper(tmp_path) as keeper:
        began_s = time.monotonic()
        assert flood(keeper, 2_000) == 2_000
        assert keeper.client().call("pause", body={"reason": "a flood"})["changed"] is True
        eventually(
            lambda: (
                sum(1 + r["leftOut"] for r in keeper.audit() if r["outcome"] == "permission_denied") == 2_000
            ),
            "all of them are counted",
        )
        elapsed_s = time.monotonic() - began_s
        refused = [record for record in keeper.audit() if record["outcome"] == "permission_denied"]
        assert len(refused) <= elapsed_s + 2
        logged = [line for line in keeper.log() if line["event"] == "request_refused"]
        assert len(logged) <= len(refused)
