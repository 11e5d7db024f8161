"""Runs inside degenbot's own environment: reads a pool and amounts on stdin, writes times and results.

The pool object is filled without its constructor, which would read the same values from a node.
"""

from __future__ import annotations

import json
import sys
import time

from degenbot.uniswap.types import UniswapV3BitmapAtWord, UniswapV3LiquidityAtTick, UniswapV3PoolState
from degenbot.uniswap.v3_liquidity_pool import UniswapV3Pool


def main() -> None:
    given = json.load(sys.stdin)
    spacing = given["tick_spacing"]
    words: dict[int, int] = {}
    tick_data = {}
    for text, (gross, net) in given["ticks"].items():
        tick = int(text)
        word, bit = divmod(tick // spacing, 256)
        words[word] = words.get(word, 0) | 1 << bit
        tick_data[tick] = UniswapV3LiquidityAtTick(liquidity_net=net, liquidity_gross=gross, block=0)
    edge = 887272 // spacing // 256 + 1
    pool = UniswapV3Pool.__new__(UniswapV3Pool)
    pool.fee, pool.tick_spacing, pool.sparse_liquidity_map = given["fee"], spacing, False
    pool._state = UniswapV3PoolState(
        pool="0x" + "00" * 20,
        liquidity=given["liquidity"],
        sqrt_price_x96=given["sqrt_price_x96"],
        tick=given["tick"],
        tick_bitmap={
            word: UniswapV3BitmapAtWord(bitmap=words.get(word, 0), block=0) for word in range(-edge, edge + 1)
        },
        tick_data=tick_data,
    )
    found = {}
    for crossed, amounts in given["amounts"].items():
        times, results = [], []
        for amount in amounts:
            started = time.perf_counter_ns()
            result = pool._calculate_swap(True, amount, given["limit"])
            times.append(time.perf_counter_ns() - started)
            results.append(result[1])
        found[crossed] = {"times_ns": times, "amount1": results}
    json.dump(found, sys.stdout)


main()
