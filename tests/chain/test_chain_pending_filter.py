"""The filter on raw bytes never drops what is interesting, and drops almost everything else."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitctl.chain.pending_filter import FOLLOWED_SENDERS, PendingFilter, PendingWatch, Verdict
from tests.chain.pending_bodies import NOBODY, ROUTER, SENDER, TOKEN, body

WATCH = PendingWatch(routers=frozenset({ROUTER}), mentions=frozenset({TOKEN}))


def frame(tx: object) -> bytes:
    params = {"subscription": "0x1", "result": tx}
    return orjson.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})


def test_to_a_router_is_parsed():
    assert PendingFilter(WATCH).judge(frame(body())) is Verdict.PARSE


def test_to_a_router_in_checksummed_form_is_parsed():
    assert PendingFilter(WATCH).judge(frame(body(to="0x" + "A1" * 20))) is Verdict.PARSE


def test_to_somebody_else_is_not():
    assert PendingFilter(WATCH).judge(frame(body(to=NOBODY))) is Verdict.IRRELEVANT


def test_a_blob_to_somebody_else_is_counted_as_one():
    assert PendingFilter(WATCH).judge(frame(body(to=NOBODY, type="0x3"))) is Verdict.IRRELEVANT_BLOB


def test_a_watched_token_in_the_calldata_is_parsed():
    through = body(to=NOBODY, input="0x12345678" + "00" * 12 + TOKEN[2:])
    assert PendingFilter(WATCH).judge(frame(through)) is Verdict.PARSE


def test_a_followed_sender_is_parsed_whatever_it_sends():
    judge = PendingFilter(WATCH)
    judge.follow(SENDER)
    assert judge.judge(frame(body(to=SENDER, input="0x"))) is Verdict.PARSE
    assert judge.rewatch(PendingWatch(frozenset())).judge(frame(body(to=SENDER))) is Verdict.PARSE


def test_followed_senders_are_bounded():
    judge = PendingFilter(WATCH)
    judge.follow(SENDER)
    for index in range(FOLLOWED_SENDERS):
        judge.follow(f"0x{index:040x}")
    assert judge.judge(frame(body(to=NOBODY))) is Verdict.IRRELEVANT


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage",
        b'{"jsonrpc":"2.0","id":1,"result":"0x1"}',
        frame("0x" + "11" * 32),
        frame(body(to=None)),
        b'{"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": {"to": "0x00"}}}',
        # The reply to a question carries a body too: it must reach the one who asked.
        orjson.dumps({"jsonrpc": "2.0", "id": 9, "result": body(to=NOBODY)}),
    ],
    ids=range(7),
)
def test_everything_else_is_parsed(raw):
    assert PendingFilter(WATCH).judge(raw) is Verdict.PARSE


@given(
    router=st.booleans(),
    mention=st.booleans(),
    data=st.binary(max_size=200),
    blob=st.booleans(),
    order=st.randoms(),
)
def test_nothing_interesting_is_dropped(router, mention, data, blob, order):
    calldata = "0x" + data.hex() + (TOKEN[2:] if mention else "")
    found = body(to=ROUTER if router else NOBODY, input=calldata, type="0x3" if blob else "0x2")
    items = list(found.items())
    order.shuffle(items)
    verdict = PendingFilter(WATCH).judge(frame(dict(items)))
    if router or mention:
        assert verdict is Verdict.PARSE
    else:
        assert verdict is (Verdict.IRRELEVANT_BLOB if blob else Verdict.IRRELEVANT)
