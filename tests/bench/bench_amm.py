"""Exact swaps on a pool of 450 ticks (0.05%, protocol fee on, a full-range position), by ticks crossed.

Beside it, in the same run: the real contract executing the same swaps on revm (through pyrevm: with the token
transfers and the callback that a swap has), and degenbot 0.3.0 in a virtual environment made for the run. All
three results are compared; amounts differ from call to call, so that no cache of results helps anyone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from jitctl.amm.jit import jit_swap
from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import MIN_SQRT_RATIO, get_sqrt_ratio_at_tick
from tests.amm.real_pool import RealPool, RealUniswap, encode

DEGENBOT = "degenbot==0.3.0"
PROBE = Path(__file__).with_name("degenbot_probe.py")
INSTALL_TIMEOUT_S = 300
FEE_PIPS, SPACING, TICKS = 500, 10, 450
CROSSINGS = (0, 30, 100)
ROUNDS = 2000
LIMIT = MIN_SQRT_RATIO + 1


def rows() -> list[dict[str, Any]]:
    real, pool = _twin_pools()
    amounts = {crossed: _amounts(pool, crossed) for crossed in CROSSINGS}
    measured = []
    ours = {}
    for crossed in CROSSINGS:
        ours[crossed] = _measure(lambda amount: pool.swap(True, amount), amounts[crossed], ROUNDS)
        measured.append(_row(f"swap, exact in, {crossed} ticks crossed", ours[crossed], "us", "10 us"))
    outputs = [pool.swap(True, amount).amount1 for amount in amounts[30]]
    measured.append(
        _row(
            "swap, exact out, 30 ticks crossed",
            _measure(lambda amount: pool.swap(True, amount), outputs, ROUNDS),
            "us",
            "10 us",
        )
    )
    lower = pool.tick // SPACING * SPACING
    for name, width in (("one spacing", 1), ("20 spacings", 20)):
        for crossed in (0, 30):
            position = (lower - (width - 1) * SPACING, lower + SPACING, pool.liquidity)
            times = _measure(_jit(pool, position), amounts[crossed], ROUNDS)
            goal = "20 us" if width == 1 else ""
            measured.append(_row(f"jit_swap, {name}, past {crossed} ticks", times, "us", goal))
    measured += _updates(pool)
    for crossed in CROSSINGS:
        times = _measure_real(real, pool, amounts[crossed])
        ratio = times[len(times) // 2] / ours[crossed][len(ours[crossed]) // 2]
        note = f"{ratio:.0f} times ours"
        measured.append(_row(f"the contract on revm, {crossed} ticks crossed", times, "us", "", note))
    measured += _degenbot(pool, amounts, ours)
    return measured


def _twin_pools() -> tuple[RealPool, Pool]:
    """Return the same pool as a contract and as a snapshot."""
    rng = Random(450)
    real = RealUniswap().new_pool(FEE_PIPS, get_sqrt_ratio_at_tick(5) + 12345678901234567)
    edge = 887270
    ticks = {-edge, edge}
    real.provide(-edge, edge, 10**18)
    while len(ticks) < TICKS:
        lower = rng.randint(-300, 290) * SPACING
        upper = lower + rng.randint(1, 60) * SPACING
        if len(ticks | {lower, upper}) <= TICKS:
            ticks |= {lower, upper}
            real.provide(lower, upper, int(10 ** rng.uniform(18, 20)))
    real.set_fee_protocol(4, 4)
    return real, real.snapshot(ticks).prepare()


def _amounts(pool: Pool, crossed: int) -> list[int]:
    """Return inputs, all different, that end just before the next tick is crossed."""
    low, high = 1, 10**30
    while low < high:
        middle = (low + high) // 2
        if pool.swap(True, middle).ticks_crossed > crossed:
            high = middle
        else:
            low = middle + 1
    amounts = [low - low // 10**6 - index for index in range(200)]
    assert {pool.swap(True, amount).ticks_crossed for amount in amounts} == {crossed}
    return amounts


def _measure(act: Callable[[int], object], amounts: list[int], rounds: int) -> list[int]:
    """Return sorted nanoseconds of one call."""
    times = []
    for index in range(rounds):
        amount = amounts[index % len(amounts)]
        started = time.perf_counter_ns()
        act(amount)
        times.append(time.perf_counter_ns() - started)
    return sorted(times)


def _jit(pool: Pool, position: tuple[int, int, int]) -> Callable[[int], object]:
    return lambda amount: jit_swap(pool, *position, True, amount)


def _measure_real(real: RealPool, pool: Pool, amounts: list[int]) -> list[int]:
    evm, caller = real.world.evm, real.world.caller
    times = []
    for amount in amounts:
        calldata = encode("swap(address,bool,int256,uint160)", real.address, True, amount, LIMIT)
        untouched = evm.snapshot()
        started = time.perf_counter_ns()
        reply = real.world.send_raw(caller, calldata)
        times.append(time.perf_counter_ns() - started)
        evm.revert(untouched)
        assert int.from_bytes(reply[32:64], "big", signed=True) == pool.swap(True, amount).amount1
    return sorted(times)


def _updates(pool: Pool) -> list[dict[str, Any]]:
    """A snapshot follows a block of logs and is made ready for the next swap, tables and all."""
    swapped = pool.swap(True, 10**18)

    def follow(lower: int, upper: int) -> Callable[[int], Pool]:
        return lambda amount: (
            pool.with_mint(lower, upper, amount)
            .with_burn(lower, upper, amount // 2)
            .with_swap(swapped.sqrt_price_x96, swapped.tick, swapped.liquidity)
            .prepare()
        )

    def cold(_: int) -> Pool:
        return Pool.from_state(
            fee_pips=pool.fee_pips,
            tick_spacing=pool.tick_spacing,
            sqrt_price_x96=pool.sqrt_price_x96,
            tick=pool.tick,
            liquidity=pool.liquidity,
            fee_protocol=pool.fee_protocol,
            ticks=dict(pool.ticks),
        ).prepare()

    only_swap = _measure(lambda _: pool.with_swap(*swapped[2:5]), [0], ROUNDS)
    # Ranges that leave out the current tick, so that the swap's liquidity stays what it was.
    narrow = _measure(follow(2000, 2010), [10**18 + step for step in range(200)], 400)
    wide = _measure(
        follow(swapped.tick // SPACING * SPACING + 20, 887270), [10**18 + step for step in range(200)], 400
    )
    return [
        _row("snapshot after a swap", only_swap, "us", ""),
        _row("snapshot after mint, burn and swap, narrow range, tables ready", narrow, "ms", "2 ms"),
        _row("snapshot after mint, burn and swap, half of all ticks, tables ready", wide, "ms", "2 ms"),
        _row("snapshot from nothing, tables ready", _measure(cold, [0], 200), "ms", ""),
    ]


def _degenbot(pool: Pool, amounts: dict[int, list[int]], ours: dict[int, list[int]]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="jitctl-bench-") as folder:
        try:
            venv.create(folder, with_pip=True)
            python = Path(folder) / "bin" / "python"
            install = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", DEGENBOT]
            subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"  {DEGENBOT} is left out, it cannot be installed: {error}", file=sys.stderr)
            return []
        state = {
            "fee": pool.fee_pips,
            "tick_spacing": pool.tick_spacing,
            "sqrt_price_x96": pool.sqrt_price_x96,
            "tick": pool.tick,
            "liquidity": pool.liquidity,
            "ticks": {tick: list(info) for tick, info in pool.ticks.items()},
            "limit": LIMIT,
            "amounts": amounts,
        }
        reply = subprocess.run(
            [python, PROBE], input=json.dumps(state), capture_output=True, text=True, check=False, timeout=300
        )
    if reply.returncode:
        print(f"  {DEGENBOT} is left out, it failed: {reply.stderr[-400:]}", file=sys.stderr)
        return []
    measured = []
    for crossed in CROSSINGS:
        theirs = json.loads(reply.stdout)[str(crossed)]
        equal = sum(
            amount1 == pool.swap(True, amount).amount1
            for amount, amount1 in zip(amounts[crossed], theirs["amount1"], strict=True)
        )
        times = sorted(theirs["times_ns"])
        ratio = times[len(times) // 2] / ours[crossed][len(ours[crossed]) // 2]
        note = f"{ratio:.0f} times ours; {equal} of {len(times)} results equal"
        measured.append(_row(f"{DEGENBOT}, {crossed} ticks crossed", times, "us", "", note))
    return measured


def _row(name: str, times_ns: list[int], unit: str, goal: str, note: str = "") -> dict[str, Any]:
    scale = {"us": 1e3, "ms": 1e6}[unit]
    return {
        "name": name,
        "p50": times_ns[len(times_ns) // 2] / scale,
        "p99": times_ns[len(times_ns) * 99 // 100] / scale,
        "unit": unit,
        "goal": goal,
        "note": note,
    }
