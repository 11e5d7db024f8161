"""Signed bundles: what eth-account decodes from them, and that the devnet's builder includes them."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from jitctl.contracts import calls
from jitctl.execution.bundle import BundleSigner, bundle_uuid
from jitctl.execution.raw_tx import RawMismatch
from jitctl.execution.relay import RelayEndpoint
from jitctl.execution.relays import HttpRelays
from jitctl.execution.simulate import NodeSimulator
from tests.chain.devnet_rig import DevnetRig
from tests.execution.relay_identity import identity

POOL = "WETH/USDC-0.05%"
AMOUNT = 20 * 10**18


async def drafted(rig: DevnetRig):
    spec = rig.spec(POOL)
    victim = await rig.swap(spec, AMOUNT)
    return await rig.draft(victim, spec, AMOUNT)


def signer_of(rig: DevnetRig) -> BundleSigner:
    return BundleSigner(rig.wallet(), chain_id=rig.nodes.chain_id, executor=rig.executor)


async def test_legs_are_type_2_at_exactly_the_base_fee(rig: DevnetRig):
    draft = await drafted(rig)
    bundle = signer_of(rig).sign(draft)
    assert bundle.target_block == draft.parent.number + 1
    assert bundle.max_timestamp_s == draft.timestamp_s
    for raw, nonce, gas, data in (
        (bundle.raw_txs[0], draft.nonce, draft.mint_gas_limit, calls.SELECTORS["mint"]),
        (bundle.raw_txs[2], draft.nonce + 1, draft.burn_gas_limit, calls.SELECTORS["burn"]),
    ):
        assert Account.recover_transaction(raw).lower() == draft.operator
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        assert (fields["type"], fields["chainId"], fields["nonce"], fields["gas"]) == (2, 31337, nonce, gas)
        assert (fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]) == (draft.base_fee_wei, 0)
        assert (fields["value"], fields["accessList"]) == (0, ())
        assert "0x" + fields["to"].hex() == rig.executor and fields["data"][:4] == data
        assert fields["s"] <= 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
    assert bundle.tx_hashes[1] == draft.victim.hash


async def test_an_altered_victim_is_not_signed_around(rig: DevnetRig):
    draft = await drafted(rig)
    victim = dataclasses.replace(draft.victim, rpc_body={**draft.victim.rpc_body, "value": "0x1"})
    with pytest.raises(RawMismatch):
        signer_of(rig).sign(dataclasses.replace(draft, victim=victim))


async def test_signing_is_deterministic_and_replaces_by_uuid(rig: DevnetRig):
    draft = await drafted(rig)
    signer = signer_of(rig)
    assert signer.sign(draft) == signer.sign(draft)
    later = signer.sign(dataclasses.replace(draft, base_fee_wei=draft.base_fee_wei + 1))
    assert later.uuid == signer.sign(draft).uuid == bundle_uuid(draft.attempt_id)
    assert uuid.UUID(later.uuid) != uuid.UUID(bundle_uuid("attempt-2"))
    assert signer.operators() == tuple(account.address for account in rig.net.people.operators)


@pytest.mark.parametrize("kind", ["legacy", "type_1", "type_2", "type_4"])
async def test_a_bundle_lands_whole_with_the_simulated_amounts(rig: DevnetRig, kind):
    spec = rig.spec(POOL)
    head = await rig.reader.head()
    legacy_fee = {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 3 * head.base_fee_wei}
    authorization = rig.net.people.users[5]
    changes = {
        "legacy": {**legacy_fee, "type": None},
        "type_1": {
            **legacy_fee,
            "type": 1,
            "accessList": [{"address": spec.address, "storageKeys": ["0x" + "00" * 32]}],
        },
        "type_2": {},
        "type_4": {
            "type": 4,
            "authorizationList": [
                Account.from_key(authorization.private_key).sign_authorization(
                    {"chainId": 31337, "address": rig._checksum(spec.address), "nonce": 0}
                )
            ],
        },
    }[kind]
    victim = await rig.swap(spec, AMOUNT, **changes)
    draft = await rig.draft(victim, spec, AMOUNT)
    simulation = await NodeSimulator(rig.nodes, executor=rig.executor, timeout_s=5).simulate(draft)
    assert simulation.ok, simulation
    bundle = signer_of(rig).sign(draft)
    relays = HttpRelays([RelayEndpoint("door", rig.net.manifest.data["relayUrl"], identity(rig), 5)])
    (reply,) = await relays.submit(bundle)
    assert reply.outcome == "accepted", reply
    record = await rig.net.slot()
    await relays.close()
    assert record.block["transactions"][:3] == list(bundle.tx_hashes)
    mined = await rig.reader.mined(*bundle.tx_hashes)
    assert mined.amounts == simulation.amounts
    for leg, simulated in zip(
        (mined.mint, mined.victim, mined.burn),
        (simulation.mint, simulation.victim, simulation.burn),
        strict=True,
    ):
        assert leg is not None and leg.success and leg.gas_used == simulated.gas_used
    assert mined.mint.gas_cost_wei == mined.mint.gas_used * draft.base_fee_wei
    assert mined.mint.block_hash == record.block["hash"] and mined.burn.tx_index == 2
    assert (
        await rig.reader.open_positions(
            rig.executor, [spec.address for spec in rig.specs], mined.burn.block_hash
        )
        == 0
    )
