"""What deciding costs: from calldata to a plan on a 450-tick pool, and the way out for everything else."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.domain.chain import Head, PendingTx
from jitctl.domain.plan import Capital, Marks, Propose
from jitctl.domain.values import ZERO_HASH, Address, Hash32, PoolSpec, Token
from jitctl.strategy.decode import RouterKind, Routers, decode
from jitctl.strategy.jit import evaluate
from jitctl.strategy.limits import StrategyParams
from jitctl.strategy.market import MarketView

USDC = Token("USDC", Address("0x" + "11" * 20), 6)
WETH = Token("WETH", Address("0x" + "cc" * 20), 18)
SPEC = PoolSpec("WETH/USDC-0.05%", Address("0x" + "01" * 20), USDC, WETH, 500, 10, False)
ROUTER = Address("0x" + "a1" * 20)
USER = Address("0x" + "5e" * 20)
ROUTERS = Routers({ROUTER: RouterKind.V3}, WETH.address)
HEAD = Head(
    100,
    Hash32("0x" + "01" * 32),
    Hash32("0x" + "02" * 32),
    1_700_000_000,
    10**9,
    30_000_000,
    15_000_000,
    USER,
)
TICKS = 450
SWAPS = 2_000
NEAR_TICK = 198_070


def rows() -> list[dict[str, Any]]:
    """Return the rows of the benchmark report."""
    rng = random.Random(450)
    view = MarketView.of(HEAD, {SPEC.address: SPEC}, {SPEC.address: _pool(rng)})
    price = Fraction(view.pools[SPEC.address].sqrt_price_x96 ** 2, 1 << 192)
    marks = Marks({USDC.address: price}, Fraction(2500), "bench", 0.0, ZERO_HASH)
    capital = Capital({WETH.address: 3_000 * 10**18, USDC.address: 8_000_000 * 10**6})
    params = StrategyParams(max_notional_wei=3_000 * 10**18)
    victims = [_victim(rng, view) for _ in range(SWAPS)]
    proposals = 0

    def decide(tx: PendingTx) -> None:
        nonlocal proposals
        swap_tx = decode(tx, ROUTERS)
        assert swap_tx is not None
        proposals += isinstance(
            evaluate(view, swap_tx, params, capital, marks, 1_700_000_001.0, 10**9), Propose
        )

    stranger = Address("0x" + "99" * 20)
    for tx in victims[:50]:
        decide(tx)
    proposals = 0
    whole = _timed(decide, victims)
    proposed = proposals
    processor = _timed(decide, victims, time.thread_time)
    decoding = _timed(lambda tx: decode(tx, ROUTERS), victims)
    rejected = _timed(lambda _: [ROUTERS.router_of(stranger) for _ in range(1_000)], victims[:200])
    return [
        _row(
            "strategy: watched swap, decode and evaluate",
            whole,
            1e6,
            "us",
            "p50 500, p99 3000",
            f"{TICKS} ticks, swaps of 1 to 2,000 WETH, {proposed} of {SWAPS} proposed",
        ),
        _row(
            "strategy: the same, processor time", processor, 1e6, "us", "", "without waits for a busy machine"
        ),
        _row("strategy: decode", decoding, 1e6, "us", "", "SwapRouter.exactInputSingle"),
        _row("strategy: irrelevant transaction", rejected, 1e9 / 1_000, "ns", "5000", "router_of, per call"),
    ]


def _row(name: str, seconds: list[float], scale: float, unit: str, goal: str, note: str) -> dict[str, Any]:
    return {
        "name": name,
        "p50": round(statistics.median(seconds) * scale, 1),
        "p99": round(sorted(seconds)[int(len(seconds) * 0.99) - 1] * scale, 1),
        "unit": unit,
        "goal": goal,
        "note": note,
    }


def _timed(
    action: Callable[[PendingTx], object],
    txs: list[PendingTx],
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    taken = []
    for tx in txs:
        started = clock()
        action(tx)
        taken.append(clock() - started)
    return taken


def _pool(rng: random.Random) -> Pool:
    ticks: dict[int, tuple[int, int]] = {}
    centre = NEAR_TICK // 10
    while len(ticks) < TICKS:
        lower = centre + int(rng.gauss(0, 120))
        upper = lower + rng.randint(1, 200)
        amount = int(10 ** rng.uniform(14, 17.5))
        for tick, net in ((lower * 10, amount), (upper * 10, -amount)):
            gross, before = ticks.get(tick, (0, 0))
            ticks[tick] = (gross + amount, before + net)
    return Pool.from_state(
        fee_pips=500,
        tick_spacing=10,
        sqrt_price_x96=(get_sqrt_ratio_at_tick(NEAR_TICK) + get_sqrt_ratio_at_tick(NEAR_TICK + 1)) // 2,
        tick=NEAR_TICK,
        liquidity=sum(net for tick, (_, net) in ticks.items() if tick <= NEAR_TICK),
        ticks=ticks,
    ).prepare()


def _victim(rng: random.Random, view: MarketView) -> PendingTx:
    buys_weth = rng.random() < 0.5
    weth_wei = int(10 ** rng.uniform(0, 3.3) * 10**18)
    if buys_weth:
        amount = int(weth_wei / (view.pools[SPEC.address].sqrt_price_x96 / (1 << 96)) ** 2)
    else:
        amount = weth_wei
    token_in, token_out = (USDC, WETH) if buys_weth else (WETH, USDC)
    tokens = (int(token_in.address, 16), int(token_out.address, 16))
    words = (*tokens, 500, int(USER, 16), 1_800_000_000, amount, 0, 0)
    calldata = bytes.fromhex("414bf389") + b"".join(word.to_bytes(32, "big") for word in words)
    return PendingTx(Hash32("0x" + "ab" * 32), USER, ROUTER, 0, 0, calldata, 600_000, 2, 1, 1, {}, 0)
