"""The next base fee: known mainnet steps, bounds, and the EVM's own answer."""

from __future__ import annotations

import pytest
from eth_utils import to_int
from hypothesis import given
from hypothesis import strategies as st

from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.chain import Head
from tests.chain.devnet_rig import DevnetRig


def parent(base_fee_wei: int, gas_used: int, gas_limit: int = 30_000_000) -> Head:
    return Head(1, "0x" + "00" * 32, "0x" + "00" * 32, 0, base_fee_wei, gas_limit, gas_used, "0x" + "00" * 20)


@pytest.mark.parametrize(
    ("base_fee_wei", "gas_used", "expected"),
    [
        (10**9, 15_000_000, 10**9),
        (10**9, 30_000_000, 1_125_000_000),
        (10**9, 0, 875_000_000),
        (10**9, 10_000_000, 958_333_334),
        # The step upward is at least 1 wei, downward it may be none.
        (1, 15_000_001, 2),
        (7, 15_000_001, 8),
        (7, 30_000_000, 8),
        (7, 14_999_999, 7),
        (7, 0, 7),
        (0, 30_000_000, 1),
    ],
)
def test_known_steps(base_fee_wei, gas_used, expected):
    assert next_base_fee_wei(parent(base_fee_wei, gas_used)) == expected


@given(st.integers(0, 10**13), st.integers(0, 30_000_000))
def test_a_step_is_at_most_an_eighth_and_in_the_right_direction(base_fee_wei, gas_used):
    after = next_base_fee_wei(parent(base_fee_wei, gas_used))
    assert base_fee_wei - base_fee_wei // 8 <= after <= base_fee_wei + max(base_fee_wei // 8, 1)
    assert (after > base_fee_wei) == (gas_used > 15_000_000)


async def test_it_is_what_the_chain_does(rig: DevnetRig):
    for index in range(4):
        for user in range(index * 2):
            await rig.swap(rig.specs[0], 10**17, user=user)
        head = await rig.reader.head()
        record = await rig.net.slot()
        assert to_int(hexstr=record.block["baseFeePerGas"]) == next_base_fee_wei(head)
