"""A transaction's swaps applied to the pools in order, with or without a position of ours.

Exact where every pool of a path is followed; where one is not, amounts beyond it are unknown, and so is the
state of any pool that an unknown amount goes through.
"""

from __future__ import annotations

from typing import NamedTuple

from jitctl.amm.jit import JitOutcome, jit_swap
from jitctl.amm.pool import Pool
from jitctl.amm.position import fees_owed
from jitctl.amm.revert import PoolReverts
from jitctl.amm.swap_result import SwapResult
from jitctl.domain.swap_intent import SwapIntent, SwapTx
from jitctl.domain.values import Address
from jitctl.strategy.market import MarketView

_INT256_LIMIT = 1 << 255


class Position(NamedTuple):
    """A position of ours, minted before the transaction."""

    pool: Address
    tick_lower: int
    tick_upper: int
    liquidity: int


class Visit(NamedTuple):
    """One swap in one followed pool: what was asked of it, its state before, and what it did."""

    pool: Address
    zero_for_one: bool
    amount_specified: int
    sqrt_price_limit_x96: int
    before: Pool
    result: SwapResult

    @property
    def amount_in(self) -> int:
        """What the pool took in, in base units."""
        return self.result.amount0 if self.zero_for_one else self.result.amount1


class Walk:
    """What the transaction did.

    `failure` says why it would revert ("" if it would not, as far as is known), `unknown` are the pools
    whose state or amounts could not be followed, `jit` what our position's legs move, `paid` and `outputs`
    what each intent takes and gives (None: unknown).
    """

    __slots__ = (
        "_fee_growth", "_known_outcome", "_revisits", "_view", "failure", "jit", "outputs", "paid", "pools",
        "position", "unfollowed", "unknown", "visits",
    )  # fmt: skip

    def __init__(
        self,
        view: MarketView,
        swap_tx: SwapTx,
        position: Position | None = None,
        known_outcome: JitOutcome | None = None,
    ) -> None:
        """Walk at once. `known_outcome` is that of the position's only visit, if it is known already."""
        self._view = view
        self._known_outcome = known_outcome
        self._fee_growth = [0, 0]
        self._revisits = sum(len(intent.hops) for intent in swap_tx.intents) > 1
        self.position = position
        self.pools: dict[Address, Pool] = {}
        self.visits: list[Visit] = []
        self.unknown: set[Address] = set()
        self.unfollowed = 0
        self.failure = ""
        self.jit: JitOutcome | None = None
        self.outputs: list[int | None] = []
        self.paid: list[int | None] = []
        try:
            for index, intent in enumerate(swap_tx.intents):
                self._intent(intent)
                if not self.failure:
                    self._check(intent, index)
                if self.failure:
                    return
            self._check_floors(swap_tx)
        except PoolReverts as reverts:
            self.failure = str(reverts)

    def _amount(self, intent: SwapIntent) -> int | None:
        if intent.carry is None:
            return intent.amount
        known = [output or 0 for output in self.outputs]
        if any(self.outputs[index] is None for index in intent.carry.from_intents):
            return None
        return intent.carry.amount(known)

    def _intent(self, intent: SwapIntent) -> None:
        amount = self._amount(intent)
        if amount is not None and not 0 < amount < _INT256_LIMIT:
            self.failure = f"amount {amount} is not one that a pool accepts"
            return
        hops = intent.hops if intent.exact_in else tuple(reversed(intent.hops))
        first = amount
        at_first_hop = True
        entered: set[Address] = set()
        for hop in hops:
            address = self._view.pool_at(hop.token_in, hop.token_out, hop.fee_pips)
            if address in entered:
                self.failure = "LOK: an exact output enters a pool that waits to be paid"
                return
            if address is not None and not intent.exact_in:
                entered.add(address)
            if address is None or (address not in self.pools and address not in self._view.pools):
                self.unfollowed += 1
                if address is not None:
                    self.unknown.add(address)
                amount = None
                at_first_hop = False
                continue
            if amount is None or address in self.unknown:
                self.unknown.add(address)
                amount = None
                at_first_hop = False
                continue
            signed = amount if intent.exact_in else -amount
            result = self._swap(address, hop.token_in < hop.token_out, signed, intent.sqrt_price_limit_x96)
            taken, given = result.amount0, -result.amount1
            if hop.token_in > hop.token_out:
                taken, given = result.amount1, -result.amount0
            if not intent.exact_in and given != amount and not intent.sqrt_price_limit_x96:
                self.failure = f"a pool gives {given} of the exact output {amount}"
                return
            if at_first_hop:
                # A price limit may leave part of the fixed amount unswapped.
                first, at_first_hop = (taken if intent.exact_in else given), False
            amount = given if intent.exact_in else taken
        if intent.exact_in:
            self.paid.append(first)
            self.outputs.append(amount)
        else:
            self.paid.append(amount)
            self.outputs.append(first)

    def _swap(self, address: Address, zero_for_one: bool, amount: int, limit: int) -> SwapResult:
        pool = self.pools.get(address) or self._view.pools[address]
        position = self.position
        if position is not None and position.pool == address:
            outcome = self._known_outcome or jit_swap(
                pool,
                position.tick_lower,
                position.tick_upper,
                position.liquidity,
                zero_for_one,
                amount,
                limit,
            )
            self._fee_growth[not zero_for_one] += outcome.fee_growth_x128
            if self.jit is None:
                self.jit = outcome
            else:
                fees = [fees_owed(position.liquidity, growth, 0) for growth in self._fee_growth]
                self.jit = _joined(self.jit, outcome, fees)
            result = outcome.swap
        else:
            result = pool.swap(zero_for_one, amount, limit)
        self.visits.append(Visit(address, zero_for_one, amount, limit, pool, result))
        if self._revisits:
            self.pools[address] = pool.with_swap(
                result.sqrt_price_x96, result.tick, pool.ticks.liquidity_at(result.tick)
            )
        return result

    def _check(self, intent: SwapIntent, index: int) -> None:
        paid, output = self.paid[index], self.outputs[index]
        if intent.exact_in:
            if output is not None and output < intent.limit_amount:
                self.failure = f"output {output} is below the user's minimum {intent.limit_amount}"
        elif paid is not None and paid > intent.limit_amount:
            self.failure = f"input {paid} is above the user's maximum {intent.limit_amount}"

    def _check_floors(self, swap_tx: SwapTx) -> None:
        known = [output or 0 for output in self.outputs]
        for balance, minimum in ((floor.balance, floor.minimum) for floor in swap_tx.floors):
            if any(self.outputs[index] is None for index in balance.from_intents):
                continue
            if balance.amount(known) < minimum:
                self.failure = f"the router holds {balance.amount(known)}, below the user's minimum {minimum}"
                return


def _joined(first: JitOutcome, second: JitOutcome, fees: list[int]) -> JitOutcome:
    """Return one position's outcome over two swaps: minted before the first, burned after the second."""
    return JitOutcome(
        first.minted0,
        first.minted1,
        second.swap,
        fees[0],
        fees[1],
        second.burned0,
        second.burned1,
        first.adds_ticks + second.adds_ticks,
        0,
    )
