"""Rebuilding raw bytes: every type as eth-account signs it, and any altered field refused."""

from __future__ import annotations

import random

import pytest
import rlp
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from jitctl.chain.pending_body import parse_pending
from jitctl.devnet.transactions import decode_raw
from jitctl.execution.raw_tx import RawMismatch, keccak256, rebuild
from jitctl.execution.rlp import encode

KEY = "0x" + "4c" * 32
TO = "0x" + "12" * 20
ACCESS = [
    {"address": "0x" + "22" * 20, "storageKeys": ["0x" + "00" * 32, "0x" + "01" * 32]},
    {"address": "0x" + "33" * 20, "storageKeys": []},
]


def fields(tx_type: int, rng: random.Random) -> dict:
    common = {
        "nonce": rng.choice([0, 1, 127, 128, 2**40]),
        "gas": rng.choice([21_000, 500_000]),
        "to": rng.choice([TO, None]),
        "value": rng.choice([0, 1, 127, 128, 10**18]),
        "data": "0x" + rng.randbytes(rng.choice([0, 1, 4, 55, 56, 1000])).hex(),
        "chainId": rng.choice([1, 31337]),
    }
    if common["to"] is None:
        del common["to"]
        common["data"] = "0x6000"
    if tx_type == 0:
        return common | {"gasPrice": rng.choice([0, 7, 10**10])}
    if tx_type == 1:
        return common | {"gasPrice": 10**10, "type": 1, "accessList": rng.choice([[], ACCESS])}
    fees = {"maxFeePerGas": 2 * 10**10, "maxPriorityFeePerGas": rng.choice([0, 10**9])}
    extra = common | fees | {"type": tx_type, "accessList": rng.choice([[], ACCESS])}
    if tx_type == 4:
        extra["to"] = TO
        account = Account.from_key(KEY)
        extra["authorizationList"] = [
            account.sign_authorization({"chainId": chain_id, "address": "0x" + "44" * 20, "nonce": nonce})
            for chain_id, nonce in ((0, 0), (1, 300))
        ][: rng.choice([1, 2])]
    return extra


def body_of(tx_type: int, seed: int) -> dict:
    signed = Account.sign_transaction(fields(tx_type, random.Random(seed)), KEY)
    raw = bytes(signed.raw_transaction)
    return {**decode_raw(raw).body, "_raw": raw}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tx_type", [0, 1, 2, 4])
def test_every_type_is_rebuilt(tx_type, seed):
    body = body_of(tx_type, seed)
    raw = body.pop("_raw")
    tx = parse_pending(body, 0)
    assert tx is not None and tx.tx_type == tx_type
    assert rebuild(tx) == raw


def test_a_legacy_transaction_without_eip_155():
    unsigned = [5, 10**10, 21_000, bytes.fromhex(TO[2:]), 7, b""]
    signed = Account.from_key(KEY).unsafe_sign_hash(keccak256(encode(unsigned)))
    raw = encode([*unsigned, signed.v, signed.r, signed.s])
    body = {
        "hash": "0x" + keccak256(raw).hex(), "type": "0x0", "nonce": "0x5", "gasPrice": hex(10**10),
        "gas": hex(21_000), "to": TO, "value": "0x7", "input": "0x", "v": hex(signed.v), "r": hex(signed.r),
        "s": hex(signed.s), "from": Account.from_key(KEY).address,
    }  # fmt: skip
    tx = parse_pending(body, 0)
    assert tx is not None and signed.v in (27, 28)
    assert rebuild(tx) == raw


def test_a_parity_given_only_as_v():
    body = body_of(2, 1)
    raw = body.pop("_raw")
    body.pop("yParity", None)
    assert rebuild(parse_pending(body, 0)) == raw


def test_a_blob_transaction_cannot_be_rebuilt():
    body = body_of(2, 1) | {"type": "0x3"}
    with pytest.raises(RawMismatch, match="type 3"):
        rebuild(parse_pending(body, 0))


ALTERED = {
    "nonce": "0x7", "gas": "0x1", "value": "0x63", "input": "0xff", "r": "0x1", "s": "0x1",
    "to": "0x" + "77" * 20,
    "maxFeePerGas": "0x4a817c801", "maxPriorityFeePerGas": "0x3", "chainId": "0x5", "accessList": ACCESS[:1],
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(ALTERED))
def test_an_altered_field_is_a_mismatch(key):
    body = body_of(2, 4)
    with pytest.raises(RawMismatch):
        rebuild(parse_pending(body | {key: ALTERED[key]}, 0))


@pytest.mark.parametrize("key", ["r", "s", "chainId", "accessList", "authorizationList"])
@pytest.mark.parametrize("value", [None, "", "zz", 5.5, [], {}, [{}], [{"address": "0x1"}], "0x-1"])
def test_a_malformed_field_is_a_mismatch_and_nothing_else(key, value):
    body = body_of(4, 3)
    before = body[key]
    tx = parse_pending(body | {key: value}, 0)
    if tx is None:
        return  # refused at the door
    try:
        raw = rebuild(tx)
    except RawMismatch:
        return
    assert value in ([], None) and before in ([], None) and raw == body["_raw"]


_ITEMS = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=40)


@given(_ITEMS)
def test_rlp_is_that_of_the_reference(item):
    assert encode(item) == rlp.encode(item)


@given(st.integers(0, 2**256 - 1))
def test_rlp_of_integers_is_that_of_the_reference(value):
    assert encode(value) == rlp.encode(value)
