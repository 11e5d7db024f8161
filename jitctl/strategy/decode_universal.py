"""Calldata of UniversalRouter 2.1.0: a byte string of commands, each with its own ABI-encoded input.

Only some commands can fail without failing the transaction (permits, sub-plans, position-manager calls):
for a v3 swap the allow-revert flag changes nothing, the router calls it directly. Swaps inside a sub-plan
that may fail are treated as required, so that a transaction whose outcome hangs on it is left alone.

Static words of an input are read without cleaning, as the router's assembly does. Words after the ones
read here (some later versions append per-hop price bounds) do not move the earlier ones.
"""

from __future__ import annotations

from jitctl.domain.swap_intent import RouterBalance
from jitctl.domain.values import Address
from jitctl.strategy.abi_words import (
    WORD,
    CalldataError,
    bytes_array_windows,
    bytes_window,
    loose_address_at,
    path_hops,
    reversed_hops,
    word_at,
)
from jitctl.strategy.router_ledger import ETH, MAX_DEPTH, RouterLedger

ROUTER = "universal"

EXECUTE = 0x24856BC3
EXECUTE_DEADLINE = 0x3593564C
EXECUTE_SIGNED = 0x44684DC3

COMMAND_MASK = 0x7F

V3_SWAP_EXACT_IN = 0x00
V3_SWAP_EXACT_OUT = 0x01
PERMIT2_TRANSFER_FROM = 0x02
PERMIT2_PERMIT_BATCH = 0x03
SWEEP = 0x04
TRANSFER = 0x05
PAY_PORTION = 0x06
V2_SWAP_EXACT_IN = 0x08
V2_SWAP_EXACT_OUT = 0x09
PERMIT2_PERMIT = 0x0A
WRAP_ETH = 0x0B
UNWRAP_WETH = 0x0C
PERMIT2_TRANSFER_FROM_BATCH = 0x0D
BALANCE_CHECK_ERC20 = 0x0E
V4_SWAP = 0x10
V3_POSITION_MANAGER_PERMIT = 0x11
V4_INITIALIZE_POOL = 0x13
V4_POSITION_MANAGER_CALL = 0x14
EXECUTE_SUB_PLAN = 0x21
ACROSS_V4_DEPOSIT_V3 = 0x40

_INERT = frozenset(
    {
        PERMIT2_PERMIT_BATCH,
        PERMIT2_PERMIT,
        BALANCE_CHECK_ERC20,
        V3_POSITION_MANAGER_PERMIT,
        V4_INITIALIZE_POOL,
    }
)
_OPAQUE = frozenset(
    {V2_SWAP_EXACT_IN, V2_SWAP_EXACT_OUT, V4_SWAP, V4_POSITION_MANAGER_CALL, ACROSS_V4_DEPOSIT_V3}
)
"""Commands that move tokens through other protocols: amounts that depend on them are unknown.

V3_POSITION_MANAGER_CALL is in neither set: it can take liquidity out of a watched pool, so a transaction
with one is not understood.
"""

CONTRACT_BALANCE = 1 << 255
_TO_ROUTER = Address("0x" + "00" * 19 + "02")
_UINT160_MAX = (1 << 160) - 1


def decode_call(
    data: bytes, start: int, end: int, weth: Address, ledger: RouterLedger, router: Address
) -> None:
    """Append what the call in `data[start:end]` does to `ledger`; raises `CalldataError`."""
    if end - start < 4:
        raise CalldataError
    selector = int.from_bytes(data[start : start + 4], "big")
    args = start + 4
    deadline_s = None
    if selector == EXECUTE_DEADLINE:
        deadline_s = word_at(data, args + 2 * WORD, end)
    elif selector == EXECUTE_SIGNED:
        deadline_s = word_at(data, args + 7 * WORD, end)
    elif selector != EXECUTE:
        raise CalldataError
    _Plan(data, weth, router, ledger, deadline_s).run(args, end, 0)


class _Plan:
    """One transaction's commands, applied to its ledger in order."""

    __slots__ = ("data", "deadline_s", "ledger", "router", "weth")

    def __init__(
        self, data: bytes, weth: Address, router: Address, ledger: RouterLedger, deadline_s: int | None
    ) -> None:
        self.data = data
        self.weth = weth
        self.router = router
        self.ledger = ledger
        self.deadline_s = deadline_s

    def run(self, base: int, end: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise CalldataError
        commands_start, commands_end = bytes_window(self.data, base, 0, end)
        inputs = bytes_array_windows(self.data, base, 1, end, self.ledger.budget)
        if commands_end - commands_start != len(inputs):
            raise CalldataError
        for at, (input_start, input_end) in enumerate(inputs, start=commands_start):
            self._command(self.data[at] & COMMAND_MASK, input_start, input_end, depth)

    def _command(self, command: int, start: int, end: int, depth: int) -> None:
        data, ledger = self.data, self.ledger
        if command in (V3_SWAP_EXACT_IN, V3_SWAP_EXACT_OUT):
            self._v3_swap(start, end, command == V3_SWAP_EXACT_IN)
        elif command == WRAP_ETH:
            self._wrap_eth(start, end)
        elif command == UNWRAP_WETH:
            self._unwrap_weth(start, end)
        elif command == SWEEP:
            token = loose_address_at(data, start, end)
            minimum = word_at(data, start + 2 * WORD, end) & _UINT160_MAX
            kept = ledger.balance(token) if self._back_to_router(token, start, end) else None
            ledger.empty(token, minimum)
            if kept is not None:
                self._put_back(token, kept)
        elif command == TRANSFER:
            self._transfer(start, end)
        elif command == PAY_PORTION:
            bips = word_at(data, start + 2 * WORD, end)
            if bips > 10_000:
                raise CalldataError
            token = loose_address_at(data, start, end)
            if not self._back_to_router(token, start, end) and bips:
                ledger.take_portion(token, bips)
        elif command == PERMIT2_TRANSFER_FROM:
            amount = word_at(data, start + 2 * WORD, end) & _UINT160_MAX
            if self._is_router(start + WORD, end):
                ledger.put(loose_address_at(data, start, end), amount)
        elif command == PERMIT2_TRANSFER_FROM_BATCH:
            self._transfer_batch(start, end)
        elif command == EXECUTE_SUB_PLAN:
            self.run(start, end, depth + 1)
        elif command in _OPAQUE:
            ledger.forget_all()
        elif command not in _INERT:
            raise CalldataError

    def _is_router(self, at: int, end: int) -> bool:
        return loose_address_at(self.data, at, end) in (_TO_ROUTER, self.router)

    def _back_to_router(self, token: Address, start: int, end: int) -> bool:
        """Say whether a payment's recipient is the router itself, which takes no ether but from WETH."""
        back = self._is_router(start + WORD, end)
        if back and token == ETH:
            raise CalldataError
        return back

    def _put_back(self, token: Address, kept: RouterBalance) -> None:
        """A sweep of the router to itself leaves the balance as it was."""
        if kept.portions_bips:
            self.ledger.forget(token)
            return
        self.ledger.put(token, kept.known)
        for index in kept.from_intents:
            self.ledger.put_output(token, index)

    def _v3_swap(self, start: int, end: int, exact_in: bool) -> None:
        data, ledger = self.data, self.ledger
        amount = word_at(data, start + WORD, end)
        paid_by_user = word_at(data, start + 4 * WORD, end) != 0
        path_start, path_end = bytes_window(data, start, 3, end)
        hops = path_hops(data, path_start, path_end, ledger.budget)
        source: int | RouterBalance = amount
        if exact_in and amount == CONTRACT_BALANCE:
            token = hops[0].token_in
            held = ledger.balance(token)
            if held is None:
                raise CalldataError
            # The flag sets only the amount: who pays is still the payer that the input names.
            source = held if paid_by_user else ledger.take_all(token)
        ledger.swap(
            ROUTER,
            hops if exact_in else reversed_hops(hops),
            exact_in=exact_in,
            amount=source,
            limit_amount=word_at(data, start + 2 * WORD, end),
            deadline_s=self.deadline_s,
            paid_by_router=not paid_by_user,
            to_router=self._is_router(start, end),
        )

    def _wrap_eth(self, start: int, end: int) -> None:
        ledger = self.ledger
        amount = word_at(self.data, start + WORD, end)
        to_router = self._is_router(start, end)
        if amount != CONTRACT_BALANCE:
            ledger.take(ETH, amount)
            if to_router:
                ledger.put(self.weth, amount)
            return
        held = ledger.balance(ETH)
        ledger.empty(ETH, 0)
        if to_router:
            self._arrive(self.weth, held)

    def _unwrap_weth(self, start: int, end: int) -> None:
        held = self.ledger.balance(self.weth)
        self.ledger.empty(self.weth, word_at(self.data, start + WORD, end))
        if self._is_router(start, end):
            self._arrive(ETH, held)

    def _arrive(self, token: Address, amount: RouterBalance | None) -> None:
        if amount is None or amount.portions_bips:
            self.ledger.forget(token)
            return
        self.ledger.put(token, amount.known)
        for index in amount.from_intents:
            self.ledger.put_output(token, index)

    def _transfer(self, start: int, end: int) -> None:
        token = loose_address_at(self.data, start, end)
        value = word_at(self.data, start + 2 * WORD, end)
        back = self._back_to_router(token, start, end)
        if value == CONTRACT_BALANCE and token != ETH:
            if not back:
                self.ledger.empty(token, 0)
            return
        self.ledger.take(token, value)
        if back:
            self.ledger.put(token, value)

    def _transfer_batch(self, start: int, end: int) -> None:
        """Array of (from, to, amount, token); `to` is a plain address here, not a flag."""
        data = self.data
        at = start + word_at(data, start, end)
        count = word_at(data, at, end)
        self.ledger.budget.spend_calls(count)
        row = at + WORD
        for _ in range(count):
            if loose_address_at(data, row + WORD, end) == self.router:
                amount = word_at(data, row + 2 * WORD, end) & _UINT160_MAX
                self.ledger.put(loose_address_at(data, row + 3 * WORD, end), amount)
            row += 4 * WORD
