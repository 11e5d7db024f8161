"""Raw transactions of every type, held against an independent implementation."""

from __future__ import annotations

import random

import pytest
from eth_account import Account

from jitctl.devnet.rlp_codec import rlp_decode, rlp_encode
from jitctl.devnet.transactions import SECP256K1_HALF_ORDER, TxRefused, decode_raw, intrinsic_gas

KEY = "0x" + "46" * 32
ORDER = 2 * SECP256K1_HALF_ORDER + 1


def bodies():
    base = {
        "chainId": 31337,
        "nonce": 9,
        "gas": 50_000,
        "to": "0x" + "35" * 20,
        "value": 10**18,
        "data": "0x00ff",
    }
    access = [{"address": "0x" + "12" * 20, "storageKeys": ["0x" + "01" * 32, "0x" + "02" * 32]}]
    fees = {"maxFeePerGas": 20, "maxPriorityFeePerGas": 3}
    auth = Account.from_key("0x" + "47" * 32).sign_authorization(
        {"chainId": 31337, "address": "0x" + "22" * 20, "nonce": 1}
    )
    return {
        "legacy": base | {"gasPrice": 20},
        "legacy without chain id": {k: v for k, v in base.items() if k != "chainId"} | {"gasPrice": 20},
        "creation": {k: v for k, v in base.items() if k != "to"} | {"gasPrice": 20},
        "access list": base | {"type": 1, "gasPrice": 20, "accessList": access},
        "dynamic fee": base | {"type": 2, "accessList": access} | fees,
        "set code": base | {"type": 4, "accessList": [], "authorizationList": [auth]} | fees,
    }


@pytest.mark.parametrize("name", list(bodies()))
def test_hash_sender_and_fields(name):
    body = bodies()[name]
    signed = Account.sign_transaction(body, KEY)
    tx = decode_raw(bytes(signed.raw_transaction))
    assert tx.hash == "0x" + bytes(signed.hash).hex()
    assert tx.sender == Account.from_key(KEY).address.lower()
    assert (tx.nonce, tx.gas_limit, tx.value_wei) == (9, 50_000, 10**18)
    assert tx.to == body.get("to")
    assert tx.chain_id == body.get("chainId")
    assert tx.tip_wei(18) == min(tx.max_priority_fee_wei, 2)
    assert tx.body["input"] == "0x00ff"
    assert tx.body["blockHash"] is None


@pytest.mark.parametrize("name", list(bodies()))
def test_damaged_bytes_never_pass_as_the_same_transaction(name):
    raw = bytes(Account.sign_transaction(bodies()[name], KEY).raw_transaction)
    sender = decode_raw(raw).sender
    for index in range(len(raw)):
        damaged = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]
        try:
            tx = decode_raw(damaged)
        except TxRefused:
            continue
        assert tx.sender != sender, f"byte {index}"
    for bad in (b"", raw[:-1], raw + b"\0", b"\x03" + raw, bytes(200_000)):
        with pytest.raises(TxRefused):
            decode_raw(bad)


def test_a_malleable_signature_is_refused():
    raw = bytes(Account.sign_transaction(bodies()["dynamic fee"], KEY).raw_transaction)
    fields = rlp_decode(raw[1:])
    fields[-1] = (ORDER - int.from_bytes(fields[-1], "big")).to_bytes(32, "big")
    fields[-3] = b"" if fields[-3] else b"\x01"
    with pytest.raises(TxRefused, match="invalid sender"):
        decode_raw(b"\x02" + rlp_encode(fields))


@pytest.mark.parametrize("seed", [1])
def test_rlp_round_trips(seed):
    rng = random.Random(seed)

    def item(depth=0):
        if depth > 3 or rng.random() < 0.6:
            return rng.randbytes(rng.choice([0, 1, 2, 55, 56, 57, 300]))
        return [item(depth + 1) for _ in range(rng.randint(0, 5))]

    for _ in range(500):
        value = item()
        assert rlp_decode(rlp_encode(value)) == value


def test_intrinsic_gas_counts_data_access_and_authorisations():
    assert intrinsic_gas({"input": "0x", "to": "0x1"}) == 21_000
    assert intrinsic_gas({"input": "0x00ff", "to": "0x1"}) == 21_000 + 50
    key = {"address": "0x1", "storageKeys": ["0x1"]}
    assert intrinsic_gas({"input": "0x", "to": "0x1", "accessList": [key]}) == 21_000 + 4_300
    assert intrinsic_gas({"input": "0x", "to": "0x1", "authorizationList": [{}]}) == 46_000
    assert intrinsic_gas({"input": "0x", "to": None}) == 53_000
