"""One consistent picture of the watched pools, as of one block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jitctl.amm.pool import Pool
from jitctl.domain.chain import Head
from jitctl.domain.values import Address, PoolSpec

PairKey = tuple[Address, Address, int]
"""Token 0, token 1 (in the pool's order) and the fee in pips: what names a v3 pool."""


def pair_key(token_a: Address, token_b: Address, fee_pips: int) -> PairKey:
    """Return the key of the pool of two tokens, in whichever order they are given."""
    return (token_a, token_b, fee_pips) if token_a < token_b else (token_b, token_a, fee_pips)


def index_pairs(specs: Mapping[Address, PoolSpec]) -> dict[PairKey, Address]:
    """Return the lookup from a pair and a fee to the pool's address."""
    return {
        pair_key(spec.token0.address, spec.token1.address, spec.fee_pips): spec.address
        for spec in specs.values()
    }


@dataclass(frozen=True, slots=True)
class MarketView:
    """The pools as of `head`.

    `specs` are the pools that are watched and enabled; `pools` holds a snapshot of each that could be kept
    exact, and may hold pools that are followed but disabled. `by_pair` names all of them.
    """

    head: Head
    specs: Mapping[Address, PoolSpec]
    pools: Mapping[Address, Pool]
    by_pair: Mapping[PairKey, Address] = field(default_factory=dict)

    @classmethod
    def of(cls, head: Head, specs: Mapping[Address, PoolSpec], pools: Mapping[Address, Pool]) -> MarketView:
        """Build the view and its lookup from the specs alone."""
        return cls(head, specs, pools, index_pairs(specs))

    def pool_at(self, token_a: Address, token_b: Address, fee_pips: int) -> Address | None:
        """Return the address of the followed pool of two tokens and a fee, None if there is none."""
        key = (token_a, token_b, fee_pips) if token_a < token_b else (token_b, token_a, fee_pips)
        return self.by_pair.get(key)
