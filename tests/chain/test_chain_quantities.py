"""Headers, transactions and logs: numbers that no chain can have are refused where they come in."""

from __future__ import annotations

import pytest

from jitctl.chain.quantities import head_of, log_of, mined_tx_of, quantity
from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.errors import NodeError

HASH = "0x" + "ab" * 32
ADDRESS = "0x" + "cd" * 20
HEADER = {
    "number": "0x5", "hash": HASH, "parentHash": HASH, "timestamp": "0x64", "baseFeePerGas": "0x7",
    "gasLimit": "0x1c9c380", "gasUsed": "0x0", "miner": ADDRESS,
}  # fmt: skip
TX = {"hash": HASH, "from": ADDRESS, "to": None, "nonce": "0x1", "value": "0x2"}
LOG = {
    "address": ADDRESS, "topics": [HASH], "data": "0x", "blockHash": HASH, "transactionHash": HASH,
    "transactionIndex": "0x0", "logIndex": "0x3",
}  # fmt: skip
NO_NUMBERS = ["0x" + "f" * 9_000, "0x1" + "0" * 64, "-0x5", "0x-5", "5", 5, None, [], "0x"]
NO_COUNTS = [*NO_NUMBERS, "0x8000000000000000"]


def test_what_is_right_is_read():
    assert (head_of(HEADER).number, mined_tx_of(TX).value_wei, log_of(LOG).log_index) == (5, 2, 3)


@pytest.mark.parametrize("value", NO_COUNTS, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize(
    ("read", "body", "key"),
    [
        (head_of, HEADER, "number"),
        (head_of, HEADER, "timestamp"),
        (head_of, HEADER, "gasLimit"),
        (head_of, HEADER, "gasUsed"),
        (mined_tx_of, TX, "nonce"),
        (log_of, LOG, "logIndex"),
        (log_of, LOG, "transactionIndex"),
    ],
)
def test_a_count_fits_the_ledger(read, body, key, value):
    with pytest.raises(ValueError, match=r"quantity|invalid literal"):
        read({**body, key: value})


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: str(value)[:20])
def test_an_amount_fits_a_word(value):
    for read, body, key in ((head_of, HEADER, "baseFeePerGas"), (mined_tx_of, TX, "value")):
        with pytest.raises(ValueError, match=r"quantity|invalid literal"):
            read({**body, key: value})
    with pytest.raises(NodeError):
        quantity(value, "node", "eth_getBalance")


@pytest.mark.parametrize("gas_limit", ["0x0", "0x1", "0x1387"])
def test_a_header_without_room_for_gas_is_refused(gas_limit):
    with pytest.raises(ValueError, match="gas limit"):
        head_of({**HEADER, "gasLimit": gas_limit})
    assert next_base_fee_wei(head_of({**HEADER, "gasLimit": "0x1388"})) == 7
