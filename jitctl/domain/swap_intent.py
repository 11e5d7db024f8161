"""What a user's pending transaction wants to swap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitctl.domain.values import Address, Hash32


@dataclass(frozen=True, slots=True)
class SwapHop:
    """One pool of a path, in the order of the swap (also for exact output)."""

    token_in: Address
    token_out: Address
    fee_pips: int


@dataclass(frozen=True, slots=True)
class RouterBalance:
    """What a router holds of one token between two calls: `known` base units and the outputs of earlier
    swaps (`from_intents`, indexes into the transaction's intents), from which `portions_bips` were paid away
    one after the other.
    """

    known: int
    from_intents: tuple[int, ...] = ()
    portions_bips: tuple[int, ...] = ()

    def amount(self, outputs: Sequence[int]) -> int:
        """Return the balance in base units, given what each intent paid out."""
        total = self.known + sum(outputs[index] for index in self.from_intents)
        for bips in self.portions_bips:
            total -= total * bips // 10_000
        return total


@dataclass(frozen=True, slots=True)
class BalanceFloor:
    """The transaction reverts unless the router's balance is at least `minimum` (a sweep or an unwrap)."""

    balance: RouterBalance
    minimum: int


@dataclass(frozen=True, slots=True)
class SwapIntent:
    """One swap call of a transaction.

    `amount` is the exact input (`exact_in`) or the exact output; `limit_amount` the least output or the
    most input that the user accepts. `sqrt_price_limit_x96` is 0 where the user set none (it exists only
    for single hops). `deadline_s` is a Unix time or None. `router` is `v3`, `02`, `universal` or `traced`
    (known from a simulation's Swap logs, not from calldata). Where `carry` is set the exact input is that
    balance, and `amount` is only the part of it that is known before the earlier swaps ran.
    """

    router: str
    hops: tuple[SwapHop, ...]
    exact_in: bool
    amount: int
    limit_amount: int
    sqrt_price_limit_x96: int = 0
    deadline_s: int | None = None
    carry: RouterBalance | None = None


@dataclass(frozen=True, slots=True)
class SwapTx:
    """A pending transaction understood: its swaps in the order in which they execute.

    `floors` hold after the last intent they name; `required_parent` is the only block hash on top of which
    the transaction can succeed, where it names one.
    """

    tx_hash: Hash32
    sender: Address
    gas_limit: int
    intents: tuple[SwapIntent, ...]
    floors: tuple[BalanceFloor, ...] = ()
    required_parent: Hash32 | None = None
