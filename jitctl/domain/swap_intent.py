"""What a user's pending transaction wants to swap."""

from __future__ import annotations

from dataclasses import dataclass

from jitctl.domain.values import Address, Hash32


@dataclass(frozen=True, slots=True)
class SwapHop:
    """One pool of a path, in the order of the swap (also for exact output)."""

    token_in: Address
    token_out: Address
    fee_pips: int


@dataclass(frozen=True, slots=True)
class SwapIntent:
    """One swap call of a transaction.

    `amount` is the exact input (`exact_in`) or the exact output; `limit_amount` the least output or the
    most input that the user accepts. `sqrt_price_limit_x96` is 0 where the user set none (it exists only
    for single hops). `deadline_s` is a Unix time or None. `router` is `v3`, `02`, `universal` or `traced`
    (known from a simulation's Swap logs, not from calldata).
    """

    router: str
    hops: tuple[SwapHop, ...]
    exact_in: bool
    amount: int
    limit_amount: int
    sqrt_price_limit_x96: int = 0
    deadline_s: int | None = None


@dataclass(frozen=True, slots=True)
class SwapTx:
    """A pending transaction understood: its swaps in the order in which they execute."""

    tx_hash: Hash32
    sender: Address
    gas_limit: int
    intents: tuple[SwapIntent, ...]
