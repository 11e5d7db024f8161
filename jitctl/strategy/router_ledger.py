"""What a router holds while a transaction runs, followed symbolically during decoding.

Routers pass value from call to call through their own balance ("swap whatever is here", "unwrap at least
this much"). Amounts fixed by calldata are numbers; outputs of earlier swaps are references to them. What
cannot be said in that form is unknown, and anything that depends on it is undecodable.
"""

from __future__ import annotations

from dataclasses import replace

from jitctl.domain.swap_intent import BalanceFloor, RouterBalance, SwapHop, SwapIntent
from jitctl.domain.values import ZERO_ADDRESS, Address, Hash32
from jitctl.strategy.abi_words import CalldataError, DecodeBudget

ETH = ZERO_ADDRESS
"""Native ether's key among the balances."""

MAX_CALLS = 96
MAX_HOPS = 48
MAX_DEPTH = 4
"""Far above any real transaction; see `DecodeBudget` for why there is a bound."""


class RouterLedger:
    """Collects a transaction's intents and floors, and the router's balances between them.

    A router starts empty: dust that others left there is unknowable from calldata, and swept by the next
    simulation's check of the amounts.
    """

    __slots__ = ("_all_unknown", "_balances", "_unknown", "budget", "floors", "intents", "required_parent")

    def __init__(self, value_wei: int) -> None:
        self.budget = DecodeBudget(MAX_CALLS, MAX_HOPS)
        self.intents: list[SwapIntent] = []
        self.floors: list[BalanceFloor] = []
        self.required_parent: Hash32 | None = None
        self._balances: dict[Address, RouterBalance] = {ETH: RouterBalance(value_wei)}
        self._unknown: set[Address] = set()
        self._all_unknown = False

    def balance(self, token: Address) -> RouterBalance | None:
        """Return what the router holds of `token`, None when it is unknown."""
        if self._all_unknown or token in self._unknown:
            return None
        return self._balances.get(token, _EMPTY)

    def forget(self, token: Address) -> None:
        """The balance of `token` is unknown from here on."""
        self._unknown.add(token)

    def forget_all(self) -> None:
        """A call that we do not model may have moved any token through the router."""
        self._all_unknown = True

    def put(self, token: Address, amount: int) -> None:
        """`amount` base units arrive."""
        held = self.balance(token)
        if held is None:
            return
        if held.portions_bips:
            # A portion was taken of what was there before; the form has no place for a later arrival.
            self.forget(token)
        else:
            self._balances[token] = replace(held, known=held.known + amount)

    def put_output(self, token: Address, intent_index: int) -> None:
        """The output of an intent arrives."""
        held = self.balance(token)
        if held is None:
            return
        if held.portions_bips:
            self.forget(token)
        else:
            self._balances[token] = replace(held, from_intents=(*held.from_intents, intent_index))

    def take(self, token: Address, amount: int) -> None:
        """`amount` base units leave; a balance that could fall short of it becomes unknown.

        One that does fall short is `CalldataError`: only what others left in the router can save the call.
        """
        held = self.balance(token)
        if held is None:
            return
        if held.known < amount and not held.from_intents:
            raise CalldataError
        if held.portions_bips or held.known < amount:
            self.forget(token)
        else:
            self._balances[token] = replace(held, known=held.known - amount)

    def take_portion(self, token: Address, bips: int) -> None:
        """`bips` ten-thousandths of the balance leave, rounded down."""
        held = self.balance(token)
        if held is None:
            return
        if held.from_intents:
            self._balances[token] = replace(held, portions_bips=(*held.portions_bips, bips))
        else:
            self._balances[token] = RouterBalance(held.known - held.known * bips // 10_000)

    def take_all(self, token: Address) -> RouterBalance:
        """The whole balance leaves and is returned; `CalldataError` when it is unknown."""
        held = self.balance(token)
        if held is None:
            raise CalldataError
        self._balances[token] = _EMPTY
        return held

    def empty(self, token: Address, minimum: int) -> None:
        """The whole balance leaves, and the transaction fails unless it is at least `minimum`."""
        held = self.balance(token)
        if held is not None and minimum > 0:
            self.floors.append(BalanceFloor(held, minimum))
        self._balances[token] = _EMPTY
        self._unknown.discard(token)

    def spend_ether_first(
        self, weth: Address, hops: tuple[SwapHop, ...], amount: int | None, by_balance: bool = False
    ) -> None:
        """Before a swap of a v3 router: ether that it holds pays for WETH, if it is enough for the whole sum.

        `amount` is what the first pool takes, None if that hangs on the pools; `by_balance` says that the
        router's own WETH, already taken, was meant to pay it.
        """
        ether = self.balance(ETH)
        if ether == _EMPTY or all(hop.token_in != weth for hop in hops):
            return
        at_first = hops[0].token_in == weth and all(hop.token_in != weth for hop in hops[1:])
        if ether is not None and not ether.from_intents and at_first and amount is not None:
            if ether.known >= amount:
                self.take(ETH, amount)
                if by_balance:
                    self.put(weth, amount)
            return
        self.forget(ETH)
        if by_balance or not at_first:
            self.forget(weth)

    def swap(
        self,
        router: str,
        hops: tuple[SwapHop, ...],
        *,
        exact_in: bool,
        amount: int | RouterBalance,
        limit_amount: int,
        sqrt_price_limit_x96: int = 0,
        deadline_s: int | None = None,
        paid_by_router: bool = False,
        to_router: bool = False,
    ) -> None:
        """Append one swap. `amount` is a number, or the router's balance that was taken for it."""
        carry = None
        if isinstance(amount, RouterBalance):
            if amount.from_intents:
                carry = amount
            amount = amount.known
        elif paid_by_router:
            if exact_in and sqrt_price_limit_x96 == 0:
                self.take(hops[0].token_in, amount)
            elif self.balance(hops[0].token_in) == _EMPTY:
                raise CalldataError
            else:
                self.forget(hops[0].token_in)
        index = len(self.intents)
        self.intents.append(
            SwapIntent(router, hops, exact_in, amount, limit_amount, sqrt_price_limit_x96, deadline_s, carry)
        )
        if to_router:
            self.put_output(hops[-1].token_out, index)

    def require_parent(self, block_hash: Hash32) -> None:
        """The transaction only succeeds on top of `block_hash`; two different ones can never both hold."""
        if self.required_parent not in (None, block_hash):
            raise CalldataError
        self.required_parent = block_hash


_EMPTY = RouterBalance(0)
