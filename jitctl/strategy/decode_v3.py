"""Calldata of SwapRouter (v3-periphery): four swap functions, multicall, and the calls between them.

A struct with a path is encoded behind an offset, one without is encoded in place. `recipient` zero means
the router itself; an unwrap or a sweep then pays the user and holds a minimum of its own. WETH is paid from
the router's ether wherever that suffices, whoever is the payer.
"""

from __future__ import annotations

from jitctl.domain.swap_intent import SwapHop
from jitctl.domain.values import ZERO_ADDRESS, Address
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
from jitctl.strategy.router_ledger import ETH, MAX_DEPTH, RouterLedger

ROUTER = "v3"

EXACT_INPUT = 0xC04B8D59
EXACT_INPUT_SINGLE = 0x414BF389
EXACT_OUTPUT = 0xF28C0498
EXACT_OUTPUT_SINGLE = 0xDB3E2198
MULTICALL = 0xAC9650D8
UNWRAP_WETH9 = 0x49404B7C
UNWRAP_WETH9_WITH_FEE = 0x9B2C0A37
SWEEP_TOKEN = 0xDF2AB5BB
SWEEP_TOKEN_WITH_FEE = 0xE0E189A0
REFUND_ETH = 0x12210E8A
INERT = frozenset(
    {
        0xF3995C67,  # selfPermit
        0x4659A494,  # selfPermitAllowed
        0xA4A78F0C,  # selfPermitAllowedIfNecessary
        0xC2E3140A,  # selfPermitIfNecessary
    }
)
"""Calls that move no token between the router and a pool."""

MAX_FEE_PIPS = (1 << 24) - 1
MAX_SQRT_PRICE_LIMIT_X96 = (1 << 160) - 1


def decode_call(
    data: bytes, start: int, end: int, weth: Address, ledger: RouterLedger, router: Address, depth: int = 0
) -> None:
    """Append what the call in `data[start:end]` does to `ledger`; raises `CalldataError`."""
    if end - start < 4 or depth > MAX_DEPTH:
        raise CalldataError
    selector = int.from_bytes(data[start : start + 4], "big")
    args = start + 4
    if selector == MULTICALL:
        for inner_start, inner_end in bytes_array_windows(data, args, 0, end, ledger.budget):
            decode_call(data, inner_start, inner_end, weth, ledger, router, depth + 1)
    elif selector in (EXACT_INPUT_SINGLE, EXACT_OUTPUT_SINGLE):
        _single(data, args, end, weth, ledger, router, selector == EXACT_INPUT_SINGLE)
    elif selector in (EXACT_INPUT, EXACT_OUTPUT):
        _path(data, args, end, weth, ledger, router, selector == EXACT_INPUT)
    elif not payment(selector, data, args, end, weth, ledger, router) and selector not in INERT:
        raise CalldataError


def payment(
    selector: int, data: bytes, args: int, end: int, weth: Address, ledger: RouterLedger, router: Address
) -> bool:
    """Apply an unwrap, a sweep or a refund that both v3 routers know; False when it is something else."""
    if selector in (UNWRAP_WETH9, UNWRAP_WETH9_WITH_FEE):
        _refuse_router(data, args + WORD, end, router)
        ledger.empty(weth, word_at(data, args, end))
    elif selector in (SWEEP_TOKEN, SWEEP_TOKEN_WITH_FEE):
        _refuse_router(data, args + 2 * WORD, end, router)
        ledger.empty(address_at(data, args, end), word_at(data, args + WORD, end))
    elif selector == REFUND_ETH:
        ledger.empty(ETH, 0)
    else:
        return False
    return True


def _refuse_router(data: bytes, at: int, end: int, router: Address) -> None:
    """Leave a sweep from the router to itself, which nobody means, to those who can run it."""
    if address_at(data, at, end) == router:
        raise CalldataError


def single_hop(data: bytes, base: int, end: int, ledger: RouterLedger) -> SwapHop:
    """Return the pool of a `...Single` struct: token in, token out, fee in its first three words."""
    ledger.budget.spend_hops(1)
    fee_pips = word_at(data, base + 2 * WORD, end)
    if fee_pips > MAX_FEE_PIPS:
        raise CalldataError
    return SwapHop(address_at(data, base, end), address_at(data, base + WORD, end), fee_pips)


def price_limit_at(data: bytes, at: int, end: int) -> int:
    """Return a uint160 price limit."""
    limit = word_at(data, at, end)
    if limit > MAX_SQRT_PRICE_LIMIT_X96:
        raise CalldataError
    return limit


def _single(
    data: bytes, base: int, end: int, weth: Address, ledger: RouterLedger, router: Address, exact_in: bool
) -> None:
    hops = (single_hop(data, base, end, ledger),)
    amount = word_at(data, base + 5 * WORD, end)
    limit = price_limit_at(data, base + 7 * WORD, end)
    ledger.spend_ether_first(weth, hops, amount if exact_in and not limit else None)
    ledger.swap(
        ROUTER,
        hops,
        exact_in=exact_in,
        amount=amount,
        limit_amount=word_at(data, base + 6 * WORD, end),
        sqrt_price_limit_x96=limit,
        deadline_s=word_at(data, base + 4 * WORD, end),
        to_router=address_at(data, base + 3 * WORD, end) in (ZERO_ADDRESS, router),
    )


def _path(
    data: bytes, args: int, end: int, weth: Address, ledger: RouterLedger, router: Address, exact_in: bool
) -> None:
    base = args + word_at(data, args, end)
    path_start, path_end = bytes_window(data, base, 0, end)
    hops = path_hops(data, path_start, path_end, ledger.budget)
    if not exact_in:
        hops = reversed_hops(hops)
    amount = word_at(data, base + 3 * WORD, end)
    ledger.spend_ether_first(weth, hops, amount if exact_in else None)
    ledger.swap(
        ROUTER,
        hops,
        exact_in=exact_in,
        amount=amount,
        limit_amount=word_at(data, base + 4 * WORD, end),
        deadline_s=word_at(data, base + 2 * WORD, end),
        to_router=address_at(data, base + WORD, end) in (ZERO_ADDRESS, router),
    )
