"""The link between keeper and engine over a real socket pair."""

from __future__ import annotations

import asyncio
import socket

import pytest

from jitctl.daemon import link as wire
from jitctl.daemon.link import MAX_HELD, Command, Failed, Figures, Link, LogLine, Reply
from jitctl.errors import JitError, LinkClosed, Refused

MESSAGES = [
    Command(7, "pause", "ann", "why", {"deep": [1, {"x": None}]}),
    Reply(7, {"changed": True, "message": "ümlaut"}),
    Reply(8, {}, {"code": "refused", "message": "no", "hint": ""}),
    Figures("RUNNING", {"headNumber": 2**60}),
    LogLine("engine_state", "error", 1.5, {"before": "A"}),
    Failed({"code": "config_invalid", "message": "m", "hint": "h"}),
]


async def pair():
    one, other = socket.socketpair()
    return await Link.open(one), await Link.open(other)


async def test_messages_arrive_as_sent_and_in_order():
    ours, theirs = await pair()
    for message in MESSAGES:
        ours.send(message)
    assert [await theirs.receive() for _ in MESSAGES] == MESSAGES
    ours.close()
    theirs.close()


async def test_what_can_wait_goes_before_the_next_message_or_by_itself():
    near, far = await pair()
    near.offer_soon(LogLine("first", "info", 1.0, {}))
    near.offer_soon(LogLine("second", "info", 2.0, {}))
    near.send(Figures("RUNNING"))
    assert [await far.receive() for _ in range(3)] == [
        LogLine("first", "info", 1.0, {}), LogLine("second", "info", 2.0, {}), Figures("RUNNING"),
    ]  # fmt: skip
    near.offer_soon(LogLine("alone", "info", 3.0, {}))
    assert await asyncio.wait_for(far.receive(), 5) == LogLine("alone", "info", 3.0, {})
    near.offer_soon(LogLine("last", "info", 4.0, {}))
    await near.flush()
    near.close()
    assert (await far.receive()).event == "last"
    for number in range(MAX_HELD + 5):
        far.offer_soon(LogLine(str(number), "info", 0.0, {}))
    assert far.dropped == 5
    far.close()


async def test_frames_may_arrive_in_any_pieces():
    one, other = socket.socketpair()
    theirs = await Link.open(other)
    raw = b"".join(wire.encode(message) for message in MESSAGES)
    one.setblocking(False)
    for index in range(len(raw)):
        await asyncio.get_running_loop().sock_sendall(one, raw[index : index + 1])
    assert [await theirs.receive() for _ in MESSAGES] == MESSAGES
    one.close()
    with pytest.raises(LinkClosed):
        await theirs.receive()
    theirs.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x03[1]",
        b'\x00\x00\x00\x0c["Nobody",{}]'[:4] + b'["Nobody",{}]'[:12],
        b'\x00\x00\x00\x13["Reply",{"idd":1}]',
        b"\x00\x00\x00\x04abc",
    ],
)
async def test_rubbish_closes_the_link_and_raises_nothing_else(raw):
    one, other = socket.socketpair()
    theirs = await Link.open(other)
    one.sendall(raw)
    one.close()
    with pytest.raises(LinkClosed):
        await theirs.receive()
    theirs.close()


async def test_sending_to_one_that_is_gone_raises():
    ours, theirs = await pair()
    theirs.close()
    with pytest.raises(LinkClosed):
        await ours.receive()
    ours.close()
    with pytest.raises(LinkClosed):
        ours.send(MESSAGES[0])
    ours.offer(MESSAGES[4])
    assert ours.dropped == 1


async def test_a_reader_that_sleeps_costs_log_lines_but_no_memory():
    ours, theirs = await pair()
    line = LogLine("flood", fields={"text": "x" * 100_000})
    for _ in range(500):
        ours.offer(line)
    assert ours.dropped > 400
    with pytest.raises(LinkClosed):
        for _ in range(500):
            ours.send(line)
    ours.close()
    theirs.close()


async def test_an_over_long_message_is_refused_and_the_link_lives():
    ours, theirs = await pair()
    with pytest.raises(JitError):
        ours.send(LogLine("big", fields={"text": "x" * (wire.MAX_FRAME_BYTES + 1)}))
    ours.offer(LogLine("big", fields={"text": "x" * (wire.MAX_FRAME_BYTES + 1)}))
    ours.send(MESSAGES[0])
    assert await theirs.receive() == MESSAGES[0]
    ours.close()
    theirs.close()


async def test_what_cannot_be_written_down_is_refused_and_the_link_lives():
    ours, theirs = await pair()
    absurd = Figures("RUNNING", {"netWei": 1 << 40_000})
    with pytest.raises(JitError):
        ours.send(absurd)
    ours.offer(absurd)
    assert ours.dropped == 1
    ours.send(MESSAGES[0])
    assert await theirs.receive() == MESSAGES[0]
    ours.close()
    theirs.close()


def test_errors_keep_their_kind():
    error = wire.error_of(Refused("no", hint="why").as_dict()["error"])
    assert (type(error), error.message, error.hint) == (Refused, "no", "why")
    assert type(wire.error_of({"code": "of the future"})) is JitError
