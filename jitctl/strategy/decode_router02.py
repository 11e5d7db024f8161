"""Calldata of SwapRouter02 (swap-router-contracts).

Like SwapRouter, but without a deadline in the structs: it stands in `multicall(deadline, data)`, and
`multicall(previousBlockhash, data)` pins the parent block. An exact input of zero means the router's own
balance. Recipients 1 and 2 stand for the sender and for the router.
"""

from __future__ import annotations

from jitctl.domain.swap_intent import RouterBalance, SwapHop
from jitctl.domain.values import Address, Hash32
from jitctl.strategy.abi_words import (
    WORD,
    CalldataError,
    address_at,
    bytes_array_windows,
    bytes_window,
    path_hops,
    reversed_hops,
    word_at,
)
from jitctl.strategy.decode_v3 import INERT, MULTICALL, payment, price_limit_at, single_hop
from jitctl.strategy.router_ledger import ETH, MAX_DEPTH, RouterLedger

ROUTER = "02"

EXACT_INPUT = 0xB858183F
EXACT_INPUT_SINGLE = 0x04E45AAF
EXACT_OUTPUT = 0x09B81346
EXACT_OUTPUT_SINGLE = 0x5023B4DF
MULTICALL_DEADLINE = 0x5AE401DC
MULTICALL_PARENT = 0x1F0464D1
SWAP_EXACT_TOKENS_V2 = 0x472B43F3
SWAP_TOKENS_FOR_EXACT_V2 = 0x42712A67
WRAP_ETH = 0x1C58DB4F
PULL = 0xF2D5D56B
UNWRAP_WETH9_TO_SENDER = 0x49616997
UNWRAP_WETH9_WITH_FEE_TO_SENDER = 0xD4EF38DE
SWEEP_TOKEN_TO_SENDER = 0xE90A182F
SWEEP_TOKEN_WITH_FEE_TO_SENDER = 0x3068C554
INERT_02 = INERT | {
    0x571AC8B0,  # approveMax
    0xCAB372CE,  # approveMaxMinusOne
    0x639D71A9,  # approveZeroThenMax
    0xAB3FDD50,  # approveZeroThenMaxMinusOne
    0xDEE00F35,  # getApprovalType
    0xEFDEED8E,  # checkOracleSlippage(bytes[],uint128[],uint24,uint32)
    0xF25801A7,  # checkOracleSlippage(bytes,uint24,uint32)
}

CONTRACT_BALANCE = 0
_TO_ROUTER = Address("0x" + "00" * 19 + "02")


def decode_call(
    data: bytes,
    start: int,
    end: int,
    weth: Address,
    ledger: RouterLedger,
    router: Address,
    depth: int = 0,
    deadline_s: int | None = None,
) -> None:
    """Append what the call in `data[start:end]` does to `ledger`; raises `CalldataError`."""
    if end - start < 4 or depth > MAX_DEPTH:
        raise CalldataError
    selector = int.from_bytes(data[start : start + 4], "big")
    args = start + 4
    if selector in (MULTICALL_DEADLINE, MULTICALL_PARENT, MULTICALL):
        slot = 1
        if selector == MULTICALL:
            slot = 0
        elif selector == MULTICALL_DEADLINE:
            own_deadline_s = word_at(data, args, end)
            deadline_s = own_deadline_s if deadline_s is None else min(deadline_s, own_deadline_s)
        else:
            ledger.require_parent(Hash32(f"0x{word_at(data, args, end):064x}"))
        for inner_start, inner_end in bytes_array_windows(data, args, slot, end, ledger.budget):
            decode_call(data, inner_start, inner_end, weth, ledger, router, depth + 1, deadline_s)
    elif selector in (EXACT_INPUT_SINGLE, EXACT_OUTPUT_SINGLE):
        _single(data, args, end, weth, ledger, router, selector == EXACT_INPUT_SINGLE, deadline_s)
    elif selector in (EXACT_INPUT, EXACT_OUTPUT):
        _path(data, args, end, weth, ledger, router, selector == EXACT_INPUT, deadline_s)
    elif selector in (SWAP_EXACT_TOKENS_V2, SWAP_TOKENS_FOR_EXACT_V2):
        ledger.forget_all()
    elif not _own_payment(selector, data, args, end, weth, ledger, router) and selector not in INERT_02:
        raise CalldataError


def _own_payment(
    selector: int, data: bytes, args: int, end: int, weth: Address, ledger: RouterLedger, router: Address
) -> bool:
    if selector == WRAP_ETH:
        amount = word_at(data, args, end)
        ledger.take(ETH, amount)
        ledger.put(weth, amount)
    elif selector == PULL:
        ledger.put(address_at(data, args, end), word_at(data, args + WORD, end))
    elif selector in (UNWRAP_WETH9_TO_SENDER, UNWRAP_WETH9_WITH_FEE_TO_SENDER):
        ledger.empty(weth, word_at(data, args, end))
    elif selector in (SWEEP_TOKEN_TO_SENDER, SWEEP_TOKEN_WITH_FEE_TO_SENDER):
        ledger.empty(address_at(data, args, end), word_at(data, args + WORD, end))
    else:
        return payment(selector, data, args, end, weth, ledger, router)
    return True


def _swap(
    weth: Address,
    ledger: RouterLedger,
    hops: tuple[SwapHop, ...],
    exact_in: bool,
    amount: int,
    limit_amount: int,
    sqrt_price_limit_x96: int,
    deadline_s: int | None,
    to_router: bool,
) -> None:
    source: int | RouterBalance = amount
    by_balance = exact_in and amount == CONTRACT_BALANCE
    fixed = exact_in and not sqrt_price_limit_x96
    if by_balance:
        held = source = ledger.take_all(hops[0].token_in)
        amount, fixed = held.known, fixed and not held.from_intents
        if sqrt_price_limit_x96:
            ledger.forget(hops[0].token_in)  # the pool may leave a part of it here
    ledger.spend_ether_first(weth, hops, amount if fixed else None, by_balance)
    ledger.swap(
        ROUTER,
        hops,
        exact_in=exact_in,
        amount=source,
        limit_amount=limit_amount,
        sqrt_price_limit_x96=sqrt_price_limit_x96,
        deadline_s=deadline_s,
        to_router=to_router,
    )


def _single(
    data: bytes,
    base: int,
    end: int,
    weth: Address,
    ledger: RouterLedger,
    router: Address,
    exact_in: bool,
    deadline_s: int | None,
) -> None:
    _swap(
        weth,
        ledger,
        (single_hop(data, base, end, ledger),),
        exact_in,
        word_at(data, base + 4 * WORD, end),
        word_at(data, base + 5 * WORD, end),
        price_limit_at(data, base + 6 * WORD, end),
        deadline_s,
        address_at(data, base + 3 * WORD, end) in (_TO_ROUTER, router),
    )


def _path(
    data: bytes,
    args: int,
    end: int,
    weth: Address,
    ledger: RouterLedger,
    router: Address,
    exact_in: bool,
    deadline_s: int | None,
) -> None:
    base = args + word_at(data, args, end)
    path_start, path_end = bytes_window(data, base, 0, end)
    hops = path_hops(data, path_start, path_end, ledger.budget)
    _swap(
        weth,
        ledger,
        hops if exact_in else reversed_hops(hops),
        exact_in,
        word_at(data, base + 2 * WORD, end),
        word_at(data, base + 3 * WORD, end),
        0,
        deadline_s,
        address_at(data, base + WORD, end) in (_TO_ROUTER, router),
    )
