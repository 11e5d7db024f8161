"""Parsing a pending body: complete ones become a `PendingTx`, all others None, nothing raises."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitctl.chain.pending_body import MAX_CALLDATA_BYTES, parse_pending
from tests.chain.pending_bodies import ROUTER, SENDER, body


def test_a_type_2_body():
    tx = parse_pending(body(), 7)
    assert tx is not None
    assert (tx.sender, tx.to, tx.nonce, tx.gas_limit, tx.tx_type) == (SENDER, ROUTER, 5, 200_000, 2)
    assert (tx.value_wei, tx.max_fee_per_gas_wei, tx.max_priority_fee_per_gas_wei) == (
        10**18,
        2 * 10**9,
        10**9,
    )
    assert len(tx.calldata) == 260 and tx.seen_ns == 7


@pytest.mark.parametrize("tx_type", ["0x0", "0x1"])
def test_older_types_pay_their_gas_price(tx_type):
    changed = body(type=tx_type, gasPrice="0x64")
    del changed["maxFeePerGas"]
    del changed["maxPriorityFeePerGas"]
    tx = parse_pending(changed, 0)
    assert tx is not None and tx.max_fee_per_gas_wei == tx.max_priority_fee_per_gas_wei == 100


def test_a_body_without_type_is_legacy():
    changed = body()
    del changed["type"]
    tx = parse_pending(changed, 0)
    assert tx is not None and tx.tx_type == 0


def test_checksummed_addresses_become_lower_case():
    tx = parse_pending(body(to="0x" + "A1" * 20, hash="0x" + "E5" * 32), 0)
    assert tx is not None and tx.to == ROUTER and tx.hash == "0x" + "e5" * 32


def test_a_creation_has_no_receiver():
    tx = parse_pending(body(to=None), 0)
    assert tx is not None and tx.to is None


@pytest.mark.parametrize(
    "changes",
    [
        {"hash": "0x12"},
        {"hash": None},
        {"from": "0x12"},
        {"to": 5},
        {"to": "0x12"},
        {"nonce": "5"},
        {"nonce": "0x" + "f" * 17},
        {"nonce": "-0x5"},
        {"nonce": "0x-5"},
        {"value": "0x1" + "0" * 64},
        {"value": None},
        {"gas": 21000},
        {"type": "0x5"},
        {"type": 2},
        {"input": "414bf389"},
        {"input": "0x4"},
        {"input": "0xzz"},
        {"input": "0x" + "00" * (MAX_CALLDATA_BYTES + 1)},
        {"maxPriorityFeePerGas": "0x77359401"},
        {"maxFeePerGas": None},
        {"blockHash": "0x" + "11" * 32},
        {"type": "0x4"},
        {"type": "0x4", "authorizationList": None},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused(changes):
    assert parse_pending(body(**changes), 0) is None


@pytest.mark.parametrize("key", ["hash", "from", "to", "nonce", "value", "gas", "input", "maxFeePerGas"])
def test_what_is_missing_is_refused(key):
    changed = body()
    del changed[key]
    assert parse_pending(changed, 0) is None


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(_JSON)
def test_no_json_raises(value):
    assert parse_pending(value, 0) is None


@given(st.sampled_from(sorted(body())), _JSON)
def test_no_changed_field_raises(key, value):
    parse_pending(body(**{key: value}), 0)


@pytest.mark.parametrize("seed", range(5))
def test_no_flipped_byte_raises(seed):
    rng = random.Random(seed)
    text = orjson.dumps(body())
    for _ in range(500):
        flipped = bytearray(text)
        for _ in range(rng.randint(1, 4)):
            flipped[rng.randrange(len(flipped))] = rng.randrange(256)
        try:
            value = orjson.loads(flipped)
        except ValueError:
            continue
        parse_pending(value, 0)
