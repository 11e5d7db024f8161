"""Signs what a devnet user sends: transactions of every type, Permit2 allowances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address

from jitctl.devnet.router_calls import Permit
from jitctl.domain.values import Address

_PERMIT_TYPES = {
    "PermitDetails": [
        {"name": "token", "type": "address"},
        {"name": "amount", "type": "uint160"},
        {"name": "expiration", "type": "uint48"},
        {"name": "nonce", "type": "uint48"},
    ],
    "PermitSingle": [
        {"name": "details", "type": "PermitDetails"},
        {"name": "spender", "type": "address"},
        {"name": "sigDeadline", "type": "uint256"},
    ],
}


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers per gas; for types 0 and 1 `max_fee_wei` is the gas price."""

    max_fee_wei: int
    tip_wei: int

    def raised(self, percent: int) -> Fees:
        """Return both fees raised, rounded up."""
        return Fees(-(-self.max_fee_wei * (100 + percent) // 100), -(-self.tip_wei * (100 + percent) // 100))


@dataclass(frozen=True, slots=True)
class Order:
    """A transaction to sign; `delegation` is (authority's key, delegate) for type 4."""

    tx_type: int
    nonce: int
    to: Address
    data: str
    value_wei: int
    gas_limit: int
    fees: Fees
    delegation: tuple[str, Address] | None = None


def sign_order(key: str, chain_id: int, order: Order) -> str:
    """Return the raw transaction as 0x hex."""
    body: dict[str, Any] = {
        "chainId": chain_id,
        "nonce": order.nonce,
        "to": to_checksum_address(order.to),
        "data": order.data,
        "value": order.value_wei,
        "gas": order.gas_limit,
    }
    if order.tx_type <= 1:
        body["gasPrice"] = order.fees.max_fee_wei
    else:
        body |= {"maxFeePerGas": order.fees.max_fee_wei, "maxPriorityFeePerGas": order.fees.tip_wei}
    if order.tx_type:
        body |= {"type": order.tx_type, "accessList": []}
    if order.tx_type == 4 and order.delegation is not None:
        authority, delegate = order.delegation
        unsigned = {"chainId": chain_id, "address": to_checksum_address(delegate), "nonce": 0}
        body["authorizationList"] = [Account.from_key(authority).sign_authorization(unsigned)]
    return "0x" + bytes(Account.sign_transaction(body, key).raw_transaction).hex()


def sign_permit(
    key: str, chain_id: int, permit2: Address, token: Address, spender: Address, nonce: int, until_s: int
) -> Permit:
    """Return an allowance for everything until `until_s`, signed as the wallet of a front end does."""
    amount = 2**160 - 1
    message = encode_typed_data(
        {"name": "Permit2", "chainId": chain_id, "verifyingContract": to_checksum_address(permit2)},
        _PERMIT_TYPES,
        {
            "details": {
                "token": to_checksum_address(token),
                "amount": amount,
                "expiration": until_s,
                "nonce": nonce,
            },
            "spender": to_checksum_address(spender),
            "sigDeadline": until_s,
        },
    )
    signature = bytes(Account.sign_message(message, key).signature)
    return Permit(token, amount, until_s, nonce, spender, until_s, signature)
