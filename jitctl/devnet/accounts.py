"""The devnet's people, derived from its seed: worthless keys, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from eth_account import Account
from eth_utils.crypto import keccak

from jitctl.domain.values import Address, address


@dataclass(frozen=True)
class DevAccount:
    """A key of the devnet and its address."""

    role: str
    private_key: str

    @cached_property
    def address(self) -> Address:
        return address(Account.from_key(self.private_key).address)


@dataclass(frozen=True)
class Cast:
    """Everyone on the devnet who signs something."""

    owner: DevAccount
    guardian: DevAccount
    operators: tuple[DevAccount, ...]
    relay_identity: DevAccount
    builder: DevAccount
    users: tuple[DevAccount, ...]


def cast(seed: int, *, operators: int = 2, users: int = 8) -> Cast:
    """Return the devnet's accounts for `seed`."""

    def account(role: str) -> DevAccount:
        return DevAccount(role, "0x" + keccak(text=f"jitctl devnet {seed} {role}").hex())

    return Cast(
        owner=account("owner"),
        guardian=account("guardian"),
        operators=tuple(account(f"operator{index}") for index in range(operators)),
        relay_identity=account("relay identity"),
        builder=account("builder"),
        users=tuple(account(f"user{index}") for index in range(users)),
    )
