"""Reading a pool's whole state from a node, and following it log by log."""

from __future__ import annotations

import asyncio

from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import MAX_TICK, MIN_TICK
from jitctl.chain.lens import Node, signed, view, view_many
from jitctl.domain.chain import Log
from jitctl.domain.values import Hash32, PoolSpec
from jitctl.errors import NodeError

SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
MINT = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
BURN = "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c"
SET_FEE_PROTOCOL = "0x973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133"
INITIALIZE = "0x98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95"

_SLOT0 = bytes.fromhex("3850c7bd")
_LIQUIDITY = bytes.fromhex("1a686502")
_TOKEN0, _TOKEN1, _DECIMALS = (bytes.fromhex(text) for text in ("0dfe1681", "d21220a7", "313ce567"))
_FEE = bytes.fromhex("ddca3f43")
_TICK_SPACING = bytes.fromhex("d0c93a7c")
_TICK_BITMAP = bytes.fromhex("5339c296")
_TICKS = bytes.fromhex("f30dba93")


class PoolNotUsable(ValueError):
    """The pool is not initialised, or is not the one that was configured."""


async def load_pool(node: Node, spec: PoolSpec, at: Hash32) -> Pool:
    """Return the exact snapshot at block `at`.

    Raises `NodeError`, `TimedOut`, or `PoolNotUsable` where the pool is not what `spec` says.
    """
    price, fee_pips, spacing, words = await asyncio.gather(
        load_price(node, spec, at),
        view(node, spec.address, _FEE, at),
        view(node, spec.address, _TICK_SPACING, at),
        view_many(node, spec.address, _TICK_BITMAP, _word_positions(spec.tick_spacing), 1, at),
    )
    sqrt_price_x96, tick, liquidity, fee_protocol = price
    if _word(fee_pips) != spec.fee_pips or _word(spacing) != spec.tick_spacing:
        raise PoolNotUsable(
            f"{spec.name}: fee {_word(fee_pips)} and spacing {_word(spacing)} on chain, "
            f"{spec.fee_pips} and {spec.tick_spacing} configured"
        )
    initialised = [
        (position * 256 + bit) * spec.tick_spacing
        for position, (word,) in zip(_word_positions(spec.tick_spacing), words, strict=True)
        if word
        for bit in range(256)
        if word >> bit & 1
    ]
    infos = await view_many(node, spec.address, _TICKS, initialised, 2, at)
    ticks = {each: (gross, signed(net, 128)) for each, (gross, net) in zip(initialised, infos, strict=True)}
    return Pool.from_state(
        fee_pips=spec.fee_pips,
        tick_spacing=spec.tick_spacing,
        sqrt_price_x96=sqrt_price_x96,
        tick=tick,
        liquidity=liquidity,
        fee_protocol=fee_protocol,
        ticks=ticks,
    )


async def prove_tokens(node: Node, spec: PoolSpec, at: Hash32) -> None:
    """Raise `PoolNotUsable` where the pool, its tokens or their decimals are not what `spec` says."""
    fee, *found = await asyncio.gather(
        view(node, spec.address, _FEE, at),
        *(view(node, spec.address, selector, at) for selector in (_TOKEN0, _TOKEN1)),
    )
    if not fee:
        raise PoolNotUsable(f"{spec.name}: there is no pool at {spec.address}")
    for token, answer in zip((spec.token0, spec.token1), found, strict=True):
        if len(answer) != 32 or int.from_bytes(answer, "big") != int(token.address, 16):
            raise PoolNotUsable(
                f"{spec.name}: {token.address} is not the pool's token in {token.symbol}'s place"
            )
        decimals = await view(node, token.address, _DECIMALS, at)
        if len(decimals) != 32 or int.from_bytes(decimals, "big") != token.decimals:
            has = str(int.from_bytes(decimals, "big")) if len(decimals) == 32 else "no"
            raise PoolNotUsable(f"{spec.name}: {token.symbol} has {has} decimals, not {token.decimals}")


async def load_price(node: Node, spec: PoolSpec, at: Hash32) -> tuple[int, int, int, int]:
    """Return (sqrt_price_x96, tick, liquidity, fee_protocol) at block `at`; raises as `load_pool`."""
    slot0, liquidity = await asyncio.gather(
        view(node, spec.address, _SLOT0, at), view(node, spec.address, _LIQUIDITY, at)
    )
    if not slot0 or not liquidity:
        raise PoolNotUsable(f"{spec.name}: there is no pool at {spec.address}")
    if len(slot0) < 7 * 32 or len(liquidity) < 32:
        raise NodeError(f"{spec.name}: slot0 or liquidity of the wrong length")
    sqrt_price_x96 = _word(slot0)
    if sqrt_price_x96 == 0:
        raise PoolNotUsable(f"{spec.name}: the pool is not initialised")
    return sqrt_price_x96, signed(_word(slot0, 1)), _word(liquidity), _word(slot0, 5)


def follow(pool: Pool, log: Log) -> Pool | None:
    """Return the snapshot after one of the pool's logs; None where it must be loaded afresh.

    Raises `ValueError` (`InconsistentPool`, `PoolReverts`) or `LookupError` where the log does not fit.
    """
    topic, data = log.topics[0], log.data
    if topic == SWAP:
        _need(data, 160)
        return pool.with_swap(_word(data, 2), signed(_word(data, 4)), _word(data, 3))
    if topic == MINT:
        _need(data, 128)
        return pool.with_mint(_topic_tick(log, 2), _topic_tick(log, 3), _word(data, 1))
    if topic == BURN:
        _need(data, 96)
        return pool.with_burn(_topic_tick(log, 2), _topic_tick(log, 3), _word(data, 0))
    if topic == SET_FEE_PROTOCOL:
        _need(data, 128)
        return pool.with_fee_protocol(_word(data, 2) | _word(data, 3) << 4)
    return None if topic == INITIALIZE else pool


def swap_amounts(log: Log) -> tuple[int, int] | None:
    """The pool's (amount0, amount1) of a Swap log, positive into the pool; None for any other log."""
    if not log.topics or log.topics[0] != SWAP or len(log.data) != 160:
        return None
    return signed(_word(log.data, 0)), signed(_word(log.data, 1))


def _word(data: bytes, index: int = 0) -> int:
    return int.from_bytes(data[32 * index : 32 * index + 32], "big")


def _need(data: bytes, length: int) -> None:
    if len(data) != length:
        raise ValueError(f"an event of {len(data)} bytes instead of {length}")


def _topic_tick(log: Log, index: int) -> int:
    return signed(int(log.topics[index], 16))


def _word_positions(tick_spacing: int) -> range:
    """All words of the bitmap that can hold a usable tick."""
    lowest = -(-MIN_TICK // tick_spacing)
    return range(lowest >> 8, (MAX_TICK // tick_spacing >> 8) + 1)
